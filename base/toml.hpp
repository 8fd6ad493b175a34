// TOML as JSON with line numbers, so that every value read from a manifest can name its place.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/json.hpp"

namespace whittle {

struct TomlDocument {
  Json root = Json::object();
  // JSON pointer ("/build/targets", "/bin/0/name") → line, counted from 1.
  std::map<std::string, int> lines;

  int line(const std::string& pointer) const {
    const auto found = lines.find(pointer);
    return found == lines.end() ? 1 : found->second;
  }
};

// `what` names the file in the error, which gives line and column. Dates become strings.
TomlDocument parse_toml(std::string_view text, std::string_view what, int exit_code = 2);

}  // namespace whittle
