// From what the steps left to artifacts: settled, proved, and kept in the cache.
#pragma once

#include "builder/inputs.hpp"
#include "builder/step_cache.hpp"
#include "builder/work_folder.hpp"

namespace whittle::builder {

// How the programs came about.
struct Making {
  std::vector<std::string> warnings;
  std::string sandbox;     // Built::sandbox
  const Secrets* secrets;  // that steps were given, and nothing may hold; may be null
  // Outputs of steps that are in the cache and not in the work folder, since no step that ran needed them.
  std::vector<CachedFile> not_restored = {};
};

// Settles the plan, proves every program and keeps everything under `key`, with what is to be known of its
// making. Throws Error(not_static) with every reason.
void keep_result(const Digest& key, const plan::BuildPlan& plan, const std::vector<plan::ReportedProgram>& reported,
                 Making making, const WorkFolder& work, const StepCache& cache, KnownFiles& known);

// What was kept under `key`, for the present settings of the image; nothing when it is not there, or was made without
// the sandbox that the plan requires. The artifacts lie in the cache, which somebody has to keep in use (CacheInUse).
std::optional<Built> kept_result(const Digest& key, const plan::BuildPlan& plan, const Inputs& inputs,
                                 const StepCache& cache);

}  // namespace whittle::builder
