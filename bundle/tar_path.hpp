// Paths as they stand in tars of others.
#pragma once

#include <string>
#include <string_view>

namespace whittle::bundle {

// "./a//b/../c/" and "/a/c" are both "a/c"; nothing leads above the root.
std::string clean_path(std::string_view path);

}  // namespace whittle::bundle
