#include "checksum.h"

uint32_t crc32(const void* data, size_t size) {
  const uint32_t polynomial = 0xedb88320;  // bits reversed, as in zip, PNG and Ethernet
  const unsigned char* bytes = data;
  uint32_t remainder = UINT32_MAX;
  for (size_t i = 0; i < size; ++i) {
    remainder ^= bytes[i];
    for (int bit = 0; bit < 8; ++bit) {
      remainder = remainder >> 1 ^ (remainder & 1 ? polynomial : 0);
    }
  }
  return ~remainder;
}
