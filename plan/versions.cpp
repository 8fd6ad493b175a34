#include "plan/versions.hpp"

#include <algorithm>
#include <vector>

#include "base/text.hpp"

namespace whittle::plan {

namespace {

// "go1.26.8", "12.2.0", "v3.1": the number at the front of a word; empty without one.
std::string number_of(std::string_view word) {
  for (const std::string_view prefix : {"go", "v"}) {
    if (word.starts_with(prefix)) word.remove_prefix(prefix.size());
  }
  std::string number(word.substr(0, std::min(word.find_first_not_of("0123456789."), word.size())));
  while (number.ends_with('.')) number.pop_back();
  return number.starts_with('.') ? "" : number;
}

std::vector<std::uint64_t> numbers_or_zero(std::string_view version) {
  std::vector<std::uint64_t> numbers = numbers_of(version);
  return numbers.empty() ? std::vector<std::uint64_t>{0} : numbers;
}

// Missing parts are zero; with `prefix`, parts that the constraint leaves out do not matter.
int compare(std::string_view version, std::string_view bound, bool prefix) {
  std::vector<std::uint64_t> left = numbers_or_zero(version), right = numbers_or_zero(bound);
  const std::size_t size = prefix ? right.size() : std::max(left.size(), right.size());
  left.resize(size);
  right.resize(size);
  return left < right ? -1 : left == right ? 0 : 1;
}

std::string version_after(std::span<const std::uint64_t> numbers) {
  std::vector<std::uint64_t> next(numbers.begin(), numbers.end());
  ++next.back();
  return version_of(next);
}

bool satisfies_one(std::string_view version, std::string_view constraint) {
  constraint = trim(constraint);
  if (constraint.empty()) return true;
  const std::size_t digits = std::min(constraint.find_first_not_of("<>=^~ "), constraint.size());
  const std::string_view sign = trim(constraint.substr(0, digits)), bound = constraint.substr(digits);
  if (sign == ">=") return compare(version, bound, false) >= 0;
  if (sign == "<=") return compare(version, bound, true) <= 0;
  if (sign == ">") return compare(version, bound, false) > 0;
  if (sign == "<") return compare(version, bound, false) < 0;
  return compare(version, bound, true) == 0;
}

}  // namespace

std::vector<std::uint64_t> numbers_of(std::string_view version) {
  const std::string number = number_of(version);
  std::vector<std::uint64_t> numbers;
  if (number.empty()) return numbers;
  for (const std::string& part : split(number, '.')) numbers.push_back(parse_number(part).value_or(0));
  return numbers;
}

std::string version_of(std::span<const std::uint64_t> numbers) {
  std::string version;
  for (const std::uint64_t number : numbers) version += cat(version.empty() ? "" : ".", number);
  return version;
}

// Up to the first number that is not zero.
std::string caret_end(std::span<const std::uint64_t> numbers) {
  std::size_t part = 0;
  while (part + 1 < numbers.size() && numbers[part] == 0) ++part;
  return version_after(numbers.first(part + 1));
}

std::string tilde_end(std::span<const std::uint64_t> numbers) {
  return version_after(numbers.first(std::min<std::size_t>(2, numbers.size())));
}

// What stands in parentheses is the distribution's own numbering.
std::string version_in(std::string_view line) {
  std::string text;
  int depth = 0;
  for (const char c : line) {
    depth += c == '(' ? 1 : 0;
    if (depth == 0) text += c;
    depth -= c == ')' && depth > 0 ? 1 : 0;
  }
  for (const std::string& word : split(text, ' ')) {
    if (std::string number = number_of(word); !number.empty()) return number;
  }
  return {};
}

bool satisfies(std::string_view version, std::string_view constraint) {
  if (const std::size_t bar = constraint.find("||"); bar != std::string_view::npos) {
    return satisfies(version, constraint.substr(0, bar)) || satisfies(version, constraint.substr(bar + 2));
  }
  const std::vector<std::string> parts = split(constraint, ',');
  return std::all_of(parts.begin(), parts.end(), [&](const std::string& part) { return satisfies_one(version, part); });
}

bool satisfies_pin(std::string_view version, std::string_view pin) {
  if (pin.empty() || pin.starts_with('>')) return satisfies(version, pin);
  return satisfies(version, std::string("=").append(pin));
}

}  // namespace whittle::plan
