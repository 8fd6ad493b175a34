// Which libraries from outside of the tree a C or C++ build may use, as far as its build files can be read without
// running them. Names are those of the build files: archives ("z"), modules of pkg-config ("libcurl"), packages of
// CMake ("OpenSSL").
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "plan/build_plan.hpp"

namespace whittle::detectors {

using Libraries = std::set<std::string>;

Libraries libraries_of_configure(std::string_view script);  // AC_CHECK_LIB, AC_SEARCH_LIBS, PKG_CHECK_MODULES
Libraries libraries_of_cmake(std::string_view script);      // find_package, find_library, pkg_check_modules
Libraries libraries_of_meson(std::string_view script);      // dependency, find_library
Libraries libraries_of_make(std::string_view text);         // -lNAME, pkg-config

// What configure can be told to leave out, as its options: "--without-pcre", "--disable-zlib".
std::vector<std::string> optional_in_configure(std::string_view script);

// Whoever has one of them has it for the C library of the host: other C libraries are then passed over.
void prefer_host_for(plan::BuildPlan& plan, const Libraries& libraries);

}  // namespace whittle::detectors
