// What build.zig and build.zig.zon say without being run: which programs there are, and which zig is wanted.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "detectors/c_project.hpp"
#include "plan/source_tree.hpp"

namespace whittle::detectors {

struct ZigVersion {
  plan::Value minimum, pin;  // empty values without one
};

struct ZigProject {
  std::string name;  // of build.zig.zon; empty without one
  int name_line = 0;
  std::vector<CProgram> programs;  // that are installed under a name that can be read
  std::string unread;              // the place of one whose name cannot
  bool has_target = false;         // takes -Dtarget
  bool has_dependencies = false;   // that have to be fetched
};

ZigProject read_zig_project(const plan::SourceTree& tree);

// From .zigversion, .zig-version and build.zig.zon; else from what only one version has.
ZigVersion zig_version(const plan::SourceTree& tree);

// The line of `pub fn main`; 0 without one.
int line_of_zig_main(std::string_view text);

}  // namespace whittle::detectors
