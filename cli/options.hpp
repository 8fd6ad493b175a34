// The command line, parsed: which command, with which options. The option tree is also the source of
// `docs/commands.md` (`whittle --help-markdown`).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "cli/program.hpp"
#include "cli/session.hpp"

namespace whittle::cli {

struct Invocation {
  GlobalOptions global;
  // Runs the command; empty when `text` is all that was asked for.
  std::function<int(Session&)> command;
  std::string text;  // of --help and --version, for standard output
};

// Throws Error(usage) that says what is wrong with the line and which command's help to read.
Invocation parse_command_line(int argc, const char* const* argv);

}  // namespace whittle::cli
