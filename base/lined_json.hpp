// JSON that was read from another language, with line numbers, so that every value can name its place.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/json.hpp"

namespace whittle {

struct LinedJson {
  Json root = Json::object();
  // JSON pointer ("/build/targets", "/bin/0/name") → line, counted from 1.
  std::map<std::string, int> lines;

  int line(const std::string& pointer) const {
    const auto found = lines.find(pointer);
    return found == lines.end() ? 1 : found->second;
  }
};

// `key` as a part of a JSON pointer.
inline std::string escaped_pointer(std::string_view key) {
  std::string out;
  for (const char c : key) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace whittle
