// What was proved of the same ELF files with the same libraries of the host: a change of scripts or data proves nothing
// anew. Kept in the step cache.
#pragma once

#include <optional>
#include <vector>

#include "builder/proofs.hpp"
#include "builder/step_cache.hpp"

namespace whittle::builder {

class ProofMemory {
 public:
  // `files` are what the outputs of the settled `plan` hold. Only under `link = "closure"` is anything remembered: one
  // static program is proved in no time, and changes with every build.
  ProofMemory(const plan::BuildPlan& plan, const std::vector<CachedFile>& files, const StepCache& cache);

  // Nothing when a library of the host has changed, or what the loader knows.
  std::optional<Proofs> recall() const;
  void remember(const Proofs& proofs) const;

 private:
  bool is_used_;
  Digest key_;
  const StepCache& cache_;
};

}  // namespace whittle::builder
