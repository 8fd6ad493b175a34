#ifndef CHECKSUM_H
#define CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

uint32_t adler32(const void* data, size_t size);  // RFC 1950
uint32_t crc32(const void* data, size_t size);    // RFC 1952

#endif
