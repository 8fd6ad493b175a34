// A `Dockerfile` by Docker's reference: parser directives, comments, continued lines, here-documents, stages,
// variables. Nothing of it is run; it says what the author wants of an image.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace whittle::detectors {

struct Instruction {
  std::string name;                // upper case: "RUN"
  std::vector<std::string> flags;  // "--from=build"
  std::string text;                // what follows, continued lines joined; of a here-document its content too
  int line = 0;                    // where it begins
};

struct Dockerfile {
  char escape = '\\';
  std::vector<Instruction> instructions;  // in order
};

// Of what is beyond any Dockerfile (10,000 instructions, 1 MiB) only the beginning.
Dockerfile parse_dockerfile(std::string_view text);

// The words of a JSON list: `["/bin/app", "-v"]`. Nothing for the shell form.
std::optional<std::vector<std::string>> exec_form(std::string_view text);

// One stage with what it has from the stages that it is based on. What depends on a variable that only the base image
// or a build argument gives is left out.
struct Stage {
  struct Setting {
    std::string value;
    int line = 0;
  };
  std::string base;  // of an image: "alpine:3.20", "scratch"; empty when it is not known
  std::string name;  // of `AS name`
  int line = 0;
  std::map<std::string, Setting> env;
  std::vector<Setting> ports;
  std::optional<Setting> user, folder, stop_signal;
  std::vector<std::string> entrypoint, command;  // of the exec form
  int entrypoint_line = 0, command_line = 0;     // 0: none
  bool has_shell_form = false;                   // of either
  std::vector<Instruction> instructions;         // also those of the stages that it is based on
};
std::vector<Stage> stages_of(const Dockerfile& file);

}  // namespace whittle::detectors
