// What an install step has put beside the programs, as far as one of them asks for it.
#pragma once

#include <vector>

#include "base/files.hpp"
#include "plan/build_plan.hpp"

namespace whittle::builder {

// The outputs of a settled plan with those that are `only_if_named` replaced by what is taken: files and folders whose
// place in the image stands in the text of a program, and in folders of programs (`/bin`) other names of one. Manuals,
// translations and what developers or desktops need are never taken.
std::vector<plan::Output> with_installed_data(const plan::BuildPlan& settled, const fs::path& work);

}  // namespace whittle::builder
