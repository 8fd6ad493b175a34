#include "oci/blob_store.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <optional>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::oci {

namespace {

Error damaged(const Digest& digest, const fs::path& root, std::string how) {
  Error error(Exit::input_unavailable,
              cat("the blob ", digest.str(), " in ", backticked(root.native()), " is damaged"));
  error.cause(std::move(how));
  error.hint("build or pull the image again: `whittle build` and `whittle pull` replace a damaged blob");
  return error;
}

Error absent(const Digest& digest, const fs::path& root) {
  Error error(Exit::input_unavailable, cat("the blob ", digest.str(), " is not in ", backticked(root.native())));
  error.hint("build or pull the image again");
  return error;
}

// Nothing when there is no such blob.
std::optional<struct stat> status_of(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) {
    if (S_ISREG(status.st_mode)) return status;
    return std::nullopt;
  }
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  throw system_error(Exit::usage, cat("cannot read ", backticked(path.native())));
}

long seal_of(const Digest& digest) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < 8; ++i) bits = bits << 8 | std::to_integer<std::uint64_t>(digest.sha256[i]);
  return static_cast<long>(bits % 1'000'000'000);
}

bool is_sealed(const struct stat& status, const Digest& digest) {
  return status.st_mtim.tv_nsec == seal_of(digest);
}

// Failing is harmless: an unsealed blob is hashed every time it is asked for.
std::array<timespec, 2> sealing(time_t seconds, const Digest& digest) {
  return {timespec{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, timespec{.tv_sec = seconds, .tv_nsec = seal_of(digest)}};
}

void unseal(const fs::path& path) {
  ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0);
}

// Hands on what it reads, and at the end throws unless it was what the descriptor says.
class VerifyingSource : public Source {
 public:
  VerifyingSource(const fs::path& path, const fs::path& root, const Descriptor& blob)
      : file_(path), path_(path), root_(root), digest_(blob.digest), size_(blob.size) {}

  std::size_t read(std::span<std::byte> room) override {
    if (room.empty()) return 0;
    const std::size_t size = file_.read(room);
    hash_.write(room.first(size));
    if (hash_.size() > size_ || (size == 0 && hash_.size() < size_)) refuse();
    if (size == 0 && hash_.digest() != digest_) refuse();
    return size;
  }

 private:
  [[noreturn]] void refuse() {
    unseal(path_);
    if (hash_.size() > size_) throw damaged(digest_, root_, cat("it is longer than ", size_, " bytes"));
    if (hash_.size() < size_) throw damaged(digest_, root_, cat("it has ", hash_.size(), " of ", size_, " bytes"));
    throw damaged(digest_, root_, cat("its content has the digest ", hash_.digest().str()));
  }

  FileSource file_;
  fs::path path_, root_;
  Digest digest_;
  std::uint64_t size_;
  HashSink hash_;
};

}  // namespace

fs::path BlobStore::folder() const {
  return root_ / "blobs" / "sha256";
}

fs::path BlobStore::path(const Digest& digest) const {
  return folder() / digest.hex();
}

bool BlobStore::has(const Digest& digest) const {
  const fs::path file = path(digest);
  const std::optional<struct stat> status = status_of(file);
  if (!status) return false;
  if (is_sealed(*status, digest)) return true;
  HashSink hash;
  FileSource source(file);
  copy(source, hash);
  if (hash.digest() != digest) return false;
  ::utimensat(AT_FDCWD, file.c_str(), sealing(status->st_mtim.tv_sec, digest).data(), 0);
  return true;
}

bool BlobStore::has(const Digest& digest, std::uint64_t size) const {
  const std::optional<struct stat> status = status_of(path(digest));
  return status && static_cast<std::uint64_t>(status->st_size) == size && has(digest);
}

std::uint64_t BlobStore::size(const Digest& digest) const {
  const std::optional<struct stat> status = status_of(path(digest));
  if (!status) throw absent(digest, root_);
  return static_cast<std::uint64_t>(status->st_size);
}

std::string BlobStore::read(const Descriptor& blob, std::uint64_t limit) const {
  if (blob.size > limit) {
    throw Error(Exit::registry_content, cat("the blob ", blob.digest.str(), " is larger than ", human_size(limit)));
  }
  return read_all(*open(blob), limit, blob.digest.str());
}

std::unique_ptr<Source> BlobStore::open(const Descriptor& blob) const {
  if (!status_of(path(blob.digest))) throw absent(blob.digest, root_);
  return std::make_unique<VerifyingSource>(path(blob.digest), root_, blob);
}

Descriptor BlobStore::put(std::string_view content, std::string_view media_type) {
  Descriptor blob{.media_type = std::string(media_type), .digest = digest_of(content), .size = content.size()};
  if (has(blob.digest, blob.size)) return blob;
  Writer writer(*this);
  writer.write(bytes_of(content));
  writer.commit(blob);
  return blob;
}

void BlobStore::adopt(const fs::path& file, int descriptor, const Digest& digest) {
  ::futimens(descriptor, sealing(std::time(nullptr), digest).data());
  put_in_place(descriptor, file, path(digest), 0444);
}

void BlobStore::remove(const Digest& digest) {
  std::error_code problem;
  fs::remove(path(digest), problem);
  if (problem) {
    throw system_error(Exit::export_failed, cat("cannot remove ", backticked(path(digest).native())), problem.value());
  }
}

// Below the root and not below `blobs/`: every file there is a blob, also for other tools.
BlobStore::Writer::Writer(BlobStore& store) : store_(store), file_((make_folders(store.folder()), store.root())) {}

void BlobStore::Writer::write(Bytes bytes) {
  file_.write(bytes);
  hash_.write(bytes);
}

Descriptor BlobStore::Writer::commit(std::string_view media_type) {
  const Digest digest = hash_.digest();
  place(digest);
  return {.media_type = std::string(media_type), .digest = digest, .size = hash_.size()};
}

void BlobStore::Writer::commit(const Descriptor& expected) {
  const Digest digest = hash_.digest();
  if (digest != expected.digest || hash_.size() != expected.size) {
    Error error(Exit::registry_content, cat("the blob ", expected.digest.str(), " is not what was promised"));
    error.detail(cat("promised: ", expected.size, " bytes, ", expected.digest.str()));
    error.detail(cat("received: ", hash_.size(), " bytes, ", digest.str()));
    throw error.note("nothing of it was kept");
  }
  place(digest);
}

void BlobStore::Writer::place(const Digest& digest) {
  if (store_.has(digest, hash_.size())) return;
  ::futimens(file_.descriptor(), sealing(std::time(nullptr), digest).data());
  file_.commit(store_.path(digest), 0444);
}

}  // namespace whittle::oci
