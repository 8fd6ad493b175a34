// The language of Makefiles: logical lines, variables and the functions that name files.
// https://www.gnu.org/software/make/manual/make.html
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "plan/source_tree.hpp"

namespace whittle::detectors {

// Stands where a value can only be known by running something.
inline constexpr char kUnknown = '\x01';
bool is_known(std::string_view text);

std::vector<std::string> blank_separated(std::string_view text);

class MakeVariables {
 public:
  MakeVariables(const plan::SourceTree& tree, const std::map<std::string, std::string>& definitions);
  // `NAME operator value`; the operator is one of = := ::= ?= += !=.
  void assign(const std::string& name, std::string_view operation, std::string value);
  bool is_set(const std::string& name) const { return values_.contains(name); }
  // With every `$(…)` and `${…}` replaced.
  std::string expand(std::string_view text) const { return expanded(text, 0); }

 private:
  std::string expanded(std::string_view text, int depth) const;
  std::string reference(std::string_view inside, int depth) const;
  std::string function(std::string_view name, std::string_view arguments, int depth) const;

  const plan::SourceTree& tree_;
  std::map<std::string, std::string> definitions_;
  std::map<std::string, std::string> values_;
};

}  // namespace whittle::detectors
