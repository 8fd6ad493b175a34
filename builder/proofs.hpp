// Proves what the steps have made, before it is kept: every program, and under `link = "closure"` every ELF file that
// the image will have.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "plan/artifact.hpp"
#include "plan/build_plan.hpp"
#include "proof/closure.hpp"

namespace whittle::builder {

struct Library {
  proof::ClosureFile file;
  bool is_of_runtime = false;  // an interpreter needs it, or what comes with it
};

struct Proofs {
  plan::RuntimeNeeds needs;
  std::vector<std::string> warnings;
  std::map<std::string, Library> closure;  // by path in the image; none of what the outputs bring themselves
};

// Outputs are those of the settled `plan`, in its order; `places` are where they lie. Throws Error(not_static) with
// every reason.
Proofs prove(const plan::BuildPlan& plan, const std::vector<fs::path>& places);

// The step that a file is from: the one that declares it, else the last. Empty: none.
std::string step_of(const plan::BuildPlan& plan, const std::string& built);

}  // namespace whittle::builder
