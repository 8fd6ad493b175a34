// What a payload says before its streams, and the old bytes that it speaks of. Shared by both sides.
//
//   "wdelta1\n"
//   the size of the head, 4 bytes little-endian, and the head, a zstd frame of varints: what `DeltaHead` has
//   the stream of `differences.hpp`, `coded` bytes: records of four numbers, insert, seek, copy, add, and differences
//   one zstd frame: all that is inserted
//
// The result is sizes, rest, texts and tar of the layer (`layer_parts.hpp`) one after another. A record appends
// `insert` new bytes; then moves in the old bytes by `seek` (zigzag: 0, −1, 1, −2 …), appends `add` of them with
// differences and `copy` of them as they are.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "bundle/layer_parts.hpp"
#include "bundle/scratch_file.hpp"

namespace whittle::bundle {

inline constexpr std::string_view kDeltaMagic = "wdelta1\n";
inline constexpr std::uint64_t kMaximumHead = 8 << 20;  // unpacked
inline constexpr std::size_t kMaximumExtents = 100'000;
inline constexpr int kInsertWindow = 22;

// Bytes of a part of a base.
struct OldExtent {
  std::uint32_t base = 0;
  LayerPart part = LayerPart::tar;
  std::uint64_t offset = 0, size = 0;
  bool operator==(const OldExtent&) const = default;
};

struct DeltaHead {
  std::string compressor;  // as Rebuilt's
  std::array<std::uint64_t, kLayerParts> sizes{};
  std::vector<OldExtent> extents;  // by base, part and offset, without overlaps: the old bytes, one after another
  std::uint64_t coded = 0;
  FrameMap map;

  std::string encode() const;
  // Of hostile text; throws Error(refused).
  static DeltaHead decode(std::string_view text);

  std::uint64_t old_size() const;
};

// Takes bases apart and keeps the extents.
class OldBytes {
 public:
  OldBytes(std::vector<OldExtent> extents, const fs::path& scratch);
  // Once for each base that any extent is of. Throws Error(refused) naming `what` when the base is shorter.
  void add(std::uint32_t base, Source& blob, std::string_view what);
  bool needs(std::uint32_t base) const;

  std::uint64_t size() const { return size_; }
  // Zeros before the beginning (`position` may be negative) and after the end.
  void read(std::int64_t position, std::span<std::byte> room) const;
  ScratchFile& file() { return file_; }

 private:
  std::vector<OldExtent> extents_;
  std::uint64_t size_ = 0;
  ScratchFile file_;
};

}  // namespace whittle::bundle
