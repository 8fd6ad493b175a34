#include "builder/contents.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <optional>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::builder {

namespace {

// The modification time of a content that was read, or written, since the machine came up: a time in the past that no
// other boot has. Whoever writes to the file sets another one.
const std::optional<timespec>& mark_of_boot() {
  static const std::optional<timespec> mark = []() -> std::optional<timespec> {
    const std::optional<std::string> boot = read_file_if_exists("/proc/sys/kernel/random/boot_id", 4096);
    if (!boot) return std::nullopt;
    const std::string hex = digest_of(*boot).hex();
    constexpr std::uint64_t kFirst = 315'532'800, kSeconds = 631'152'000;  // 1980, twenty years
    timespec time{};
    time.tv_sec = static_cast<time_t>(kFirst + std::stoull(hex.substr(0, 15), nullptr, 16) % kSeconds);
    time.tv_nsec = static_cast<long>(std::stoull(hex.substr(15, 15), nullptr, 16) % 1'000'000'000);
    return time;
  }();
  return mark;
}

bool has_mark(const struct stat& status) {
  const std::optional<timespec>& mark = mark_of_boot();
  return mark && nanoseconds(status.st_mtim) == nanoseconds(*mark);
}

// A file whose time cannot be set is read each time.
void set_mark(const fs::path& file) {
  const std::optional<timespec>& mark = mark_of_boot();
  if (!mark) return;
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, *mark};
  ::utimensat(AT_FDCWD, file.c_str(), times, 0);
}

bool has_size(const fs::path& file, std::uint64_t size, struct stat& status) {
  return ::stat(file.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         static_cast<std::uint64_t>(status.st_size) == size;
}

// Unlike rename(2) it leaves alone what is there: somebody may be reading it.
bool renamed(const fs::path& from, const fs::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return true;
  // Not every file system knows how.
  return errno == EINVAL && ::rename(from.c_str(), to.c_str()) == 0;
}

}  // namespace

fs::path Contents::place_of(const Digest& digest) const {
  const std::string hex = digest.hex();
  return folder_ / hex.substr(0, 2) / hex.substr(2);
}

bool Contents::has(const Digest& digest, std::uint64_t size) const {
  return is_whole(place_of(digest), digest, size);
}

bool Contents::is_whole(const fs::path& place, const Digest& digest, std::uint64_t size) const {
  struct stat status {};
  if (has_size(place, size, status) && has_mark(status)) return true;
  std::error_code problem;
  if (!fs::exists(place, problem)) return false;
  // One at a time: setting the mark changes the status that another build may be comparing.
  const FileLock lock(folder_ / "lock", FileLock::Mode::exclusive);
  const bool is_right_size = has_size(place, size, status);
  if (is_right_size && has_mark(status)) return true;
  if (is_right_size && digest_of_file(place) == digest) {
    set_mark(place);
    return true;
  }
  fs::remove(place, problem);
  return false;
}

void Contents::add(const fs::path& from, const Digest& digest, std::uint64_t size) const {
  const fs::path place = place_of(digest);
  if (is_whole(place, digest, size)) return;
  static std::atomic<unsigned> count = 0;
  make_folders(place.parent_path());
  const fs::path temporary = place.parent_path() / cat(".tmp-", ::getpid(), "-", ++count);
  whittle::copy_file(from, temporary);
  struct stat status {};
  const bool is_whole_copy = has_size(temporary, size, status);
  set_mark(temporary);
  if (is_whole_copy && renamed(temporary, place)) return;
  const int number = errno;
  std::error_code problem;
  fs::remove(temporary, problem);
  if (!is_whole_copy) {
    throw Error(Exit::transient, cat(backticked(from.native()), " changed while it was kept"))
        .hint("run the same command again");
  }
  if (number != EEXIST)
    throw system_error(Exit::export_failed, cat("cannot write ", backticked(place.native())), number);
}

}  // namespace whittle::builder
