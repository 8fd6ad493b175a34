// zstd frames, made and read: the only code that knows libzstd. Equal input gives equal bytes on every machine.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/stream.hpp"

namespace whittle {

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

// Takes a stream of zstd frames apart, without a seek and in memory that does not grow with it. For hostile streams.
class FrameReader {
 public:
  // Borrows. With `packed`, the stream's bytes as they are pass through it: never any past what was read, and all of a
  // frame when its end was. A frame that needs a larger window than 2^`window_log` bytes is refused.
  FrameReader(Source& source, std::string what, Sink* packed = nullptr, int window_log = 27);
  ~FrameReader();

  // At the beginning of the next frame, whose former one is read to its end; false at the end of the stream. Throws
  // Error(registry_content) naming `what` for bytes that are no frame.
  bool next();
  // Of a frame that readers pass over, and that holds what its writer liked: its number, 0 to 15.
  std::optional<unsigned> skippable() const;
  // The content of the present frame, decompressed unless it is skippable; 0 at its end.
  std::size_t read(std::span<std::byte> room);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Compresses a stream of any length into one frame; its bytes depend on the content, not on how it was cut into writes.
class FrameSink : public Sink {
 public:
  // Borrows. Readers need 2^`window_log` bytes.
  FrameSink(Sink& out, int level, int window_log);
  ~FrameSink() override;
  void write(Bytes bytes) override;
  void finish() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// "zstd 1.5.4": the library whose bytes all of these are.
std::string compressor_version();

// libzstd's version and every parameter that decides the bytes.
std::string frame_identity(int level);

}  // namespace whittle
