#include "oci/partial_blob.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::oci {

namespace {

constexpr std::string_view kPrefix = ".partial-";
constexpr int kMostAtOnce = 64;
constexpr std::time_t kLongestLife = 7 * 24 * 3600;
constexpr std::uint64_t kMostFiles = 64, kMostBytes = 16'000'000'000;

struct Leftover {
  fs::path path;
  std::time_t touched = 0;
  std::uint64_t size = 0;
};

Error cannot_write(const fs::path& path) {
  return system_error(Exit::export_failed, cat("cannot write ", backticked(path.native())));
}

std::vector<Leftover> leftovers_in(const fs::path& folder) {
  std::vector<Leftover> found;
  std::error_code problem;
  for (auto entry = fs::directory_iterator(folder, problem); !problem && entry != fs::directory_iterator();
       entry.increment(problem)) {
    struct stat status {};
    if (!entry->path().filename().native().starts_with(kPrefix)) continue;
    if (::lstat(entry->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    found.push_back({entry->path(), status.st_mtime, static_cast<std::uint64_t>(status.st_size)});
  }
  return found;
}

void remove_unless_in_use(const fs::path& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (file && ::flock(file.get(), LOCK_EX | LOCK_NB) == 0) ::unlink(path.c_str());
}

}  // namespace

PartialBlob::PartialBlob(BlobStore& store, const Descriptor& blob) : store_(store), blob_(blob) {
  make_folders(store.root() / "blobs" / "sha256");
  const fs::path first = store.root() / cat(kPrefix, blob.digest.hex());
  for (int number = 0; number < kMostAtOnce; ++number) {
    if (take(number == 0 ? first : fs::path(cat(first.native(), ".", number)))) break;
  }
  if (!file_) throw Error(Exit::export_failed, cat("the blob ", blob.digest.str(), " is being fetched by too many"));
  std::array<std::byte, 128 * 1024> room{};
  for (;;) {
    const ssize_t size = ::read(file_.get(), room.data(), room.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0 || hash_.size() + static_cast<std::uint64_t>(size) > blob.size) break;
    hash_.write(std::span(room).first(static_cast<std::size_t>(size)));
  }
  // Longer than the blob, or unreadable: of no use.
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0 || static_cast<std::uint64_t>(status.st_size) != hash_.size()) restart();
}

// Opens and locks it; false when somebody else has it. Between the two it may have become a blob.
bool PartialBlob::take(const fs::path& path) {
  for (;;) {
    FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) throw cannot_write(path);
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) return false;
    struct stat opened {
    }, named{};
    if (::fstat(file.get(), &opened) != 0 || !S_ISREG(opened.st_mode)) throw cannot_write(path);
    if (::lstat(path.c_str(), &named) != 0 || named.st_ino != opened.st_ino) continue;
    path_ = path;
    file_ = std::move(file);
    return true;
  }
}

PartialBlob::~PartialBlob() {
  if (!path_.empty() && size() == 0) ::unlink(path_.c_str());
}

void PartialBlob::write(Bytes bytes) {
  if (size() + bytes.size() > blob_.size) {
    throw Error(Exit::registry_content, cat("more than the ", blob_.size, " bytes that its manifest names"));
  }
  for (Bytes rest = bytes; !rest.empty();) {
    const ssize_t size =
        ::pwrite(file_.get(), rest.data(), rest.size(), static_cast<off_t>(hash_.size() + bytes.size() - rest.size()));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) throw cannot_write(path_);
    rest = rest.subspan(static_cast<std::size_t>(size));
  }
  hash_.write(bytes);
}

void PartialBlob::restart() {
  if (::ftruncate(file_.get(), 0) != 0) throw cannot_write(path_);
  hash_ = {};
}

void PartialBlob::commit() {
  store_.adopt(path_, file_.get(), blob_.digest);
  path_.clear();
  file_.reset();
}

void PartialBlob::remove_old(const BlobStore& store) noexcept {
  try {
    std::vector<Leftover> found = leftovers_in(store.root());
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.touched > b.touched; });
    std::uint64_t files = 0, bytes = 0;
    for (const Leftover& leftover : found) {
      bytes += leftover.size;
      const bool is_too_much = ++files > kMostFiles || bytes > kMostBytes;
      if (is_too_much || leftover.touched + kLongestLife < std::time(nullptr)) remove_unless_in_use(leftover.path);
    }
  } catch (const std::exception&) {
    // The next pull tries again.
  }
}

}  // namespace whittle::oci
