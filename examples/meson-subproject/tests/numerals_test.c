#include <assert.h>
#include <numerals.h>
#include <string.h>

int main(void) {
  char roman[ROMAN_SIZE];
  assert(to_roman(1984, roman) && strcmp(roman, "MCMLXXXIV") == 0);
  assert(!to_roman(4000, roman));
  return 0;
}
