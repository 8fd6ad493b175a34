#include "base/zstd_frames.hpp"

#define ZSTD_STATIC_LINKING_ONLY  // for ZSTD_c_useRowMatchFinder
#include <zstd.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle {

namespace {

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
using Context = std::unique_ptr<ZSTD_CCtx, FreeContext>;

std::size_t checked(std::size_t result) {
  if (ZSTD_isError(result) == 0) return result;
  throw Error(Exit::bug, "cannot compress").cause(ZSTD_getErrorName(result));
}

// Every parameter whose default could depend on the machine or change with a setting of the build.
// The row match finder is otherwise chosen by what the processor can do (zstd issue 4099).
Context make_context(int level) {
  Context context(ZSTD_createCCtx());
  if (!context) throw std::bad_alloc();
  const auto set = [&](ZSTD_cParameter parameter, int value) {
    checked(ZSTD_CCtx_setParameter(context.get(), parameter, value));
  };
  set(ZSTD_c_compressionLevel, level);
  set(ZSTD_c_contentSizeFlag, 1);
  set(ZSTD_c_checksumFlag, 0);
  set(ZSTD_c_dictIDFlag, 0);
  set(ZSTD_c_nbWorkers, 0);
  set(ZSTD_c_enableLongDistanceMatching, ZSTD_ps_disable);
  set(ZSTD_c_useRowMatchFinder, ZSTD_ps_enable);
  return context;
}

}  // namespace

std::size_t frame_bound(std::size_t plain_size) {
  return ZSTD_COMPRESSBOUND(plain_size);
}

struct FrameCompressor::State {
  Context context;
};

FrameCompressor::FrameCompressor(int level) : state_(std::make_unique<State>(State{make_context(level)})) {}
FrameCompressor::~FrameCompressor() = default;
FrameCompressor::FrameCompressor(FrameCompressor&&) noexcept = default;
FrameCompressor& FrameCompressor::operator=(FrameCompressor&&) noexcept = default;

std::size_t FrameCompressor::compress(Bytes plain, std::span<std::byte> room) {
  return checked(ZSTD_compress2(state_->context.get(), room.data(), room.size(), plain.data(), plain.size()));
}

struct PackedText::State {
  explicit State(int level) : context(make_context(level)) {
    // Tables as large as such texts need, not as one of unknown length might.
    for (const ZSTD_cParameter parameter : {ZSTD_c_windowLog, ZSTD_c_hashLog, ZSTD_c_chainLog}) {
      checked(ZSTD_CCtx_setParameter(context.get(), parameter, kTablesLog));
    }
  }

  static constexpr int kTablesLog = 18;
  // libzstd promises equal bytes for equal calls, so it is given pieces of one size, however the text arrives.
  static constexpr std::size_t kPiece = 128 << 10;

  void pack(ZSTD_EndDirective directive) {
    hash.write(bytes_of(piece));
    ZSTD_inBuffer in{piece.data(), piece.size(), 0};
    for (std::size_t rest = 1; rest != 0;) {
      std::array<char, 16 << 10> buffer;
      ZSTD_outBuffer out{buffer.data(), buffer.size(), 0};
      rest = checked(ZSTD_compressStream2(context.get(), &out, &in, directive));
      packed.append(buffer.data(), out.pos);
      if (directive == ZSTD_e_continue) rest = in.size - in.pos;
    }
    piece.clear();
  }

  Context context;
  HashSink hash;
  std::string piece, packed;
};

PackedText::PackedText(int level) : state_(std::make_unique<State>(level)) {}
PackedText::~PackedText() = default;
PackedText::PackedText(PackedText&&) noexcept = default;

void PackedText::append(std::string_view text) {
  while (!text.empty()) {
    const std::size_t size = std::min(State::kPiece - state_->piece.size(), text.size());
    state_->piece += text.substr(0, size);
    text.remove_prefix(size);
    if (state_->piece.size() == State::kPiece) state_->pack(ZSTD_e_continue);
  }
}

const std::string& PackedText::finish() {
  state_->pack(ZSTD_e_end);
  return state_->packed;
}

std::uint64_t PackedText::plain_size() const {
  return state_->hash.size() + state_->piece.size();
}

Digest PackedText::plain_digest() const {
  return state_->hash.digest();
}

std::string unpack_frame(std::string_view frame, std::uint64_t limit, std::string_view what) {
  const auto broken = [&](std::string cause) {
    return Error(Exit::registry_content, cat(what, " is broken")).cause(std::move(cause));
  };
  const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  if (!context) throw std::bad_alloc();
  std::string text;
  ZSTD_inBuffer in{frame.data(), frame.size(), 0};
  for (std::size_t rest = 1; rest != 0;) {
    std::array<char, 64 << 10> buffer;
    ZSTD_outBuffer out{buffer.data(), buffer.size(), 0};
    rest = ZSTD_decompressStream(context.get(), &out, &in);
    if (ZSTD_isError(rest) != 0) throw broken(ZSTD_getErrorName(rest));
    if (rest != 0 && out.pos == 0 && in.pos == in.size) throw broken("it ends in the middle of a frame");
    if (text.size() + out.pos > limit) throw broken(cat("it holds more than ", limit, " bytes"));
    text.append(buffer.data(), out.pos);
  }
  if (in.pos != in.size) throw broken("something follows its frame");
  return text;
}

struct FrameReader::State {
  State(Source& the_source, std::string the_what, Sink* the_packed, int window_log)
      : source(the_source),
        what(std::move(the_what)),
        packed(the_packed),
        context(ZSTD_createDCtx(), ZSTD_freeDCtx),
        buffer(ZSTD_DStreamInSize()) {
    if (!context) throw std::bad_alloc();
    checked(ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, window_log));
  }

  Error broken(std::string cause) const {
    return Error(Exit::registry_content, cat(what, " is broken")).cause(std::move(cause));
  }

  // Whether there is a byte to take.
  bool fill() {
    if (begin == end) {
      begin = 0;
      end = source.read(buffer);
    }
    return begin != end;
  }
  void take(std::size_t size) {
    if (packed != nullptr) packed->write(std::span(buffer).subspan(begin, size));
    begin += size;
  }
  std::uint32_t word() {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) {
      if (!fill()) throw broken("it ends in the middle of a frame");
      value |= std::to_integer<std::uint32_t>(buffer[begin]) << 8 * i;
      take(1);
    }
    return value;
  }

  bool next() {
    std::array<std::byte, 4 << 10> rest;
    while (read(rest) > 0) {
    }
    if (!fill()) return false;
    const std::uint32_t magic = word();
    number.reset();
    if ((magic & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START) {
      number = magic & ~ZSTD_MAGIC_SKIPPABLE_MASK;
      left = word();
      return true;
    }
    if (magic != ZSTD_MAGICNUMBER) throw broken("bytes that begin no frame");
    checked(ZSTD_DCtx_reset(context.get(), ZSTD_reset_session_only));
    constexpr std::array<unsigned char, 4> kMagic = {0x28, 0xB5, 0x2F, 0xFD};
    decompress(std::as_bytes(std::span(kMagic)), {});
    is_open = true;
    return true;
  }

  // How much came out; what went in is taken off `in`.
  std::size_t decompress(Bytes in, std::span<std::byte> room) {
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    ZSTD_outBuffer to{room.data(), room.size(), 0};
    const std::size_t result = ZSTD_decompressStream(context.get(), &to, &from);
    if (ZSTD_isError(result) != 0) throw broken(ZSTD_getErrorName(result));
    went_in = from.pos;
    is_open = result != 0;
    return to.pos;
  }

  std::size_t read(std::span<std::byte> room) {
    if (number) {
      if (left == 0) return 0;
      if (!fill()) throw broken("it ends in the middle of a frame");
      const std::size_t size = std::min({std::size_t{left}, room.size(), end - begin});
      std::copy_n(buffer.begin() + static_cast<std::ptrdiff_t>(begin), size, room.begin());
      take(size);
      left -= static_cast<std::uint32_t>(size);
      return size;
    }
    while (is_open) {
      const bool has_more = fill();
      const std::size_t size = decompress(std::span(buffer).subspan(begin, end - begin), room);
      take(went_in);
      if (size > 0) return size;
      if (is_open && !has_more) throw broken("it ends in the middle of a frame");
    }
    return 0;
  }

  Source& source;
  const std::string what;
  Sink* const packed;
  const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context;
  std::vector<std::byte> buffer;
  std::size_t begin = 0, end = 0, went_in = 0;
  std::optional<unsigned> number;
  std::uint32_t left = 0;  // of a skippable frame
  bool is_open = false;
};

FrameReader::FrameReader(Source& source, std::string what, Sink* packed, int window_log)
    : state_(std::make_unique<State>(source, std::move(what), packed, window_log)) {}
FrameReader::~FrameReader() = default;
bool FrameReader::next() {
  return state_->next();
}
std::optional<unsigned> FrameReader::skippable() const {
  return state_->number;
}
std::size_t FrameReader::read(std::span<std::byte> room) {
  return state_->read(room);
}

struct FrameSink::State {
  State(Sink& the_out, int level, int window_log) : out(the_out), context(make_context(level)) {
    checked(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, window_log));
  }

  static constexpr std::size_t kPiece = 128 << 10;  // as PackedText's, for the same reason

  void pack(ZSTD_EndDirective directive) {
    ZSTD_inBuffer in{piece.data(), piece.size(), 0};
    for (std::size_t rest = 1; rest != 0;) {
      std::array<std::byte, 16 << 10> buffer;
      ZSTD_outBuffer to{buffer.data(), buffer.size(), 0};
      rest = checked(ZSTD_compressStream2(context.get(), &to, &in, directive));
      if (to.pos > 0) out.write(std::span(buffer).first(to.pos));
      if (directive == ZSTD_e_continue) rest = in.size - in.pos;
    }
    piece.clear();
  }

  Sink& out;
  Context context;
  std::vector<std::byte> piece;
};

FrameSink::FrameSink(Sink& out, int level, int window_log) : state_(std::make_unique<State>(out, level, window_log)) {}
FrameSink::~FrameSink() = default;

void FrameSink::write(Bytes bytes) {
  while (!bytes.empty()) {
    const Bytes now = bytes.first(std::min(State::kPiece - state_->piece.size(), bytes.size()));
    state_->piece.insert(state_->piece.end(), now.begin(), now.end());
    if (state_->piece.size() == State::kPiece) state_->pack(ZSTD_e_continue);
    bytes = bytes.subspan(now.size());
  }
}

void FrameSink::finish() {
  state_->pack(ZSTD_e_end);
}

std::string compressor_version() {
  return cat("zstd ", ZSTD_versionString());
}

std::string frame_identity(int level) {
  return cat(compressor_version(), " level ", level, " frames ", kFrameSize, " rows");
}

}  // namespace whittle
