// What a Makefile makes, as far as it can be read without running make.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "detectors/libraries.hpp"
#include "plan/build_plan.hpp"
#include "plan/source_tree.hpp"

namespace whittle::detectors {

struct MakeProgram {
  std::string path;       // as the rule has it: "checksums", "bin/tool"
  std::string source;     // "Makefile:9"
  bool is_target = true;  // false: a recipe of another target writes it
};

struct MakeProject {
  std::vector<MakeProgram> programs;     // that the default goal makes; without a chain to it, all
  std::vector<std::string> hard_coded;   // places that call a compiler by name
  std::string linker;                    // the compiler that `LD` is set to; empty for none
  bool has_compiler_with_flags = false;  // `CC = gcc -std=c99 -Iinclude`: lost when it is given on the command line
  bool installs_data = false;            // or links, and all of it below DESTDIR
  bool is_for_bsd = false;               // in the language of BSD's make, which GNU's does not read
  std::string generic_goal;              // "generic": a Makefile for many systems finds out about this one
  Libraries libraries;                   // from outside of the tree
  std::vector<plan::Module> modules;     // of pkg-config, that variables ask for outside of conditions

  bool calls_by_name() const { return !hard_coded.empty() || has_compiler_with_flags; }
};

MakeProject read_makefile(const plan::SourceTree& tree, const std::string& path,
                          const std::map<std::string, std::string>& definitions);

}  // namespace whittle::detectors
