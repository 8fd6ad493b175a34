// zstd frames, made and read: the only code that knows libzstd. Equal input gives equal bytes on every machine.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/stream.hpp"

namespace whittle::layers {

// Bytes of input in every frame of a plain layer but the last, and the most of any frame.
inline constexpr std::size_t kFrameSize = 1 << 20;
// The most that a frame of `plain_size` bytes can take.
std::size_t frame_bound(std::size_t plain_size);

// Makes one frame after another. For one thread at a time; about 4 MB at level 3.
class FrameCompressor {
 public:
  explicit FrameCompressor(int level);
  ~FrameCompressor();
  FrameCompressor(FrameCompressor&&) noexcept;
  FrameCompressor& operator=(FrameCompressor&&) noexcept;

  // Writes the frame of `plain` (at most kFrameSize) to the beginning of `room` (at least its bound); its size.
  std::size_t compress(Bytes plain, std::span<std::byte> room);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// One frame made of a text of any length that is never in memory as a whole, only its compressed form is.
class PackedText {
 public:
  explicit PackedText(int level);
  ~PackedText();
  PackedText(PackedText&&) noexcept;

  void append(std::string_view text);
  const std::string& finish();  // the frame
  std::uint64_t plain_size() const;
  Digest plain_digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// What a frame holds, at most `limit` bytes; throws Error naming `what` for one that is broken or holds more.
std::string unpack_frame(std::string_view frame, std::uint64_t limit, std::string_view what);

// libzstd's version and every parameter that decides the bytes.
std::string frame_identity(int level);

}  // namespace whittle::layers
