// As pigz does it: blocks of 1 MiB are deflated apart, each with the 32 KiB before it as its dictionary and ended at a
// byte, so that one after another they are a single stream of deflate.
#include "layers/gzip_sink.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::layers {

namespace {

constexpr std::size_t kBlock = 1 << 20, kWindow = 32 << 10;
constexpr int kLevel = 6;

// Magic, deflate, no flags, no time, no extra flags, unknown operating system.
constexpr std::array<unsigned char, 10> kHeader = {0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF};
// A last block of deflate that holds nothing: no other block then need know that it is the last.
constexpr std::array<unsigned char, 2> kLastBlock = {0x03, 0x00};

struct Piece {
  Bytes before, block;
};

struct PackedPiece {
  std::string bytes;
  uLong checksum = 0;
  std::size_t size = 0;
};

// zlib's input is not const everywhere, but it only reads it.
const Bytef* input(Bytes bytes) {
  return reinterpret_cast<const Bytef*>(bytes.data());
}

struct Deflate {
  z_stream stream{};
  Deflate() {
    if (::deflateInit2(&stream, kLevel, Z_DEFLATED, -MAX_WBITS, MAX_MEM_LEVEL - 1, Z_DEFAULT_STRATEGY) != Z_OK) {
      throw std::bad_alloc();
    }
  }
  Deflate(const Deflate&) = delete;
  Deflate& operator=(const Deflate&) = delete;
  ~Deflate() { ::deflateEnd(&stream); }
};

PackedPiece pack(const Piece& piece) {
  Deflate deflate;
  z_stream& stream = deflate.stream;
  if (!piece.before.empty()) {
    ::deflateSetDictionary(&stream, input(piece.before), static_cast<uInt>(piece.before.size()));
  }
  PackedPiece packed{.bytes = std::string(::deflateBound(&stream, piece.block.size()) + 64, '\0'),
                     .checksum = ::crc32(0, input(piece.block), static_cast<uInt>(piece.block.size())),
                     .size = piece.block.size()};
  stream.next_in = const_cast<Bytef*>(input(piece.block));  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  stream.avail_in = static_cast<uInt>(piece.block.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.bytes.data());
  stream.avail_out = static_cast<uInt>(packed.bytes.size());
  if (::deflate(&stream, Z_SYNC_FLUSH) != Z_OK || stream.avail_in != 0 || stream.avail_out == 0) {
    throw Error(Exit::bug, "zlib did not take a block");
  }
  packed.bytes.resize(packed.bytes.size() - stream.avail_out);
  return packed;
}

// Of what has not been packed yet: everything in `all` from `known` on.
std::vector<Piece> pieces_of(Bytes all, std::size_t known) {
  std::vector<Piece> pieces;
  for (std::size_t at = known; at < all.size(); at += kBlock) {
    const std::size_t before = std::min(at, kWindow);
    pieces.push_back(
        {.before = all.subspan(at - before, before), .block = all.subspan(at, std::min(kBlock, all.size() - at))});
  }
  return pieces;
}

void write_end(Sink& out, uLong checksum, std::uint64_t size) {
  out.write(std::as_bytes(std::span(kLastBlock)));
  std::array<unsigned char, 8> trailer{};
  for (std::size_t i = 0; i < 4; ++i) {
    trailer[i] = static_cast<unsigned char>(checksum >> 8 * i);
    trailer[4 + i] = static_cast<unsigned char>(size >> 8 * i);
  }
  out.write(std::as_bytes(std::span(trailer)));
}

}  // namespace

struct GzipSink::State {
  State(Sink& the_out, ThreadPool& the_pool)
      : out(the_out), pool(the_pool), batch(std::max<std::size_t>(2 * pool.size(), 2) * kBlock) {
    buffer.reserve(kWindow + batch);
    out.write(std::as_bytes(std::span(kHeader)));
  }

  // Packs what is there and keeps the end of it as the next dictionary.
  void flush() {
    const Bytes all(buffer);
    for (const PackedPiece& piece : parallel_map(pool, pieces_of(all, known), pack)) {
      out.write(bytes_of(piece.bytes));
      checksum = ::crc32_combine(checksum, piece.checksum, static_cast<z_off_t>(piece.size));
      size += piece.size;
    }
    known = std::min(all.size(), kWindow);
    buffer.erase(buffer.begin(), buffer.end() - static_cast<std::ptrdiff_t>(known));
  }

  Sink& out;
  ThreadPool& pool;
  std::size_t batch;
  std::vector<std::byte> buffer;
  std::size_t known = 0;  // bytes at the beginning of `buffer` that have been packed
  uLong checksum = 0;
  std::uint64_t size = 0;
};

GzipSink::GzipSink(Sink& out, ThreadPool& pool) : state_(std::make_unique<State>(out, pool)) {}
GzipSink::~GzipSink() = default;

void GzipSink::write(Bytes bytes) {
  while (!bytes.empty()) {
    const std::size_t room = state_->known + state_->batch - state_->buffer.size();
    const Bytes piece = bytes.first(std::min(room, bytes.size()));
    state_->buffer.insert(state_->buffer.end(), piece.begin(), piece.end());
    if (piece.size() == room) state_->flush();
    bytes = bytes.subspan(piece.size());
  }
}

void GzipSink::finish() {
  state_->flush();
  write_end(state_->out, state_->checksum, state_->size);
}

std::string gzipped(Bytes plain) {
  StringSink out;
  out.write(std::as_bytes(std::span(kHeader)));
  uLong checksum = 0;
  for (const Piece& piece : pieces_of(plain, 0)) {
    const PackedPiece packed = pack(piece);
    out.write(bytes_of(packed.bytes));
    checksum = ::crc32_combine(checksum, packed.checksum, static_cast<z_off_t>(packed.size));
  }
  write_end(out, checksum, plain.size());
  return std::move(out.text);
}

std::string gzip_identity() {
  return cat("gzip zlib ", ::zlibVersion(), " level ", kLevel, " blocks ", kBlock);
}

}  // namespace whittle::layers
