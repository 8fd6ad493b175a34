// What a plan's steps make for the image beside programs.
#pragma once

#include <string_view>

#include "plan/build_plan.hpp"

namespace whittle::detectors {

// A file or folder that lies at `built` below the work folder goes to `installed`.
void add_output(plan::BuildPlan& plan, std::string_view built, std::string_view installed, plan::Output::Kind kind);

}  // namespace whittle::detectors
