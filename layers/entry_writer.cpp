#include "layers/entry_writer.hpp"

#include <array>

#include "base/error.hpp"
#include "layers/chunker.hpp"

namespace whittle::layers {

namespace {

constexpr std::array<std::byte, kTarEnd> kZeros{};

Bytes zeros(std::size_t size) {
  return std::span(kZeros).first(size);
}

}  // namespace

void PlainEntries::begin(const TarHeader& header) {
  frames_.write(bytes_of(tar_header(header)));
}

void PlainEntries::end_file(std::uint64_t size) {
  frames_.write(zeros(tar_padding(size)));
}

void PlainEntries::close() {
  frames_.write(zeros(kTarEnd));
  frames_.close();
}

struct ChunkedEntries::State {
  explicit State(FrameWriter& the_frames) : frames(the_frames) {}

  FrameWriter& frames;
  LayerIndex index;
  Chunker chunker;
  std::uint64_t size = 0, rest = 0;  // of the present file

  // Headers have frames of their own, so that a file's chunks are fetched without them.
  void write_headers(Bytes bytes) {
    frames.write(bytes);
    while (frames.uncut().size() >= kFrameSize) frames.cut(kFrameSize, FrameWriter::Kind::headers);
  }
};

ChunkedEntries::ChunkedEntries(FrameWriter& frames) : state_(std::make_unique<State>(frames)) {}
ChunkedEntries::~ChunkedEntries() = default;

void ChunkedEntries::begin(const TarHeader& header) {
  const std::string bytes = tar_header(header);
  state_->index.add(header, bytes);
  if (state_->index.is_too_large()) throw IndexTooLarge{};
  state_->write_headers(bytes_of(bytes));
  state_->size = state_->rest = header.kind == TarHeader::Kind::file ? header.size : 0;
  if (state_->size == 0) return;
  const std::size_t headers = state_->frames.uncut().size();
  if (headers > 0) state_->frames.cut(headers, FrameWriter::Kind::headers);
  state_->chunker = {};
}

std::span<std::byte> ChunkedEntries::room() {
  return state_->frames.room();
}

void ChunkedEntries::advance(std::size_t size) {
  FrameWriter& frames = state_->frames;
  frames.advance(size);
  state_->rest -= size;
  const bool is_end = state_->rest == 0;
  while (const std::optional<ChunkSpan> chunk = state_->chunker.next(frames.uncut(), is_end)) {
    state_->index.add_chunk(frames.uncut().first(chunk->size), chunk->is_zeros, chunk->size == state_->size);
    frames.cut(chunk->size, FrameWriter::Kind::chunk);
  }
  if (state_->index.is_too_large()) throw IndexTooLarge{};
}

void ChunkedEntries::end_file(std::uint64_t size) {
  if (size == 0) return;
  state_->index.end_file();
  const Bytes padding = zeros(tar_padding(size));
  state_->index.add_raw(text_of(padding));
  state_->write_headers(padding);
}

void ChunkedEntries::close() {
  state_->index.add_raw(text_of(zeros(kTarEnd)));
  state_->write_headers(zeros(kTarEnd));
  state_->frames.close();
}

LayerIndex::Written ChunkedEntries::index(std::uint64_t offset, std::uint64_t tar_size) {
  std::optional<LayerIndex::Written> written = state_->index.finish(state_->frames.chunks(), offset, tar_size);
  if (!written) throw IndexTooLarge{};
  return std::move(*written);
}

}  // namespace whittle::layers
