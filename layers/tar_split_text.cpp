#include "layers/tar_split_text.hpp"

#include <algorithm>
#include <array>

namespace whittle::layers {

namespace {

constexpr std::uint64_t kPolynomial = 0xD800000000000000;
constexpr std::size_t kSlices = 8;
using Tables = std::array<std::array<std::uint64_t, 256>, kSlices>;

// Table n is the effect of a byte that n more bytes follow, so that eight bytes are taken at once.
constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint64_t byte = 0; byte < 256; ++byte) {
    std::uint64_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? kPolynomial : 0);
    tables[0][byte] = value;
  }
  for (std::size_t slice = 1; slice < kSlices; ++slice) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint64_t before = tables[slice - 1][byte];
      tables[slice][byte] = (before >> 8) ^ tables[0][before & 0xFF];
    }
  }
  return tables;
}
constexpr Tables kTables = make_tables();

constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

void Crc64::update(Bytes bytes) {
  std::uint64_t state = state_;
  std::size_t at = 0;
  for (; at + kSlices <= bytes.size(); at += kSlices) {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < kSlices; ++i) word |= std::to_integer<std::uint64_t>(bytes[at + i]) << (8 * i);
    word ^= state;
    state = 0;
    for (std::size_t i = 0; i < kSlices; ++i) state ^= kTables[kSlices - 1 - i][(word >> (8 * i)) & 0xFF];
  }
  for (; at < bytes.size(); ++at) {
    state = (state >> 8) ^ kTables[0][(state ^ std::to_integer<std::uint64_t>(bytes[at])) & 0xFF];
  }
  state_ = state;
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
