// Where the tools of each language fetch from by themselves. Plans name these addresses, in which versions and digests
// are pinned; where a machine's settings name another registry, that one is asked instead (cli/tool_downloads.cpp).
#pragma once

#include <string_view>

namespace whittle::plan {

inline constexpr std::string_view kGoProxy = "https://proxy.golang.org/";
inline constexpr std::string_view kNpmRegistry = "https://registry.npmjs.org/";
inline constexpr std::string_view kPythonFiles = "https://files.pythonhosted.org/";
inline constexpr std::string_view kPythonIndex = "https://pypi.org/simple";

}  // namespace whittle::plan
