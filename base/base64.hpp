// Base64 (RFC 4648 4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/stream.hpp"

namespace whittle {

void append_base64(std::string& out, Bytes bytes);
std::string base64_of(Bytes bytes);
// With or without padding; nothing on other characters.
std::optional<std::string> base64_decoded(std::string_view text);

}  // namespace whittle
