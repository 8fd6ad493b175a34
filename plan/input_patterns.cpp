#include "plan/input_patterns.hpp"

#include "base/text.hpp"

namespace whittle::plan {

bool is_input(std::string_view path, std::span<const std::string> patterns) {
  for (auto pattern = patterns.rbegin(); pattern != patterns.rend(); ++pattern) {
    const bool takes_back = pattern->starts_with('!');
    const std::string_view glob = std::string_view(*pattern).substr(takes_back ? 1 : 0);
    if (glob == "**" || matches_glob(glob, path)) return !takes_back;
  }
  return false;
}

}  // namespace whittle::plan
