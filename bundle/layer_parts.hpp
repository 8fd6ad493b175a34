// A layer's blob as the streams that it was made of, and made of them again to the byte. Two builds of a layer differ
// little in these streams and altogether in the blob.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/stream.hpp"

namespace whittle::bundle {

enum class LayerPart : std::uint8_t {
  sizes,  // of what each frame holds, as varints
  rest,   // bytes of the blob that are kept as they are
  texts,  // tables of contents, unpacked, with relative offsets
  tar,
};
inline constexpr std::size_t kLayerParts = 4;
using LayerPartSinks = std::array<Sink*, kLayerParts>;  // by part; borrowed

// Any layer: zstd, gzip, or a plain tar. Streams; memory is what the blob's own window takes, at most 2^`window_log`
// bytes. Throws Error(registry_content) naming `what` when it is broken.
void take_apart(Source& blob, const LayerPartSinks& parts, std::string_view what, int window_log = 23);

// How the parts go together, in the order of the blob.
struct LayerPiece {
  enum class Kind : std::uint8_t {
    frames,  // `count` frames: as many bytes of the tar as their sizes say, compressed with the map's level
    odd,    // a frame that this compressor does not make: `count` bytes of the rest; its size of the tar is passed over
    rest,   // `count` bytes of the rest
    text,   // skippable frame `number` around a frame of `level` that holds `count` bytes of the texts, made absolute
    plain,  // `count` bytes of the tar
  };
  Kind kind = Kind::frames;
  std::uint64_t count = 0;
  unsigned number = 0;
  int level = 0;
  bool operator==(const LayerPiece&) const = default;
};

struct FrameMap {
  int level = 0;  // of the frames; 0 when there are none
  std::vector<LayerPiece> pieces;

  bool packs() const;  // something is compressed: it takes the same compressor
  std::string encode() const;
  // Hostile text; throws Error(refused) naming `what`.
  static FrameMap decode(std::string_view text, std::string_view what);
};

// The level that `io.whittle.compression` names, if it does.
std::optional<int> level_in(std::string_view compression);

// Takes a blob apart and finds out how it can be made again: whether this compressor at `level`, or at any when none is
// given, makes the same frames. Nothing for blobs of which that is not so by and large (gzip, long frames). Memory is a
// few frames and what a table of contents takes. Throws as `take_apart`.
std::optional<FrameMap> map_frames(Source& blob, std::optional<int> level, const LayerPartSinks& parts,
                                   std::string_view what);

// Takes the tar and writes the blob. Memory: a frame, the compressor's (4 MB at level 3, 20 MB at 19), and what a
// table of contents takes compressed. Throws Error(refused) when map and parts do not go together.
class BlobPacker : public Sink {
 public:
  // Everything is borrowed.
  BlobPacker(const FrameMap& map, Source& sizes, Source& rest, Source& texts, Sink& out);
  ~BlobPacker() override;
  void write(Bytes tar) override;
  void finish() override;  // not of `out`

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace whittle::bundle
