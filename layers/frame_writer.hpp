// Cuts a stream into independent zstd frames and compresses them on a pool. The bytes that come out depend on
// the bytes that went in, the level and libzstd's version: not on the number of threads, on timing, or on how
// the input was cut into writes. Memory is (threads + 2) × about 2 MiB, twice that when the caller cuts.
//
// Frames travel in blocks of about 1 MiB, one job of the pool each, so that a thousand small frames cost what one does.
#pragma once

#include <memory>
#include <vector>

#include "base/parallel.hpp"
#include "base/zstd_frames.hpp"

namespace whittle::layers {

// A frame of content that can be fetched alone.
struct ChunkFrame {
  std::uint64_t offset = 0;  // in what `out` received
  std::uint32_t packed_size = 0, plain_size = 0;
  Digest digest;               // of the plain bytes
  std::uint64_t checksum = 0;  // CRC-64 of the packed ones
};

// Frames that need not be compressed again. They were made by this code with the same parameters, so that nothing of
// the output shows where a frame came from. Called from several threads.
class FrameSource {
 public:
  virtual ~FrameSource() = default;
  // Copies the frame of the chunk `plain` to the beginning of `room`; its size, or 0 when it is not known or not there
  // any more.
  virtual std::size_t copy(const Digest& plain, std::size_t plain_size, std::span<std::byte> room) const = 0;
};

class FrameWriter : public Sink {
 public:
  enum class Cuts { by_size, by_caller };
  enum class Kind { headers, chunk };

  // `plain` receives the uncompressed bytes and `out` the frames, both in order and in any one thread at a time: the
  // caller's has to read, cut and describe, and would otherwise be what all wait for. Both are borrowed, as are the
  // pool and the known frames.
  FrameWriter(Sink& plain, Sink& out, int level, ThreadPool& pool, Cuts cuts = Cuts::by_size,
              const FrameSource* known = nullptr);
  ~FrameWriter() override;  // waits for frames that are being compressed

  void write(Bytes bytes) override;
  // For writing in place: where the next bytes go (never empty), and how many were put there.
  std::span<std::byte> room();
  void advance(std::size_t size);

  // With Cuts::by_caller, who never leaves more than kFrameSize and a little uncut. What no frame has yet:
  Bytes uncut() const;
  // Makes a frame of the first `size` bytes of it.
  void cut(std::size_t size, Kind kind);

  // Hands over what is left; nothing more may come. The frames go on being written.
  void close();
  // Closes, and returns when the last frame has been written to `out`. An error of `out` or the compressor comes out of
  // this or of an earlier call.
  void finish() override;
  // All frames of kind `chunk` in order, after `finish`.
  const std::vector<ChunkFrame>& chunks() const;
  // How many of them were copied; after `finish`.
  std::size_t copied() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace whittle::layers
