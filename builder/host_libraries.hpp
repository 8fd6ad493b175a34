// What the host has to compile and link against: headers, archives and shared libraries where Debian and others put
// them. Only asks whether files are there.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"

namespace whittle::builder {

// Debian's name of what its compilers build for (wiki.debian.org/Multiarch/Tuples): "x86_64-linux-gnu".
std::string multiarch_tuple(std::string_view platform);
std::vector<fs::path> library_folders(std::string_view platform);
// `libNAME.a`, `libNAME.so`; nothing when there is none.
std::optional<fs::path> host_archive(std::string_view name, std::string_view platform);
std::optional<fs::path> host_shared_library(std::string_view name, std::string_view platform);
// By whatever name a build file calls it.
bool host_has_library(std::string_view name, std::string_view platform);
// The module of pkg-config whose libraries include `name`, of those that `text`, a link that failed, speaks of.
std::string host_module_with(std::string_view name, std::string_view text, std::string_view platform);
bool host_has_header(std::string_view name, std::string_view platform);

}  // namespace whittle::builder
