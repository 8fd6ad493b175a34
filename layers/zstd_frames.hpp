// Cuts a stream into independent zstd frames and compresses them on a pool. The bytes that come out depend on
// the bytes that went in, the level and libzstd's version: not on the number of threads, on timing, or on how
// the input was cut into writes. Memory is (threads + 2) × about 2 MiB.
#pragma once

#include <memory>
#include <string>

#include "base/parallel.hpp"
#include "base/stream.hpp"

namespace whittle::layers {

// Bytes of input in every frame but the last.
inline constexpr std::size_t kFrameSize = 1 << 20;

class FrameWriter : public Sink {
 public:
  // `plain` receives the uncompressed bytes in order, in the caller's thread; `out` the frames in order, in any
  // one thread at a time. Both are borrowed, as is the pool.
  FrameWriter(Sink& plain, Sink& out, int level, ThreadPool& pool);
  ~FrameWriter() override;  // waits for frames that are being compressed

  void write(Bytes bytes) override;
  // For writing in place: where the next bytes go (never empty), and how many were put there.
  std::span<std::byte> room();
  void advance(std::size_t size);
  // Returns when the last frame has been written to `out`. An error of `out` or the compressor comes out of
  // this or of an earlier call.
  void finish() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// libzstd's version and every parameter that decides the bytes.
std::string frame_identity(int level);

}  // namespace whittle::layers
