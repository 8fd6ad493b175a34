// checksums WORD…: the CRC-32 and the Adler-32 of each argument.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "checksum.h"

int main(int count, char** words) {
  if (count < 2) {
    fprintf(stderr, "usage: checksums WORD...\n");
    return 2;
  }
  for (int i = 1; i < count; ++i) {
    const size_t size = strlen(words[i]);
    printf("%08" PRIx32 "  %08" PRIx32 "  %s\n", crc32(words[i], size), adler32(words[i], size), words[i]);
  }
  return 0;
}
