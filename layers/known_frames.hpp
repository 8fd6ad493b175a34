// The frames of earlier layers, found by the digest of what they hold: what did not change is copied, not compressed
// again.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "layers/frame_writer.hpp"
#include "oci/blob_store.hpp"

namespace whittle::layers {

class KnownFrames : public FrameSource {
 public:
  // Frames of a blob of `store`. Whoever made it vouches for them: that they are the bytes that were written is
  // checked, that they hold what they should is not, so a record of them must come from the cache of the writer, never
  // from the blob's own table of contents.
  void add(const oci::BlobStore& store, const Digest& blob, const std::vector<ChunkFrame>& frames);
  std::size_t copy(const Digest& plain, std::size_t plain_size, std::span<std::byte> room) const override;
  bool empty() const { return frames_.empty(); }

 private:
  struct Place {
    std::size_t file;
    ChunkFrame frame;
  };
  std::vector<FileDescriptor> files_;
  std::unordered_map<Digest, Place> frames_;
};

// What the layer cache keeps of a layer: blob and frames. Nothing for a text that is damaged.
struct FrameRecord {
  Digest blob;
  std::uint64_t blob_size = 0;
  std::vector<ChunkFrame> frames;

  std::string encode() const;
  static std::optional<FrameRecord> decode(std::string_view text);
};

}  // namespace whittle::layers
