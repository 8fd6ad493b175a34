#include "layers/tar_split_text.hpp"

#include <isa-l/crc64.h>

#include <algorithm>

namespace whittle::layers {

namespace {

constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

void Crc64::update(Bytes bytes) {
  value_ = ::crc64_iso_refl(value_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
}

std::uint64_t crc64_of(Bytes bytes) {
  Crc64 checksum;
  checksum.update(bytes);
  return checksum.value();
}

void append_base64(std::string& out, Bytes bytes) {
  const auto byte_at = [&](std::size_t at) {
    return at < bytes.size() ? std::to_integer<std::uint32_t>(bytes[at]) : std::uint32_t{0};
  };
  std::size_t written = out.size();
  out.resize(out.size() + (bytes.size() + 2) / 3 * 4, '=');
  for (std::size_t at = 0; at < bytes.size(); at += 3, written += 4) {
    const std::uint32_t group = byte_at(at) << 16 | byte_at(at + 1) << 8 | byte_at(at + 2);
    const std::size_t digits = std::min<std::size_t>(bytes.size() - at, 3) + 1;
    for (std::size_t i = 0; i < digits; ++i) out[written + i] = kDigits[(group >> (18 - 6 * i)) & 63];
  }
}

std::string base64_of(Bytes bytes) {
  std::string out;
  append_base64(out, bytes);
  return out;
}

}  // namespace whittle::layers
