// Languages that are recognised by their files, so that a refusal can name them.
#pragma once

#include <string>
#include <vector>

#include "plan/source_tree.hpp"

namespace whittle::detectors {

// Whose manifest lies at the root: "Ruby", "Node (not built yet by this version)", in table order.
std::vector<std::string> languages_by_manifest(const plan::SourceTree& tree);
// Whose sources lie in the tree, the most files first: for trees without any manifest.
std::vector<std::string> languages_by_source(const plan::SourceTree& tree);

}  // namespace whittle::detectors
