// A document of plans: one plan as it is, several as `whittle.plans/v1`, a list with one for each platform.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "plan/build_plan.hpp"

namespace whittle::plan {

Json plans_to_json(std::span<const BuildPlan> plans);

// Throws Error(usage) naming `what` for what BuildPlan::from_json refuses, an empty list, two plans for one platform,
// and plans of different images.
std::vector<BuildPlan> plans_from_json(const Json& json, std::string_view what);

}  // namespace whittle::plan
