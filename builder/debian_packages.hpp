// The usual libraries: what they are called by those who use them, and which package of Debian has them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace whittle::builder {

// All names of the library that somebody calls `name`, as archive, module of pkg-config or package of CMake, in small
// letters; empty when it is not in the table.
std::vector<std::string> names_of_library(std::string_view name);
// Empty when they are not in the table.
std::string package_of_library(std::string_view name);
// It has no static libraries, whoever installs it.
bool is_only_shared(std::string_view package);
std::string package_of_header(std::string_view name);

}  // namespace whittle::builder
