// What `go.mod` and `go.work` say. https://go.dev/ref/mod#go-mod-file-grammar
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace whittle::detectors {

struct GoLine {
  std::string value;  // empty: the file has no such line
  int line = 0;
};

struct GoModule {
  GoLine path, go, toolchain;
  std::vector<GoLine> requirements;  // modules
};

struct GoWorkspace {
  GoLine go, toolchain;
  std::vector<GoLine> members;  // folders, as written
};

// Throw Error(detector_failed) with file and line.
GoModule parse_go_module(std::string_view text, std::string_view file);
GoWorkspace parse_go_workspace(std::string_view text, std::string_view file);

// "whoami" of "example.com/whoami/v2", the way Go names a program.
std::string go_program_name(std::string_view import_path);

}  // namespace whittle::detectors
