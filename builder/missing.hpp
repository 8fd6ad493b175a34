// What a failed step lacked, read from the words of compilers, linkers, configure, pkg-config, CMake and Meson.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace whittle::builder {

struct Missing {
  enum class Kind { header, library, module, program } kind = Kind::header;
  std::string name;       // "curses.h", "onig", "libevent", "bison"
  std::string needed_by;  // of a module: the one that requires it; empty: the project
};

// The first thing that `said` complains of, or the first library of which there is no static form anywhere; nothing
// when it is not about something that could be installed.
std::optional<Missing> missing_in(std::string_view said);
// "the header `curses.h`", "the library `onig`", "the package `libevent` of pkg-config (needed by `tmux`)".
std::string description_of(const Missing& missing);
// The Debian package that has it: from a table, else by the rule that Debian names packages by. Empty: unknown, or
// more likely the project's own.
std::string package_of(const Missing& missing);

// What is wrong with it on this host, and what to do: "is not installed". Nothing when it is there, or cannot be named.
struct Remedy {
  std::string state, hint;
};
std::optional<Remedy> remedy_for(const Missing& missing, std::string_view platform);

}  // namespace whittle::builder
