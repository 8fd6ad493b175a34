#include "bundle/layer_parts.hpp"

#include <algorithm>

#include "base/archive.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "base/zstd_frames.hpp"
#include "bundle/relative_offsets.hpp"
#include "bundle/varint.hpp"

namespace whittle::bundle {

namespace {

constexpr std::string_view kFrameMagic = "\x28\xB5\x2F\xFD";
constexpr std::size_t kBuffer = 64 << 10;
constexpr int kLowestLevel = 1, kHighestLevel = 22;
constexpr std::uint64_t kMaximumPieces = 1 << 20;

// Longer tables of contents are carried as they are.
constexpr std::uint64_t kMaximumText = 256 << 20;

Error does_not_fit(std::string cause) {
  return Error(Exit::refused, "the parts of a layer do not go together").cause(std::move(cause));
}

// What was read ahead, then the rest.
class Rejoined : public Source {
 public:
  Rejoined(std::string ahead, Source& rest) : ahead_(std::move(ahead)), rest_(rest) {}
  std::size_t read(std::span<std::byte> room) override {
    if (done_ == ahead_.size()) return rest_.read(room);
    const Bytes left = bytes_of(ahead_).subspan(done_);
    const std::size_t size = std::min(room.size(), left.size());
    std::copy_n(left.begin(), size, room.begin());
    done_ += size;
    return size;
  }

 private:
  std::string ahead_;
  std::size_t done_ = 0;
  Source& rest_;
};

std::string read_ahead(Source& source, std::size_t wanted) {
  std::array<std::byte, 16> room;
  std::string ahead;
  while (ahead.size() < wanted) {
    const std::size_t size = source.read(std::span(room).first(wanted - ahead.size()));
    if (size == 0) break;
    ahead += text_of(std::span(room).first(size));
  }
  return ahead;
}

bool begins_frames(std::string_view ahead) {
  return ahead == kFrameMagic ||
         (ahead.size() == 4 && (ahead[0] & 0xF0) == 0x50 && ahead.substr(1) == std::string_view("\x2A\x4D\x18"));
}

std::string skippable_header(unsigned number, std::uint64_t size) {
  std::string bytes{static_cast<char>(0x50 | number), 0x2A, 0x4D, 0x18};
  for (int i = 0; i < 4; ++i) bytes += static_cast<char>(size >> 8 * i & 0xFF);
  return bytes;
}

// The content of a reader's present frame.
class FrameContent : public Source {
 public:
  explicit FrameContent(FrameReader& reader) : reader_(reader) {}
  std::size_t read(std::span<std::byte> room) override { return reader_.read(room); }

 private:
  FrameReader& reader_;
};

Sink& part(const LayerPartSinks& parts, LayerPart which) {
  return *parts[static_cast<std::size_t>(which)];
}

void write_size(const LayerPartSinks& parts, std::uint64_t size) {
  std::string bytes;
  append_varint(bytes, size);
  part(parts, LayerPart::sizes).write(bytes_of(bytes));
}

// A skippable frame that holds a frame is a text; its size is told at its beginning.
void take_skippable_apart(FrameReader& reader, const LayerPartSinks& parts, const StringSink& header,
                          std::string_view what, int window_log) {
  FrameContent content(reader);
  std::string ahead = read_ahead(content, kFrameMagic.size());
  const bool is_text = ahead == kFrameMagic;
  Rejoined whole(std::move(ahead), content);
  if (!is_text) {
    part(parts, LayerPart::rest).write(bytes_of(header.text));
    copy(whole, part(parts, LayerPart::rest));
    return;
  }
  FrameReader inner(whole, std::string(what), nullptr, window_log);
  OffsetsFilter relative(part(parts, LayerPart::texts), OffsetsFilter::To::relative);
  while (inner.next()) {
    FrameContent text(inner);
    copy(text, relative);
  }
  relative.finish();
}

// Passes on, and keeps what there was since `clear`.
class HeldSink : public Sink {
 public:
  void write(Bytes bytes) override { text += text_of(bytes); }
  std::string text;
};

// Finds the level at which all frames come out as they are.
class LevelFinder {
 public:
  explicit LevelFinder(std::optional<int> level) {
    if (level) {
      candidates_ = {*level};
    } else {
      for (int i = kLowestLevel; i <= 19; ++i) candidates_.push_back(i);
      std::rotate(candidates_.begin(), candidates_.begin() + 2, candidates_.begin() + 3);  // 3 first
    }
  }

  // Whether the frame comes out; the levels at which it does not are given up.
  bool makes(Bytes plain, std::string_view packed) {
    room_.resize(frame_bound(kFrameSize));
    std::vector<int> left;
    for (const int candidate : candidates_) {
      if (!compressor_ || candidate != level_) {
        compressor_.emplace(candidate);
        level_ = candidate;
      }
      const std::size_t size = compressor_->compress(plain, room_);
      if (text_of(std::span(room_).first(size)) == packed) left.push_back(candidate);
    }
    if (left.empty()) {
      // Not by this library at all, it seems.
      if (!is_found_ && ++failures_ > 3) candidates_.resize(1);
      return false;
    }
    candidates_ = std::move(left);
    is_found_ = true;
    return true;
  }
  int level() const { return is_found_ ? candidates_.front() : 0; }

 private:
  std::vector<int> candidates_;
  std::vector<std::byte> room_;
  std::optional<FrameCompressor> compressor_;
  int level_ = 0, failures_ = 0;
  bool is_found_ = false;
};

std::string packed_text(std::string_view text, int level) {
  PackedText packed(level);
  packed.append(text);
  return packed.finish();
}

}  // namespace

void take_apart(Source& blob, const LayerPartSinks& parts, std::string_view what, int window_log) {
  std::string ahead = read_ahead(blob, kFrameMagic.size());
  const bool has_frames = begins_frames(ahead);
  Rejoined whole(std::move(ahead), blob);
  if (!has_frames) {
    decompress(whole, part(parts, LayerPart::tar), what);
    return;
  }
  // Only the header of a skippable frame is wanted of what passes.
  struct Beginning : StringSink {
    void write(Bytes bytes) override {
      if (text.size() < 8) StringSink::write(bytes.first(std::min(bytes.size(), 8 - text.size())));
    }
  } header;
  FrameReader reader(whole, std::string(what), &header, window_log);
  std::vector<std::byte> buffer(kBuffer);
  while (reader.next()) {
    if (reader.skippable()) {
      take_skippable_apart(reader, parts, header, what, window_log);
    } else {
      std::uint64_t size = 0;
      while (const std::size_t now = reader.read(buffer)) {
        part(parts, LayerPart::tar).write(std::span(buffer).first(now));
        size += now;
      }
      write_size(parts, size);
    }
    header.text.clear();
  }
}

bool FrameMap::packs() const {
  return std::any_of(pieces.begin(), pieces.end(), [](const LayerPiece& piece) {
    return piece.kind == LayerPiece::Kind::frames || piece.kind == LayerPiece::Kind::text;
  });
}

std::string FrameMap::encode() const {
  std::string text;
  append_varint(text, static_cast<std::uint64_t>(level));
  append_varint(text, pieces.size());
  for (const LayerPiece& piece : pieces) {
    text += static_cast<char>(piece.kind);
    append_varint(text, piece.count);
    if (piece.kind != LayerPiece::Kind::text) continue;
    text += static_cast<char>(piece.number);
    text += static_cast<char>(piece.level);
  }
  return text;
}

FrameMap FrameMap::decode(std::string_view text, std::string_view what) {
  const auto broken = [&] { return Error(Exit::refused, cat(what, " has a frame map that makes no sense")); };
  const auto number = [&] {
    const std::optional<std::uint64_t> value = take_varint(text);
    if (!value) throw broken();
    return *value;
  };
  const auto byte = [&] {
    if (text.empty()) throw broken();
    const auto value = static_cast<unsigned char>(text.front());
    text.remove_prefix(1);
    return value;
  };
  const auto is_level = [](std::uint64_t value) { return value >= kLowestLevel && value <= kHighestLevel; };
  FrameMap map;
  const std::uint64_t level = number();
  const std::uint64_t count = number();
  if ((level != 0 && !is_level(level)) || count > kMaximumPieces || count > text.size()) throw broken();
  map.level = static_cast<int>(level);
  for (std::uint64_t i = 0; i < count; ++i) {
    const unsigned kind = byte();
    if (kind > static_cast<unsigned>(LayerPiece::Kind::plain)) throw broken();
    LayerPiece piece{.kind = static_cast<LayerPiece::Kind>(kind), .count = number()};
    if (piece.kind == LayerPiece::Kind::frames && level == 0) throw broken();
    if (piece.kind == LayerPiece::Kind::text) {
      piece.number = byte();
      piece.level = byte();
      if (piece.number > 15 || !is_level(static_cast<std::uint64_t>(piece.level))) throw broken();
    }
    map.pieces.push_back(piece);
  }
  if (!text.empty()) throw broken();
  return map;
}

std::optional<int> level_in(std::string_view compression) {
  constexpr std::string_view kWord = " level ";
  const std::size_t at = compression.find(kWord);
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view rest = compression.substr(at + kWord.size());
  rest = rest.substr(0, rest.find(' '));
  const std::optional<std::uint64_t> level = parse_number(rest);
  if (!level || *level < kLowestLevel || *level > kHighestLevel) return std::nullopt;
  return static_cast<int>(*level);
}

std::optional<FrameMap> map_frames(Source& blob, std::optional<int> level, const LayerPartSinks& parts,
                                   std::string_view what) {
  using Kind = LayerPiece::Kind;
  FrameMap map;
  const auto add = [&](Kind kind, std::uint64_t count) {
    const bool goes_on =
        !map.pieces.empty() && map.pieces.back().kind == kind && (kind == Kind::frames || kind == Kind::rest);
    if (goes_on) {
      map.pieces.back().count += count;
    } else {
      map.pieces.push_back({.kind = kind, .count = count});
    }
  };
  Sink& rest = part(parts, LayerPart::rest);

  std::string ahead = read_ahead(blob, kFrameMagic.size());
  const bool has_frames = begins_frames(ahead), is_gzip = ahead.starts_with("\x1F\x8B");
  Rejoined whole(std::move(ahead), blob);
  if (is_gzip) return std::nullopt;
  if (!has_frames) {
    add(Kind::plain, copy(whole, part(parts, LayerPart::tar)));
    return map;
  }

  HeldSink packed;
  FrameReader reader(whole, std::string(what), &packed);
  LevelFinder finder(level);
  std::vector<std::byte> plain;
  std::uint64_t total = 0, odd = 0;
  while (reader.next()) {
    plain.clear();
    std::size_t now = 0;
    do {
      const std::size_t before = plain.size();
      plain.resize(before + kBuffer);
      now = reader.read(std::span(plain).subspan(before));
      plain.resize(before + now);
      if (!reader.skippable() && plain.size() > kFrameSize) return std::nullopt;
      if (plain.size() > kMaximumText) return std::nullopt;
    } while (now > 0);
    if (!reader.skippable()) {
      part(parts, LayerPart::tar).write(plain);
      write_size(parts, plain.size());
      total += packed.text.size();
      if (finder.makes(plain, packed.text)) {
        add(Kind::frames, 1);
      } else {
        add(Kind::odd, packed.text.size());
        rest.write(bytes_of(packed.text));
        odd += packed.text.size();
        if (odd > (8 << 20) && odd > total / 2) return std::nullopt;
      }
    } else {
      const unsigned number = *reader.skippable();
      std::optional<int> text_level;
      std::string text;
      if (text_of(plain).starts_with(kFrameMagic)) {
        text = unpack_frame(text_of(plain), kMaximumText, what);
        for (const int candidate : {3, 7, level.value_or(finder.level())}) {
          if (candidate == 0 || packed_text(text, candidate) != text_of(plain)) continue;
          text_level = candidate;
          break;
        }
      }
      if (text_level) {
        StringSink relative;
        OffsetsFilter filter(relative, OffsetsFilter::To::relative);
        filter.write(bytes_of(text));
        filter.finish();
        part(parts, LayerPart::texts).write(bytes_of(relative.text));
        map.pieces.push_back(
            {.kind = Kind::text, .count = relative.text.size(), .number = number, .level = *text_level});
      } else {
        add(Kind::rest, packed.text.size());
        rest.write(bytes_of(packed.text));
      }
    }
    packed.text.clear();
  }
  map.level = finder.level();
  if (odd > total / 2) return std::nullopt;
  return map;
}

struct BlobPacker::State {
  State(const FrameMap& the_map, Source& the_sizes, Source& the_rest, Source& the_texts, Sink& the_out)
      : map(the_map), sizes(the_sizes), rest(the_rest), texts(the_texts), out(the_out) {}

  std::uint64_t next_size() {
    VarintReader reader;
    for (int i = 0; i < 10; ++i) {
      if (sizes_begin == sizes_end) {
        sizes_begin = 0;
        sizes_end = sizes.read(sizes_buffer);
        if (sizes_end == 0) throw does_not_fit("there are more frames than sizes");
      }
      if (const auto value = reader.take(std::to_integer<unsigned>(sizes_buffer[sizes_begin++]))) return *value;
    }
    throw does_not_fit("a size of a frame makes no sense");
  }

  void pass_on(Source& from, std::uint64_t count, Sink& to) {
    std::vector<std::byte> buffer(std::min<std::uint64_t>(count, kBuffer));
    while (count > 0) {
      const std::size_t size = from.read(std::span(buffer).first(std::min<std::uint64_t>(count, buffer.size())));
      if (size == 0) throw does_not_fit("a part ends too early");
      to.write(std::span(buffer).first(size));
      count -= size;
    }
  }

  struct TextSink : Sink {
    explicit TextSink(int level) : packed(level) {}
    void write(Bytes bytes) override { packed.append(text_of(bytes)); }
    PackedText packed;
  };
  void write_text(const LayerPiece& piece) {
    TextSink text(piece.level);
    OffsetsFilter absolute(text, OffsetsFilter::To::absolute);
    pass_on(texts, piece.count, absolute);
    absolute.finish();
    const std::string& frame = text.packed.finish();
    out.write(bytes_of(skippable_header(piece.number, frame.size())));
    out.write(bytes_of(frame));
  }

  // Writes whatever needs nothing of the tar.
  void advance() {
    using Kind = LayerPiece::Kind;
    while (wanted == 0 && at < map.pieces.size()) {
      const LayerPiece& piece = map.pieces[at];
      if (piece.kind == Kind::frames) {
        if (done == piece.count) {
          next_piece();
          continue;
        }
        wanted = next_size();
        if (wanted > kFrameSize) throw does_not_fit("a frame would be too long");
        if (wanted == 0) end_wanted();
      } else if (piece.kind == Kind::odd) {
        pass_on(rest, piece.count, out);
        wanted = next_size();
        if (wanted == 0) next_piece();
      } else if (piece.kind == Kind::plain) {
        wanted = piece.count;
        if (wanted == 0) next_piece();
      } else {
        if (piece.kind == Kind::rest) {
          pass_on(rest, piece.count, out);
        } else {
          write_text(piece);
        }
        next_piece();
      }
    }
  }
  void next_piece() {
    ++at;
    done = 0;
  }

  // The tar's part of the present piece, or of the present frame, is here.
  void end_wanted() {
    if (map.pieces[at].kind != LayerPiece::Kind::frames) {
      next_piece();
      return;
    }
    if (!compressor) {
      compressor.emplace(map.level);
      packed.resize(frame_bound(kFrameSize));
    }
    const std::size_t size = compressor->compress(plain, packed);
    out.write(std::span(packed).first(size));
    plain.clear();
    ++done;
  }

  void write(Bytes tar) {
    while (!tar.empty()) {
      advance();
      if (wanted == 0) throw does_not_fit("the tar is too long");
      const Bytes now = tar.first(std::min<std::uint64_t>(tar.size(), wanted));
      const LayerPiece::Kind kind = map.pieces[at].kind;
      if (kind == LayerPiece::Kind::plain) out.write(now);
      if (kind == LayerPiece::Kind::frames) {
        if (plain.capacity() < wanted) plain.reserve(kFrameSize);
        plain.insert(plain.end(), now.begin(), now.end());
      }
      wanted -= now.size();
      if (wanted == 0) end_wanted();
      tar = tar.subspan(now.size());
    }
  }

  const FrameMap& map;
  Source& sizes;
  Source& rest;
  Source& texts;
  Sink& out;
  std::size_t at = 0;        // piece
  std::uint64_t done = 0;    // frames of it
  std::uint64_t wanted = 0;  // bytes of the tar
  std::vector<std::byte> plain, packed;
  std::optional<FrameCompressor> compressor;
  std::array<std::byte, 4096> sizes_buffer;
  std::size_t sizes_begin = 0, sizes_end = 0;
};

BlobPacker::BlobPacker(const FrameMap& map, Source& sizes, Source& rest, Source& texts, Sink& out)
    : state_(std::make_unique<State>(map, sizes, rest, texts, out)) {}
BlobPacker::~BlobPacker() = default;

void BlobPacker::write(Bytes tar) {
  state_->write(tar);
}

void BlobPacker::finish() {
  state_->advance();
  if (state_->wanted > 0) throw does_not_fit("the tar ends too early");
}

}  // namespace whittle::bundle
