// Where a file is cut into the chunks that partial pulls fetch and compare: where Podman cuts, so that layers of
// other tools share chunks with ours, and at a maximum. Equal content has equal cuts, however it arrives.
#pragma once

#include <array>
#include <optional>

#include "base/stream.hpp"

namespace whittle::layers {

inline constexpr std::size_t kZerosMinimum = 1024;  // a run this long is a chunk of its own
inline constexpr std::size_t kChunkMaximum = 1 << 20;
// One less: a file of 2^20 zeros that equals the first chunk of another file makes Podman's pull fail.
inline constexpr std::size_t kZerosMaximum = kChunkMaximum - 1;

// Perkeep's rolling checksum over the last 64 bytes; it starts as if 64 zeros came before.
class RollingSum {
 public:
  // Takes bytes up to and including the one after which to cut, else all; returns how many.
  std::size_t roll(Bytes bytes);
  // The last byte taken was one to cut after.
  bool is_cut() const { return (second_ & 0xFFFF) == 0xFFFF; }

 private:
  static constexpr std::uint32_t kWindow = 64, kOffset = 31;

  void remember(Bytes bytes);

  std::array<std::byte, kWindow> window_{};  // oldest first
  std::uint32_t first_ = kWindow * kOffset, second_ = kWindow * (kWindow - 1) * kOffset;
};

struct ChunkSpan {
  std::size_t size = 0;
  bool is_zeros = false;
  bool operator==(const ChunkSpan&) const = default;
};

// One for each file.
class Chunker {
 public:
  // `bytes`: what is there of the file since the last chunk returned; a caller must be able to hold
  // kChunkMaximum + kZerosMinimum. Nothing when more is needed to tell, and at the end (`is_end`).
  std::optional<ChunkSpan> next(Bytes bytes, bool is_end);

 private:
  std::optional<ChunkSpan> next_zeros(Bytes bytes, bool is_end);
  ChunkSpan cut(std::size_t size, bool is_zeros);

  RollingSum sum_;
  std::size_t examined_ = 0;  // bytes of the present chunk that need no second look
  bool in_zeros_ = false;
};

}  // namespace whittle::layers
