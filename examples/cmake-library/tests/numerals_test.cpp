#include "numerals/numerals.hpp"

#include <cstdio>

int main() {
  for (int number = 1; number <= 3999; ++number) {
    const std::optional<std::string> numeral = numerals::to_roman(number);
    if (!numeral || numerals::from_roman(*numeral) != number) {
      std::printf("%d does not survive the round trip\n", number);
      return 1;
    }
  }
  for (const char* improper : {"", "IIII", "IC", "VX", "iv", "MMMM"}) {
    if (numerals::from_roman(improper)) {
      std::printf("`%s` was accepted\n", improper);
      return 1;
    }
  }
  return 0;
}
