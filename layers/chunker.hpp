// Where a file is cut into the chunks that partial pulls fetch and compare: by content, between a minimum and a
// maximum, runs of zeros apart. Equal content has equal cuts, however it arrives.
#pragma once

#include <cstdint>
#include <optional>

#include "base/stream.hpp"

namespace whittle::layers {

inline constexpr std::size_t kZerosMinimum = 1024;  // a run this long is a chunk of its own
inline constexpr std::size_t kChunkMinimum = 512 << 10;
inline constexpr std::size_t kChunkMaximum = 1 << 20;
// One less: a file of 2^20 zeros that equals the first chunk of another file makes Podman's pull fail.
inline constexpr std::size_t kZerosMaximum = kChunkMaximum - 1;

// Perkeep's rolling checksum over a window of 64 bytes, which Podman cuts by too, only oftener.
class RollingSum {
 public:
  static constexpr std::uint32_t kWindow = 64;

  // Takes bytes[from, to), of which kWindow lie before `from`, up to and including the one after which to cut, else
  // all; returns where it stopped. It goes on from there only.
  std::size_t roll(Bytes bytes, std::size_t from, std::size_t to);
  // As after the window that ends at `end`.
  void start(Bytes bytes, std::size_t end);
  // The last byte taken was one to cut after.
  bool is_cut() const { return (second_ & kMask) == kMask; }

 private:
  static constexpr std::uint32_t kOffset = 31, kMask = 0x3FFFF;

  std::uint32_t first_ = 0, second_ = 0;
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
  void find_data(Bytes bytes, bool is_end);
  ChunkSpan cut(std::size_t size, bool is_zeros);

  RollingSum sum_;
  std::size_t rolled_ = 0;     // bytes of the present chunk that the sum has taken, or the zeros known
  std::size_t data_end_ = 0;   // bytes since the last chunk that are data, whatever follows
  bool before_zeros_ = false;  // a run of zeros begins at `data_end_`
  bool in_zeros_ = false;
};

}  // namespace whittle::layers
