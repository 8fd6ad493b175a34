// The server's own text, shown by doctest and made of what tests have.
#pragma once

#include <ostream>
#include <string>
#include <string_view>

#include "server/text.hpp"

namespace whittle::server {

inline std::ostream& operator<<(std::ostream& out, Text text) {
  return text.empty() ? out : out << std::string_view(text.data(), text.size());
}

}  // namespace whittle::server

namespace whittle::test {

inline server::Text view(std::string_view text) {
  return {text.data(), text.size()};
}

inline std::string string_of(server::Text text) {
  return text.empty() ? std::string() : std::string(text.data(), text.size());
}

}  // namespace whittle::test
