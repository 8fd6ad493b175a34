#pragma once

#include <stdbool.h>

enum { ROMAN_SIZE = 16 };

/* Writes `number` in roman numerals; false when there are none for it. */
bool to_roman(int number, char roman[ROMAN_SIZE]);
