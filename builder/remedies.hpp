// What to do about failures that tools explain in their own words, when that is known for certain.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace whittle::builder {

// Advice for the last lines of a failed step; none when nothing in them is known.
std::vector<std::string> remedies_for(std::span<const std::string> lines);

}  // namespace whittle::builder
