// The two encodings that a tar-split needs: CRC-64/ISO (a checksum of each file) and base64.
#pragma once

#include <string>

#include "base/stream.hpp"

namespace whittle::layers {

// CRC-64 with the polynomial of ISO 3309, reflected, all ones before and after.
class Crc64 {
 public:
  void update(Bytes bytes);
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0;
};

std::uint64_t crc64_of(Bytes bytes);

void append_base64(std::string& out, Bytes bytes);
std::string base64_of(Bytes bytes);

}  // namespace whittle::layers
