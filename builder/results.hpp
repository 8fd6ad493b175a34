// From what the steps left to artifacts: settled, proved, and kept in the cache.
#pragma once

#include "builder/inputs.hpp"
#include "builder/step_cache.hpp"
#include "builder/work_folder.hpp"

namespace whittle::builder {

// Settles the plan, proves every program and keeps everything under `key`, with `warnings` of what made it and
// the sandbox that it was made in. Throws Error(not_static) with every reason.
void keep_result(const Digest& key, const plan::BuildPlan& plan, const std::vector<plan::ReportedProgram>& reported,
                 std::vector<std::string> warnings, const std::string& sandbox, const WorkFolder& work,
                 const StepCache& cache);

// What was kept under `key`, for the present settings of the image; nothing when it is not there, or was made without
// the sandbox that the plan requires.
std::optional<Built> kept_result(const Digest& key, const plan::BuildPlan& plan, const Inputs& inputs, const Host& host,
                                 const StepCache& cache);

}  // namespace whittle::builder
