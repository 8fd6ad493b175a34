// CRC-64 with the polynomial of ISO 3309, reflected, all ones before and after: a tar-split has one of each file, and
// the layer cache one of each frame.
#pragma once

#include <cstdint>

#include "base/stream.hpp"

namespace whittle::layers {

class Crc64 {
 public:
  void update(Bytes bytes);
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0;
};

std::uint64_t crc64_of(Bytes bytes);

}  // namespace whittle::layers
