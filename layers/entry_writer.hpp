// The entries of a layer in the order of its tar, on their way into frames. Two forms: one cut by size alone, and
// one whose files can be fetched chunk by chunk (docs/design/chunked.md).
#pragma once

#include <memory>

#include "base/tar.hpp"
#include "layers/frame_writer.hpp"
#include "layers/layer_index.hpp"

namespace whittle::layers {

class EntryWriter {
 public:
  virtual ~EntryWriter() = default;

  // After a file's header its content follows through `room` (never empty) and `advance`, `header.size` bytes of it.
  virtual void begin(const TarHeader& header) = 0;
  virtual std::span<std::byte> room() = 0;
  virtual void advance(std::size_t size) = 0;
  // After the content of a file, empty ones too.
  virtual void end_file(std::uint64_t size) = 0;
  // After the last entry. Frames may still be on their way.
  virtual void close() = 0;
};

class PlainEntries : public EntryWriter {
 public:
  explicit PlainEntries(FrameWriter& frames) : frames_(frames) {}  // borrows

  void begin(const TarHeader& header) override;
  std::span<std::byte> room() override { return frames_.room(); }
  void advance(std::size_t size) override { frames_.advance(size); }
  void end_file(std::uint64_t size) override;
  void close() override;

 private:
  FrameWriter& frames_;
};

// The tar cannot be written in this form; what has been written is to be thrown away.
struct IndexTooLarge {};

class ChunkedEntries : public EntryWriter {
 public:
  // Borrows; the frames are cut by the caller. Throws IndexTooLarge where it is.
  explicit ChunkedEntries(FrameWriter& frames);
  ~ChunkedEntries() override;

  void begin(const TarHeader& header) override;
  std::span<std::byte> room() override;
  void advance(std::size_t size) override;
  void end_file(std::uint64_t size) override;
  void close() override;
  // What follows the frames, when all of them have been written.
  LayerIndex::Written index(std::uint64_t offset, std::uint64_t tar_size);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace whittle::layers
