// The language of Meson, as much of it as tells what a project makes: calls at the level of statements, and
// assignments.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace whittle::detectors {

struct MesonToken {
  enum class Kind { word, text, sign, line_end } kind = Kind::word;
  std::string text;
  int line = 0;
};

// Words, strings without their quotes, and signs; line ends outside of brackets. Throws Error(detector_failed) for a
// string or bracket that is not closed.
std::vector<MesonToken> tokenize_meson(std::string_view text, std::string_view file);

// An argument: its tokens, brackets balanced.
using MesonValue = std::vector<MesonToken>;

// `name(…)`, or `name = …` with the right side as the only argument.
struct MesonStatement {
  std::string name;
  int line = 0;
  bool is_assignment = false;
  std::vector<MesonValue> arguments;
  std::map<std::string, MesonValue> keywords;
};

// All statements in order. `if`, `elif`, `else`, `endif`, `foreach` and `endforeach` are statements without arguments;
// calls that are the right side of an assignment are both.
std::vector<MesonStatement> parse_meson(std::string_view text, std::string_view file);

}  // namespace whittle::detectors
