// Which Node a project wants (`engines`, version files, `volta`), and which of its package managers goes with it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "detectors/detector.hpp"
#include "detectors/node_manifest.hpp"

namespace whittle::detectors {

// npm's ranges in the words of plan::satisfies: "^18.2 || >=20" is ">=18.2,<19||>=20". Empty: any version, or a range
// that cannot be read. https://github.com/npm/node-semver#ranges
std::string constraint_of_range(std::string_view range);

// The tool `node` for the application, and the values that say why. Warnings for what speaks of no version.
plan::Tool node_tool(const Surroundings& surroundings, const NodeManifest& manifest, plan::BuildPlan& plan,
                     std::vector<std::string>& warnings);

}  // namespace whittle::detectors
