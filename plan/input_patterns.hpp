// Which files of the source tree a step reads: `Step::inputs`.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace whittle::plan {

// Globs over paths relative to the source tree. One that begins with `!` takes back what those before it have given;
// the last that matches decides.
bool is_input(std::string_view path, std::span<const std::string> patterns);

}  // namespace whittle::plan
