// What every command line of the project has in common: help, markdown, and errors that say what was meant.
#pragma once

#include <string>

#include "base/error.hpp"

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace whittle::cli {

// Parses into the tree; true when a command is to be run, false when `text` is all that was asked for (--help,
// --version, --help-markdown). Throws Error(usage) that says what is wrong and which command's help to read.
bool parse_into(CLI::App& app, int argc, const char* const* argv, std::string& text);

}  // namespace whittle::cli
