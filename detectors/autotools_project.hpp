// What an autotools project makes, as far as configure.ac and the Makefile.am tell without running anything.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "detectors/c_project.hpp"
#include "detectors/libraries.hpp"

namespace whittle::detectors {

struct AutotoolsProject {
  std::string script;  // "configure.ac", "configure.in", or only "configure"
  std::string name;    // of AC_INIT; empty when it is computed
  int name_line = 0;
  bool has_configure = false;                       // it is there: a release
  bool is_autoconf = true;                          // made by autoconf, so that it takes autoconf's options
  std::vector<CProgram> programs;                   // bin_PROGRAMS and sbin_PROGRAMS, without folders of tests
  bool installs_data = false, makes_links = false;  // beside the programs
  Libraries libraries;                              // that configure looks for
  std::vector<plan::Module> modules;                // of pkg-config, that it cannot do without
  std::vector<std::string> optional;                // what can be left out: "--without-NAME", "--disable-NAME"
  std::string unread;                               // a list of programs that is computed or conditional
};

// Nothing when the root has no configure script and no source of one.
std::optional<AutotoolsProject> read_autotools_project(const plan::SourceTree& tree);

}  // namespace whittle::detectors
