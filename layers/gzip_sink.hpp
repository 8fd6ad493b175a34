// Packs a stream into one gzip member (RFC 1952) on a pool. The bytes depend on what goes in and on zlib's version
// alone: not on the number of threads, nor on how the input was cut into writes. No name, no time, operating system 255
// (unknown).
#pragma once

#include <memory>
#include <string>

#include "base/parallel.hpp"
#include "base/stream.hpp"

namespace whittle::layers {

class GzipSink : public Sink {
 public:
  // Borrows both; memory is about 4 MiB a thread of the pool.
  GzipSink(Sink& out, ThreadPool& pool);
  ~GzipSink() override;

  void write(Bytes bytes) override;
  void finish() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The same bytes for a text that is in memory, made on the calling thread alone.
std::string gzipped(Bytes plain);

// zlib's version and every parameter that decides the bytes.
std::string gzip_identity();

}  // namespace whittle::layers
