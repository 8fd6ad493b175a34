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
};

std::span<const KnownTool> known_tools();
// Nothing: a tool that is its own program and knows `--version`.
const KnownTool* find_known_tool(std::string_view name);

}  // namespace whittle::builder
