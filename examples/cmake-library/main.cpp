// roman WORD…: each number as a Roman numeral, each Roman numeral as a number.
#include <charconv>
#include <cstdio>
#include <string>
#include <string_view>

#include "numerals/numerals.hpp"

namespace {

std::optional<std::string> translated(std::string_view word) {
  int number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error == std::errc() && end == word.data() + word.size()) return numerals::to_roman(number);
  if (const std::optional<int> value = numerals::from_roman(word)) return std::to_string(*value);
  return std::nullopt;
}

}  // namespace

int main(int count, char** words) {
  if (count < 2) {
    std::fputs("usage: roman WORD...\n", stderr);
    return 2;
  }
  int failures = 0;
  for (int i = 1; i < count; ++i) {
    if (const std::optional<std::string> answer = translated(words[i])) {
      std::printf("%s = %s\n", words[i], answer->c_str());
    } else {
      std::fprintf(stderr, "roman: %s is neither a number from 1 to 3999 nor a Roman numeral\n", words[i]);
      ++failures;
    }
  }
  return failures == 0 ? 0 : 1;
}
