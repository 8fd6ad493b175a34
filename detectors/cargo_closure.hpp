// Which packages of a Cargo workspace the chosen programs are made of.
#pragma once

#include <string>
#include <vector>

#include "plan/source_tree.hpp"

namespace whittle::detectors {

// Patterns for the inputs of a step (plan/input_patterns.hpp): everything but the packages below `workspace` that none
// of those in `folders` depends on by path; of these only the manifests, which cargo reads all the same. {"**"} when
// there are no others. Folders are relative to the context.
std::vector<std::string> cargo_inputs(const plan::SourceTree& context, const std::string& workspace,
                                      const std::vector<std::string>& folders);

}  // namespace whittle::detectors
