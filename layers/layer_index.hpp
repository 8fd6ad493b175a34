// What a chunked layer has after its tar: table of contents (TOC) and tar-split, each a frame that plain readers
// skip, and the two footers that lead Podman and stargz-snapshotter to them (docs/design/chunked.md).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/tar.hpp"
#include "layers/crc64.hpp"
#include "layers/frame_writer.hpp"
#include "oci/image.hpp"

namespace whittle::layers {

// Podman refuses a longer table of contents.
inline constexpr std::uint64_t kMaximumIndex = 150 << 20;

inline constexpr std::string_view kTocChecksumKey = "io.github.containers.zstd-chunked.manifest-checksum";
inline constexpr std::string_view kTocPositionKey = "io.github.containers.zstd-chunked.manifest-position";
inline constexpr std::string_view kTarSplitPositionKey = "io.github.containers.zstd-chunked.tarsplit-position";
inline constexpr std::string_view kStargzTocKey = "containerd.io/snapshot/stargz/toc.digest";
inline constexpr std::string_view kStargzSizeKey = "io.containers.estargz.uncompressed-size";

inline constexpr std::size_t kPodmanFooter = 72, kStargzFooter = 48;  // with the 8 bytes that make them skippable

// Where TOC and tar-split lie in a blob, as both footers and Podman's annotations say.
struct IndexPosition {
  std::uint64_t toc_offset = 0, toc_packed = 0, toc_size = 0;
  std::uint64_t tar_split_offset = 0, tar_split_packed = 0, tar_split_size = 0;
  bool operator==(const IndexPosition&) const = default;

  std::string toc() const;  // "OFFSET:PACKED:SIZE:1"
  std::string tar_split() const;
  std::string footers() const;  // both, the last 120 bytes of the blob
  // The position in a blob of `blob_size` bytes that ends in `footers`; nothing when they are not exactly that.
  static std::optional<IndexPosition> from_footers(std::string_view footers, std::uint64_t blob_size);
};

// Collects, in the order of the tar, what the TOC and the tar-split say of every entry.
class LayerIndex {
 public:
  LayerIndex();

  // An entry and the bytes that its header has in the tar.
  void add(const TarHeader& header, std::string_view header_bytes);
  // Chunk by chunk the content of the last entry, a file that is not empty.
  void add_chunk(Bytes bytes, bool is_zeros, bool is_whole_file);
  void end_file();
  // Bytes of the tar that belong to no entry: padding, and the end of the archive.
  void add_raw(std::string_view bytes) { raw_ += bytes; }

  // More than Podman would read.
  bool is_too_large() const;

  // Everything from `offset` to the end of the blob, and the annotations for both kinds of readers.
  struct Written {
    std::string bytes;
    oci::Annotations annotations;
  };
  // Nothing when it came out too large.
  std::optional<Written> finish(const std::vector<ChunkFrame>& chunks, std::uint64_t offset, std::uint64_t tar_size);

 private:
  // A place in `entries_` where the chunks of a file belong.
  struct File {
    std::size_t place = 0;
    std::size_t name_size = 0;  // of the name in quotation marks, at the entry's beginning
    std::size_t name_place = 0;
    std::size_t chunks = 0;
    std::optional<Digest> digest;  // of more than one chunk
  };

  void add_toc_entry(const TarHeader& header, std::string_view name);
  void add_segment();
  void add_checksum();
  void write_file(PackedText& toc, const File& file, std::span<const ChunkFrame> chunks, std::size_t first) const;

  PackedText tar_split_;
  std::uint64_t lines_ = 0;
  std::string raw_, name_;
  Crc64 checksum_;
  Hasher hasher_;
  std::uint64_t file_size_ = 0;

  std::string entries_;  // of the TOC, without what is known at the end only
  std::vector<File> files_;
  std::vector<bool> zeros_;  // of each chunk
};

}  // namespace whittle::layers
