#include "numerals/numerals.hpp"

namespace numerals {
namespace {

struct Symbol {
  int value;
  std::string_view letters;
};

constexpr Symbol kSymbols[] = {{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"},
                               {40, "XL"},  {10, "X"},   {9, "IX"},  {5, "V"},    {4, "IV"},  {1, "I"}};

}  // namespace

std::optional<std::string> to_roman(int number) {
  if (number < 1 || number > 3999) return std::nullopt;
  std::string numeral;
  for (const Symbol& symbol : kSymbols) {
    for (; number >= symbol.value; number -= symbol.value) numeral += symbol.letters;
  }
  return numeral;
}

std::optional<int> from_roman(std::string_view numeral) {
  int number = 0;
  std::string_view rest = numeral;
  for (const Symbol& symbol : kSymbols) {
    for (; rest.substr(0, symbol.letters.size()) == symbol.letters; rest.remove_prefix(symbol.letters.size())) {
      number += symbol.value;
    }
  }
  const bool is_proper = rest.empty() && to_roman(number) == numeral;
  return is_proper ? std::optional(number) : std::nullopt;
}

}  // namespace numerals
