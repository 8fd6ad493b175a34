#include "checksum.h"

uint32_t adler32(const void* data, size_t size) {
  const uint32_t modulus = 65521;  // the largest prime below 65536
  const unsigned char* bytes = data;
  uint32_t low = 1;
  uint32_t high = 0;
  for (size_t i = 0; i < size; ++i) {
    low = (low + bytes[i]) % modulus;
    high = (high + low) % modulus;
  }
  return high << 16 | low;
}
