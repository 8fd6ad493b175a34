// CMake's language, as far as reading a project needs it.
// https://cmake.org/cmake/help/latest/manual/cmake-language.7.html
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace whittle::detectors {

struct CMakeArgument {
  std::string text;         // with escapes resolved, `${…}` as it is
  bool is_literal = false;  // a bracket argument: nothing in it is replaced
  bool is_quoted = false;
};

struct CMakeCommand {
  std::string name;  // lower case
  std::vector<CMakeArgument> arguments;
  int line = 0;
};

// Throws Error(detector_failed) with file and line.
std::vector<CMakeCommand> parse_cmake(std::string_view text, std::string_view file);

}  // namespace whittle::detectors
