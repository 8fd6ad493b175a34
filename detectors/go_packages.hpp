// Which folders of a Go module hold a program, found by reading package clauses and build constraints.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "plan/source_tree.hpp"

namespace whittle::detectors {

// The target that build constraints are asked about.
struct GoTarget {
  std::string os = "linux", architecture = "amd64";
  std::set<std::string> tags;  // `-tags`
};

struct GoFile {
  std::string package;  // empty: no package clause in the part that was read
  int line = 0;         // of the package clause
  bool is_built = true;
};

// Looks at the head of a file: constraints and package clause.
GoFile read_go_file(std::string_view name, std::string_view text, const GoTarget& target);

struct GoProgram {
  std::string folder;  // "." or "cmd/whoami"
  std::string file;    // the first of it that says `package main`
  int line = 0;
};

// `path` is `folder` or lies below it; "." is the root.
bool is_below(std::string_view path, std::string_view folder);

// Folders that Go looks away from: testdata, vendor, names that begin with `_` or `.`.
bool is_skipped_folder(std::string_view folder);

// The main packages of the module whose root is `folder`: not in nested modules, testdata, vendor, or
// folders that begin with `_` or `.`, as Go itself looks away from them.
std::vector<GoProgram> go_programs(const plan::SourceTree& tree, std::string_view folder, const GoTarget& target);

// The first place below `folder`, outside of tests, that imports C; empty when there is none, or too much to read.
std::string go_import_of_c(const plan::SourceTree& tree, std::string_view folder);

}  // namespace whittle::detectors
