#include "numerals.h"

#include <string.h>

static const struct {
  int value;
  const char* text;
} kSteps[] = {{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"},
              {40, "XL"},  {10, "X"},   {9, "IX"},  {5, "V"},    {4, "IV"},  {1, "I"}};

bool to_roman(int number, char roman[ROMAN_SIZE]) {
  if (number < 1 || number > 3999) return false;
  roman[0] = '\0';
  for (unsigned i = 0; i < sizeof kSteps / sizeof kSteps[0]; ++i) {
    for (; number >= kSteps[i].value; number -= kSteps[i].value) strcat(roman, kSteps[i].text);
  }
  return true;
}
