// Languages that are recognised by their marker files, so that a refusal can name them.
#pragma once

#include <string>
#include <vector>

#include "plan/source_tree.hpp"

namespace whittle::detectors {

// "Ruby", "Node (not built yet by this version)", in table order.
std::vector<std::string> unsupported_languages(const plan::SourceTree& tree);

}  // namespace whittle::detectors
