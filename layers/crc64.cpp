#include "layers/crc64.hpp"

#include <isa-l/crc64.h>

namespace whittle::layers {

void Crc64::update(Bytes bytes) {
  value_ = ::crc64_iso_refl(value_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
}

std::uint64_t crc64_of(Bytes bytes) {
  Crc64 checksum;
  checksum.update(bytes);
  return checksum.value();
}

}  // namespace whittle::layers
