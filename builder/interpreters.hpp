// Interpreters of Python: a machine has several, under several names, and managers of versions hide them behind
// scripts.
#pragma once

#include <stop_token>
#include <vector>

#include "builder/toolchain.hpp"

namespace whittle::builder {

// Every interpreter that can be started, the user's own choice first: `python3` on the PATH, then those with a version
// in their names, then what pyenv and uv have installed. Scripts stand for the real programs.
std::vector<ProbedTool> probe_interpreters(const fs::path& folder, const Host& host, ProcessRunner& runner,
                                           const std::stop_token& stop);

// The first that satisfies constraint and pin, else the constraint, else the first; null when there is none.
const ProbedTool* fitting_interpreter(std::span<const ProbedTool> interpreters, const plan::Tool& tool);

}  // namespace whittle::builder
