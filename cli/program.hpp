// What surrounds a command line of the project: signals, standard error, and the only place where an error becomes an
// exit code.
#pragma once

#include <functional>
#include <map>
#include <stop_token>
#include <string>

#include "cli/renderer.hpp"

namespace whittle::cli {

struct GlobalOptions {
  bool quiet = false, verbose = false;
  std::string log_format = "auto";  // auto | terminal | plain | json
};

struct Surroundings {
  std::map<std::string, std::string> environment;
  Renderer& events;
  std::stop_token stop;  // asked for by the first signal; the second one ends the program at once
};

struct ParsedProgram {
  GlobalOptions global;
  std::function<int(Surroundings&)> command;  // writes data to std::cout; empty when `text` is all that was asked for
  std::string text;
};
using ParseFunction = std::function<ParsedProgram(int, const char* const*)>;

// Parses, runs and returns the exit code. `parse` and commands throw Error for what fails.
int run_program(int argc, const char* const* argv, const ParseFunction& parse);

}  // namespace whittle::cli
