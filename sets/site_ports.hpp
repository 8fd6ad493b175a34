// A port as images expose it.
#pragma once

#include <string>
#include <string_view>

#include "base/text.hpp"

namespace whittle::sets {

struct Port {
  std::uint64_t number = 0;
  std::string protocol = "tcp";

  // Of a text that Site::check has let pass.
  static Port of(std::string_view text) {
    const std::size_t slash = text.find('/');
    Port port{.number = parse_number(text.substr(0, slash)).value_or(0)};
    if (slash != std::string_view::npos) port.protocol = text.substr(slash + 1);
    return port;
  }
  bool is_privileged() const { return number < 1024; }
};

}  // namespace whittle::sets
