#include <numerals.h>
#include <stdio.h>
#include <stdlib.h>

int main(int count, char** words) {
  for (int i = 1; i < count; ++i) {
    char roman[ROMAN_SIZE];
    if (!to_roman(atoi(words[i]), roman)) {
      fprintf(stderr, "%s is not between 1 and 3999\n", words[i]);
      return 1;
    }
    printf("%s = %s\n", words[i], roman);
  }
  return 0;
}
