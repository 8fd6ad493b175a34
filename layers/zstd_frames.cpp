#include "layers/zstd_frames.hpp"

#define ZSTD_STATIC_LINKING_ONLY  // for ZSTD_c_useRowMatchFinder
#include <zstd.h>

#include <array>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::layers {

namespace {

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
using Context = std::unique_ptr<ZSTD_CCtx, FreeContext>;

std::size_t checked(std::size_t result) {
  if (ZSTD_isError(result) == 0) return result;
  throw Error(Exit::bug, "cannot compress a layer").cause(ZSTD_getErrorName(result));
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

std::string frame_identity(int level) {
  return cat("zstd ", ZSTD_versionString(), " level ", level, " frames ", kFrameSize, " rows");
}

}  // namespace whittle::layers
