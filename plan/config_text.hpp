// `whittle.toml` as text: what was inferred, spelled out.
#pragma once

#include <string>

#include "plan/build_plan.hpp"

namespace whittle::plan {

// Settings that give `plan` again for the same tree, each with the place that it came from as a comment. What changes
// with the machine or the commit (labels, time, platform) and what is the build system's own is left out.
std::string config_text(const BuildPlan& plan);

}  // namespace whittle::plan
