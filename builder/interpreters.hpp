// Interpreters of Python: a machine has several, under several names, and managers of versions hide them behind
// scripts.
#pragma once

#include <optional>
#include <stop_token>

#include "builder/toolchain.hpp"

namespace whittle::builder {

// The interpreter for `tool`: the first that satisfies constraint and pin, else the constraint, else the first at all.
// They are looked at in this order: `python3` on the PATH, those with a version in their names, what pyenv and uv have
// installed. Scripts of version managers stand for the program behind them. Nothing when there is none.
std::optional<ProbedTool> probe_interpreter(const plan::Tool& tool, const fs::path& folder, const Host& host,
                                            ProcessRunner& runner, const std::stop_token& stop);

}  // namespace whittle::builder
