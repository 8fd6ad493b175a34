#include "gateway/blob_sources.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::gateway {

bool BlobSources::has(const Digest& digest, std::uint64_t size) const {
  return std::any_of(sources_.begin(), sources_.end(), [&](const auto* source) { return source->has(digest, size); });
}

const oci::BlobSource& BlobSources::holder(const oci::Descriptor& blob) const {
  for (const oci::BlobSource* source : sources_) {
    if (source->has(blob.digest, blob.size)) return *source;
  }
  throw Error(Exit::input_unavailable, cat("the blob ", blob.digest.str(), " is nowhere"));
}

std::string BlobSources::read(const oci::Descriptor& blob, std::uint64_t limit) const {
  return holder(blob).read(blob, limit);
}

std::unique_ptr<Source> BlobSources::open(const oci::Descriptor& blob) const {
  return holder(blob).open(blob);
}

bool ForeignBlobs::has(const Digest& digest, std::uint64_t size) const {
  const fs::path file = folder_ / digest.hex();
  std::error_code problem;
  if (fs::file_size(file, problem) != size || problem) return false;
  const auto known = known_.find(digest);
  if (known != known_.end()) return known->second;
  const bool is_sound = digest_of_file(file) == digest;
  known_.emplace(digest, is_sound);
  return is_sound;
}

std::string ForeignBlobs::read(const oci::Descriptor& blob, std::uint64_t limit) const {
  if (blob.size > limit) throw Error(Exit::registry_content, cat("the blob ", blob.digest.str(), " is too large"));
  return read_all(*open(blob), limit, blob.digest.str());
}

std::unique_ptr<Source> ForeignBlobs::open(const oci::Descriptor& blob) const {
  const fs::path file = folder_ / blob.digest.hex();
  return std::make_unique<CheckedSource>(std::make_unique<FileSource>(file), blob, backticked(file.native()));
}

std::size_t CheckedSource::read(std::span<std::byte> room) {
  if (room.empty()) return 0;
  const std::size_t size = from_->read(room);
  hash_.write(room.first(size));
  const bool is_wrong = hash_.size() > size_ || (size == 0 && (hash_.size() != size_ || hash_.digest() != digest_));
  if (is_wrong) {
    throw Error(Exit::input_unavailable, cat("the blob ", digest_.str(), " in ", what_, " is damaged"));
  }
  return size;
}

FilePart::FilePart(const fs::path& file, std::uint64_t offset, std::uint64_t size)
    : name_(file), file_(::open(file.c_str(), O_RDONLY | O_CLOEXEC)), offset_(offset), left_(size) {
  if (!file_) throw system_error(Exit::input_unavailable, cat("cannot open ", backticked(file.native())));
}

std::size_t FilePart::read(std::span<std::byte> room) {
  const std::size_t wanted = std::min<std::uint64_t>(room.size(), left_);
  if (wanted == 0) return 0;
  for (;;) {
    const ssize_t size = ::pread(file_.get(), room.data(), wanted, static_cast<off_t>(offset_));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) throw system_error(Exit::input_unavailable, cat("cannot read ", backticked(name_.native())));
    offset_ += static_cast<std::uint64_t>(size);
    left_ -= static_cast<std::uint64_t>(size);
    return static_cast<std::size_t>(size);
  }
}

}  // namespace whittle::gateway
