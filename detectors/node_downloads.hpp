// Node and its package managers as npm's registry has them: the newest of each line with its digest, and any other
// version that a project names through npm (docs/design/node.md).
#pragma once

#include <string_view>
#include <vector>

#include "plan/build_plan.hpp"

namespace whittle::detectors {

// `pin`: the version that the project names, "22.11.0"; empty: none.
std::vector<plan::Download> node_downloads(std::string_view pin);
// npm, pnpm, yarn or bun. `hash` is corepack's: "sha512.…", empty: none.
std::vector<plan::Download> package_manager_downloads(std::string_view name, std::string_view pin,
                                                      std::string_view hash);

}  // namespace whittle::detectors
