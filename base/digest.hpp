// SHA-256 digests. whittle writes and accepts no other algorithm; the type says so.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/stream.hpp"

namespace whittle {

struct Digest {
  std::array<std::byte, 32> sha256{};

  // "sha256:" and 64 lower-case hexadecimal digits, nothing else (image-spec, descriptor.md).
  static std::optional<Digest> parse(std::string_view text);
  std::string str() const;  // with the "sha256:" prefix
  std::string hex() const;  // without
  auto operator<=>(const Digest&) const = default;
};

// An incremental hash. The state is a plain value: copying a Hasher forks the computation, which is
// how a layer's hash can go on from a remembered point.
class Hasher {
 public:
  Hasher();
  void update(Bytes bytes);
  void update(std::string_view text) { update(bytes_of(text)); }
  Digest digest() const;  // of everything so far; updating may go on afterwards

 private:
  alignas(8) std::array<std::byte, 112> state_;
};

Digest digest_of(Bytes bytes);
Digest digest_of(std::string_view text);
// Of what the file holds.
Digest digest_of_file(const std::filesystem::path& path);

// Hashes and counts what passes.
class HashSink : public Sink {
 public:
  void write(Bytes bytes) override {
    hasher_.update(bytes);
    size_ += bytes.size();
  }
  Digest digest() const { return hasher_.digest(); }
  std::uint64_t size() const { return size_; }

 private:
  Hasher hasher_;
  std::uint64_t size_ = 0;
};

}  // namespace whittle

template <>
struct std::hash<whittle::Digest> {
  std::size_t operator()(const whittle::Digest& digest) const noexcept {
    std::size_t value = 0;
    for (std::size_t i = 0; i < sizeof value; ++i) {
      value = value << 8 | std::to_integer<std::size_t>(digest.sha256[i]);
    }
    return value;
  }
};
