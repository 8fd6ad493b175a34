// What a CMake project makes, as far as it can be read without running CMake.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "detectors/c_project.hpp"
#include "detectors/libraries.hpp"

namespace whittle::detectors {

struct CMakeProject {
  std::string name;
  int name_line = 0, minimum_line = 0;
  std::string minimum;  // cmake_minimum_required
  bool enables_c = false, enables_cpp = false;
  bool names_languages = false;    // `project()` says which; else both are enabled
  std::vector<CProgram> programs;  // without imported, alias and excluded ones, and without folders of tests
  // Where programs are made in a way that cannot be read: in a loop, a function, or under a computed name.
  std::string unread;
  Libraries libraries;                // from outside of the tree
  std::vector<plan::Module> modules;  // of pkg-config, that it cannot do without
  bool installs_data = false;
};

// Follows CMakeLists.txt at the root of the tree through its folders and included files. `definitions`
// are those of the command line. Throws Error(detector_failed) when a file is broken.
CMakeProject read_cmake_project(const plan::SourceTree& tree, const std::map<std::string, std::string>& definitions);

}  // namespace whittle::detectors
