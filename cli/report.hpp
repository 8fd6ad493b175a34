// Draws an Error for a person or as JSON.
#pragma once

#include <string>

#include "base/error.hpp"
#include "base/json.hpp"

namespace whittle::cli {

std::string render(const Error& error, bool color);
Json to_json(const Error& error);

}  // namespace whittle::cli
