// The Python programs that a plan's steps run (detectors/python/): data of the plan, so that it is complete by itself.
#pragma once

#include <map>
#include <string>

namespace whittle::detectors {

// File name → text.
const std::map<std::string, std::string>& python_scripts();

}  // namespace whittle::detectors
