// Version files that other tools read (`.go-version`, `.tool-versions`, `mise.toml`, …), held against what the
// project's own manifest wants. They decide nothing: a manifest speaks of the code, they speak of somebody's machine.
#pragma once

#include <string>
#include <vector>

#include "plan/build_plan.hpp"
#include "plan/source_tree.hpp"

namespace whittle::detectors {

struct VersionPin {
  std::string tool;  // as plan::Tool calls it
  plan::Value version;
};

// Every pin of a version that is a number; "latest" and the like pin nothing.
std::vector<VersionPin> version_pins(const plan::SourceTree& tree, std::vector<std::string>& warnings);

// A warning for each pin that is lower than the minimum of a tool, and for each that another pin contradicts.
std::vector<std::string> version_contradictions(const plan::SourceTree& tree, const plan::BuildPlan& plan);

}  // namespace whittle::detectors
