// One tool of a plan, where a machine may have several versions of it.
#pragma once

#include <optional>
#include <stop_token>

#include "builder/toolchain.hpp"

namespace whittle::builder {

// Of several, the first that satisfies the constraint and the pin, else the constraint alone, else the first.
std::optional<ProbedTool> probe_fitting(const plan::Tool& tool, const fs::path& folder, const Host& host,
                                        ProcessRunner& runner, std::stop_token stop);

}  // namespace whittle::builder
