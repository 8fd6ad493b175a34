// What a Meson project makes, as far as it can be read without running Meson (mesonbuild.com/Syntax.html).
#pragma once

#include <string>
#include <vector>

#include "detectors/c_project.hpp"
#include "detectors/libraries.hpp"

namespace whittle::detectors {

struct MesonProject {
  std::string name, minimum;  // `meson_version: '>=0.60'` without the sign
  int name_line = 0, minimum_line = 0;
  std::vector<std::string> languages;
  std::vector<CProgram> programs;     // of the host machine, without those in folders of tests and examples
  Libraries libraries;                // from outside of the tree
  std::vector<plan::Module> modules;  // that it cannot do without
  bool makes_shared_libraries = false;
  bool installs_data = false;  // beside programs and what is for developers and readers
  std::string unread;          // where a program has a name that is computed
  // Options that only cost time or tools, with the value that turns each off: tests, examples, documentation.
  std::vector<std::pair<std::string, std::string>> dispensable;
};

// Follows `meson.build` at the root of the tree through its `subdir` folders; subprojects are left out.
// Throws Error(detector_failed) when a file is broken.
MesonProject read_meson_project(const plan::SourceTree& tree);

}  // namespace whittle::detectors
