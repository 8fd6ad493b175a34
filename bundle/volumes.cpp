#include "bundle/volumes.hpp"

#include <algorithm>
#include <filesystem>
#include <limits>

#include "base/error.hpp"
#include "base/tar.hpp"
#include "base/text.hpp"

namespace whittle::bundle {

namespace {

constexpr std::uint64_t kBlock = 512;
constexpr std::uint64_t kMostVolumes = 10'000;
constexpr std::uint64_t kLeastPart = 64 << 10;  // less of a volume's end is not worth an entry

std::string header_of(const std::string& path, std::uint64_t size) {
  return tar_header({.path = path, .size = size, .mode = 0644, .link = {}, .attributes = {}});
}

class Placing {
 public:
  Placing(std::uint64_t head, std::uint64_t volume_size)
      : head_(head),
        limit_(volume_size == 0 ? std::numeric_limits<std::uint64_t>::max() : volume_size - kTarEnd),
        offset_(head) {}

  std::vector<Extent> add(const BlobSize& blob) {
    const std::string header = header_of(cat("blobs/sha256/", blob.digest.hex()), blob.size);
    const std::uint64_t entry = header.size() + blob.size + tar_padding(blob.size);
    if (entry > room() && entry <= limit_ - head_) begin_volume();
    if (entry <= room()) return {extent(header, blob.size)};
    return parts_of(blob);
  }

  std::vector<std::uint64_t> finish() {
    volume_sizes_.push_back(offset_ + kTarEnd);
    return std::move(volume_sizes_);
  }

 private:
  std::uint64_t room() const { return limit_ - offset_; }

  std::vector<Extent> parts_of(const BlobSize& blob) {
    std::vector<Extent> parts;
    for (std::uint64_t rest = blob.size; rest > 0;) {
      if (room() < kBlock + std::min(rest, kLeastPart) + kBlock) begin_volume();
      const std::uint64_t most = (room() - kBlock) / kBlock * kBlock;
      const std::uint64_t size = std::min(rest, most);
      parts.push_back(extent(header_of(cat("parts/", blob.digest.hex(), ".", parts.size() + 1), size), size));
      rest -= size;
    }
    return parts;
  }

  Extent extent(std::string header, std::uint64_t size) {
    Extent placed{.volume = volume_sizes_.size(), .offset = offset_ + header.size(), .size = size, .header = {}};
    placed.header = std::move(header);
    offset_ = placed.offset + size + tar_padding(size);
    return placed;
  }

  void begin_volume() {
    volume_sizes_.push_back(offset_ + kTarEnd);
    offset_ = head_;
  }

  std::uint64_t head_, limit_, offset_;
  std::vector<std::uint64_t> volume_sizes_;
};

}  // namespace

Placement place(const Root& root, std::uint64_t head) {
  const std::uint64_t least = head + kTarEnd + kLeastPart + 2 * kBlock;
  if (root.volume_size != 0 && root.volume_size < least) {
    throw Error(Exit::usage, cat("volumes of ", human_size(root.volume_size), " are too small for this set"))
        .detail(cat("its root document and a piece of a blob take ", human_size(least)));
  }
  std::uint64_t total = 0;
  for (const BlobSize& blob : root.blobs) total += blob.size;
  if (root.volume_size != 0 && total / (root.volume_size - head) > kMostVolumes / 2) {
    throw Error(Exit::usage, cat("volumes of ", human_size(root.volume_size), " would be too many"))
        .detail(cat("the blobs of this set take ", human_size(total), ", and ", kMostVolumes, " volumes are the most"));
  }
  Placing placing(head, root.volume_size);
  Placement placement;
  for (const BlobSize& blob : root.blobs) placement.blobs.push_back(placing.add(blob));
  placement.volume_sizes = placing.finish();
  return placement;
}

std::string volume_name(const std::string& name, std::size_t volume, std::size_t of) {
  if (of == 1) return name;
  const std::filesystem::path path(name);
  return cat(path.stem().native(), ".v", volume + 1, path.extension().native());
}

}  // namespace whittle::bundle
