#include "bundle/scratch_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::bundle {

namespace {

FileDescriptor open_nameless(const fs::path& folder) {
  FileDescriptor file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file) return file;
  // File systems that do not have it, and kernels that do not.
  std::string name = (folder / ".tmp-XXXXXX").native();
  file = FileDescriptor(::mkostemp(name.data(), O_CLOEXEC));
  if (!file) throw system_error(Exit::transient, cat("cannot make a temporary file in ", backticked(folder.native())));
  ::unlink(name.c_str());
  return file;
}

}  // namespace

ScratchFile::ScratchFile(const fs::path& folder) : folder_(folder), file_(open_nameless(folder)) {}

ScratchFile::~ScratchFile() {
  unmap();
}

void ScratchFile::write(Bytes bytes) {
  write_at(size_, bytes);
}

void ScratchFile::write_at(std::uint64_t position, Bytes bytes) {
  unmap();
  while (!bytes.empty()) {
    const ssize_t size = ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(position));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0)
      throw system_error(Exit::transient, cat("cannot write a temporary file in ", backticked(folder_.native())));
    bytes = bytes.subspan(static_cast<std::size_t>(size));
    position += static_cast<std::uint64_t>(size);
    size_ = std::max(size_, position);
  }
}

void ScratchFile::read_at(std::uint64_t position, std::span<std::byte> room) const {
  while (!room.empty()) {
    const ssize_t size = ::pread(file_.get(), room.data(), room.size(), static_cast<off_t>(position));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0)
      throw system_error(Exit::transient, cat("cannot read a temporary file in ", backticked(folder_.native())));
    if (size == 0) throw Error(Exit::bug, "a temporary file is shorter than it was");
    room = room.subspan(static_cast<std::size_t>(size));
    position += static_cast<std::uint64_t>(size);
  }
}

Bytes ScratchFile::map() {
  if (size_ == 0) return {};
  if (mapped_ == nullptr) {
    void* const place = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, file_.get(), 0);
    if (place == MAP_FAILED) {  // NOLINT(performance-no-int-to-ptr)
      throw system_error(Exit::transient, cat("cannot map a temporary file in ", backticked(folder_.native())));
    }
    mapped_ = place;
    mapped_size_ = size_;
  }
  return {static_cast<const std::byte*>(mapped_), mapped_size_};
}

void ScratchFile::unmap() {
  if (mapped_ != nullptr) ::munmap(std::exchange(mapped_, nullptr), mapped_size_);
}

std::size_t ScratchSource::read(std::span<std::byte> room) {
  const std::size_t size = std::min<std::uint64_t>(room.size(), left_);
  file_.read_at(begin_, room.first(size));
  begin_ += size;
  left_ -= size;
  return size;
}

}  // namespace whittle::bundle
