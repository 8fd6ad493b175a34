// What whittle can give a program that says, when it is run, what it misses. Only what a program complains of counts:
// what it tries in silence it does without.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plan/build_plan.hpp"

namespace whittle::cli {

// One of each, in the order of `plan::Supply::Kind`, with the line that asks for it as the reason.
std::vector<plan::Supply> supplies_for(std::string_view said);

// Whether `said`, with the supply in place, still asks for it.
bool is_still_missed(const plan::Supply& supply, std::string_view said);

// Absolute paths in lines that say that something was not found, sorted.
std::vector<std::string> files_not_found(std::string_view said);

// "the CA roots", "the folder `/var/lib/tool`"; and the line of whittle.toml that gives the same without a probe.
std::string description_of(const plan::Supply& supply);
std::string setting_for(const plan::Supply& supply);

}  // namespace whittle::cli
