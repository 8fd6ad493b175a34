// Base64 (RFC 4648 4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace whittle::registry {

std::string base64_encoded(std::string_view text);
// With or without padding; nothing on other characters.
std::optional<std::string> base64_decoded(std::string_view text);

}  // namespace whittle::registry
