// Which Go packages of a source tree the chosen programs are made of.
#pragma once

#include <string>
#include <vector>

#include "plan/source_tree.hpp"

namespace whittle::detectors {

// Patterns for the inputs of a step (plan/input_patterns.hpp): everything but the Go files of packages that no program
// in `folders` imports, directly or through others, and tests. {"**"} when all are imported, or there is too much to
// read.
std::vector<std::string> go_inputs(const plan::SourceTree& context, const std::vector<std::string>& folders);

// The import paths that the head of a Go file names.
std::vector<std::string> go_imports(std::string_view text);

}  // namespace whittle::detectors
