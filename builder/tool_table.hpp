// The tools that whittle knows, as data: adding one is a row.
#pragma once

#include <span>
#include <string_view>

namespace whittle::builder {

struct KnownTool {
  std::string_view name;
  std::string_view programs;  // tried in this order, separated by spaces
  std::string_view version;   // the argument that makes it tell its version
  std::string_view purpose;
  std::string_view install;
  // Folders below which each version has one of its own: the program is looked for there too, when none on the PATH
  // fits.
  std::string_view versions = {};
  std::string_view home = {};  // an environment variable that names such a folder
  // A file of that folder that tells two builds of one version apart; their programs are only launchers.
  std::string_view identity = {};
};

std::span<const KnownTool> known_tools();
// Nothing: a tool that is its own program and knows `--version`.
const KnownTool* find_known_tool(std::string_view name);

}  // namespace whittle::builder
