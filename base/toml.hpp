// TOML as JSON with line numbers, so that every value read from a manifest can name its place.
#pragma once

#include <string_view>

#include "base/lined_json.hpp"

namespace whittle {

using TomlDocument = LinedJson;

// `what` names the file in the error, which gives line and column. Dates become strings.
TomlDocument parse_toml(std::string_view text, std::string_view what, int exit_code = 2);

}  // namespace whittle
