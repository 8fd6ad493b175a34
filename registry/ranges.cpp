#include "registry/ranges.hpp"

#include "base/text.hpp"

namespace whittle::registry {

bool is_the_rest(const std::string& content_range, std::uint64_t start, std::uint64_t total) {
  std::string_view text = trim(content_range);
  if (!lower(text).starts_with("bytes ")) return false;
  text.remove_prefix(std::string_view("bytes ").size());
  const std::size_t dash = text.find('-'), slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || slash < dash) return false;
  const auto first = parse_number(text.substr(0, dash));
  const auto last = parse_number(text.substr(dash + 1, slash - dash - 1));
  const std::string_view whole = text.substr(slash + 1);
  return first == start && last && *last >= start && *last < total && (whole == "*" || parse_number(whole) == total);
}

std::optional<std::uint64_t> received_length(const std::string& range) {
  std::string_view text = trim(range);
  for (const std::string_view unit : {"bytes=", "bytes "}) {
    if (text.starts_with(unit)) text.remove_prefix(unit.size());
  }
  if (!text.starts_with("0-")) return std::nullopt;
  const auto last = parse_number(text.substr(2));
  if (!last || *last == ~std::uint64_t{0}) return std::nullopt;
  return *last == 0 ? 0 : *last + 1;
}

}  // namespace whittle::registry
