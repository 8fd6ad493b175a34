// Numbers in as few bytes as they need, seven bits each, the lowest first (protocol buffers' "base 128 varints").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace whittle::bundle {

inline void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

// Bytes that arrive one after another.
class VarintReader {
 public:
  // The number that ends with this byte.
  std::optional<std::uint64_t> take(unsigned byte) {
    if (shift_ < 64) value_ |= std::uint64_t{byte & 0x7F} << shift_;
    shift_ += 7;
    if ((byte & 0x80) != 0) return std::nullopt;
    const std::uint64_t value = value_;
    *this = {};
    return value;
  }

 private:
  std::uint64_t value_ = 0;
  unsigned shift_ = 0;
};

// The number at the beginning of `text`, which it is taken off; nothing when it ends before.
inline std::optional<std::uint64_t> take_varint(std::string_view& text) {
  VarintReader reader;
  for (std::size_t i = 0; i < text.size() && i < 10; ++i) {
    if (const std::optional<std::uint64_t> value = reader.take(static_cast<unsigned char>(text[i]))) {
      text.remove_prefix(i + 1);
      return value;
    }
  }
  return std::nullopt;
}

}  // namespace whittle::bundle
