#include "base/files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <thread>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle {

namespace {

constexpr std::uint64_t kWriteBehind = 8 << 20;

Error file_error(std::string_view doing, const fs::path& path, int number = errno) {
  return system_error(Exit::export_failed, cat("cannot ", doing, " ", backticked(path.native())), number);
}

Error read_error(std::string_view doing, const fs::path& path, int number = errno) {
  return system_error(Exit::usage, cat("cannot ", doing, " ", backticked(path.native())), number);
}

std::string random_name(std::string_view prefix) {
  std::array<std::byte, 8> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw system_error(Exit::bug, "cannot get random bytes");
  }
  return cat(prefix, hex_of(text_of(bytes)));
}

fs::path folder_of(const fs::path& path) {
  return path.parent_path().empty() ? fs::path(".") : path.parent_path();
}

std::string read_descriptor(FileSource& source, const fs::path& path, std::uint64_t limit) {
  return read_all(source, limit, backticked(path.native()));
}

}  // namespace

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) {
    reset();
    number_ = other.release();
  }
  return *this;
}

int FileDescriptor::release() {
  return std::exchange(number_, -1);
}

void FileDescriptor::reset() {
  if (number_ >= 0) ::close(std::exchange(number_, -1));
}

FileSource::FileSource(const fs::path& path) : file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), name_(path) {
  if (!file_) throw read_error("open", path);
}

std::size_t FileSource::read(std::span<std::byte> room) {
  for (;;) {
    const ssize_t size = ::read(file_.get(), room.data(), room.size());
    if (size >= 0) return static_cast<std::size_t>(size);
    if (errno != EINTR) throw read_error("read", name_);
  }
}

std::uint64_t FileSource::size() const {
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) throw read_error("read", name_);
  return static_cast<std::uint64_t>(status.st_size);
}

std::string read_file(const fs::path& path, std::uint64_t limit) {
  FileSource source(path);
  return read_descriptor(source, path, limit);
}

std::optional<std::string> read_file_if_exists(const fs::path& path, std::uint64_t limit) {
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    throw read_error("open", path);
  }
  FileSource source(std::move(file), path);
  return read_descriptor(source, path, limit);
}

AtomicFile::AtomicFile(fs::path folder) : temporary_(std::move(folder)) {
  temporary_ /= random_name(".tmp-");
  file_ = FileDescriptor(::open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file_) throw file_error("create", temporary_);
  ::flock(file_.get(), LOCK_EX | LOCK_NB);
}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void write_all(const FileDescriptor& file, Bytes bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t size = ::write(file.get(), bytes.data(), bytes.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) throw file_error("write", path);
    bytes = bytes.subspan(static_cast<std::size_t>(size));
  }
}

void AtomicFile::write(Bytes bytes) {
  write_all(file_, bytes, temporary_);
  written_ += bytes.size();
  // The sync at the end is short when most of the file is on its way already. Advice: failing is harmless.
  if (written_ - started_ < kWriteBehind) return;
  ::sync_file_range(file_.get(), static_cast<off_t>(started_), static_cast<off_t>(written_ - started_),
                    SYNC_FILE_RANGE_WRITE);
  started_ = written_;
}

void AtomicFile::commit(const fs::path& target, unsigned mode) {
  put_in_place(file_.get(), temporary_, target, mode);
  temporary_.clear();
  file_.reset();
}

void AtomicFile::commit_unsynced(const fs::path& target, unsigned mode) {
  if (::fchmod(file_.get(), mode) != 0 || ::rename(temporary_.c_str(), target.c_str()) != 0) {
    throw file_error("write", target);
  }
  temporary_.clear();
  file_.reset();
}

void put_in_place(int file, const fs::path& from, const fs::path& target, unsigned mode) {
  if (::fchmod(file, mode) != 0 || ::fsync(file) != 0) throw file_error("write", target);
  if (::rename(from.c_str(), target.c_str()) != 0) throw file_error("write", target);
  sync_folder(target.parent_path());
}

void write_file(const fs::path& path, std::string_view text, unsigned mode) {
  AtomicFile file(folder_of(path));
  file.write(bytes_of(text));
  file.commit(path, mode);
}

void write_unsynced(const fs::path& path, std::string_view text, unsigned mode) {
  AtomicFile file(folder_of(path));
  file.write(bytes_of(text));
  file.commit_unsynced(path, mode);
}

void make_folders(const fs::path& path) {
  std::error_code problem;
  fs::create_directories(path, problem);
  if (problem) throw file_error("create the folder", path, problem.value());
}

void remove_tree(const fs::path& path) {
  std::error_code problem;
  fs::remove_all(path, problem);
  if (!problem) return;
  // Go's module cache and some archives hold folders without write permission.
  for (auto entry = fs::recursive_directory_iterator(path, fs::directory_options::skip_permission_denied, problem);
       !problem && entry != fs::recursive_directory_iterator(); entry.increment(problem)) {
    std::error_code ignored;
    if (entry->is_directory(ignored) && !entry->is_symlink(ignored)) {
      fs::permissions(entry->path(), fs::perms::owner_all, fs::perm_options::add, ignored);
    }
  }
  problem.clear();
  fs::remove_all(path, problem);
  if (problem) throw file_error("remove", path, problem.value());
}

void remove_abandoned(const fs::path& folder) noexcept {
  // A file is not locked in the instant after its creation; one that is older has a dead writer.
  constexpr std::time_t kGrace = 60;
  DIR* const listing = ::opendir(folder.c_str());
  if (listing == nullptr) return;
  while (const dirent* const entry = ::readdir(listing)) {
    if (!std::string_view(entry->d_name).starts_with(".tmp-")) continue;
    const FileDescriptor file(
        ::openat(::dirfd(listing), entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    if (status.st_ctime + kGrace > std::time(nullptr) || ::flock(file.get(), LOCK_EX | LOCK_NB) != 0) continue;
    ::unlinkat(::dirfd(listing), entry->d_name, 0);
  }
  ::closedir(listing);
}

void sync_folder(const fs::path& folder) {
  const fs::path name = folder.empty() ? fs::path(".") : folder;
  const FileDescriptor opened(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Some file systems cannot sync a folder and say EINVAL: there is nothing to make durable then.
  if (!opened || (::fsync(opened.get()) != 0 && errno != EINVAL)) throw file_error("sync the folder", name);
}

TemporaryFolder::TemporaryFolder(const fs::path& parent, std::string_view prefix)
    : path_(parent / random_name(prefix)) {
  if (::mkdir(path_.c_str(), 0700) != 0) {
    const int number = errno;
    throw file_error("create the folder", path_, number);
  }
}

TemporaryFolder::~TemporaryFolder() {
  if (path_.empty()) return;
  try {
    remove_tree(path_);
  } catch (const Error&) {
    // Left behind under a name that `whittle cache gc` recognises.
  }
}

FileLock::FileLock(const fs::path& path, Mode mode, const std::function<void()>& waiting)
    : file_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
  if (!file_) throw file_error("open the lock", path);
  const int operation = mode == Mode::shared ? LOCK_SH : LOCK_EX;
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  bool told = false;
  // flock has no time-out, so ask until a second has passed, tell, and then block.
  while (::flock(file_.get(), told ? operation : operation | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) throw file_error("lock", path);
    if (Clock::now() - start < std::chrono::seconds(1)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      continue;
    }
    if (waiting) waiting();
    told = true;
  }
}

std::optional<FileLock> FileLock::try_exclusive(const fs::path& path) {
  FileLock lock;
  lock.file_ = FileDescriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!lock.file_) throw file_error("open the lock", path);
  if (::flock(lock.file_.get(), LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno != EWOULDBLOCK) throw file_error("lock", path);
  return std::nullopt;
}

std::optional<fs::path> confined(const fs::path& root, std::string_view relative) {
  if (relative.empty() || relative.front() == '/' || relative.find('\0') != std::string_view::npos) return std::nullopt;
  fs::path path = root;
  for (const std::string& part : split(relative, '/')) {
    if (part == "..") return std::nullopt;
    if (part.empty() || part == ".") continue;
    path /= part;
  }
  return path;
}

bool is_within(const fs::path& path, const fs::path& folder) {
  const fs::path relative = path.lexically_relative(folder);
  return !relative.empty() && *relative.begin() != "..";
}

bool leads_out(const fs::path& place, const fs::path& target) {
  if (target.empty() || target.is_absolute()) return true;
  const fs::path reached = (place.relative_path().parent_path() / target).lexically_normal();
  return !reached.empty() && *reached.begin() == "..";
}

void copy_file(const fs::path& from, const fs::path& to) {
  const FileDescriptor source(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!source) throw read_error("open", from);
  struct stat status {};
  if (::fstat(source.get(), &status) != 0) throw read_error("read", from);
  const FileDescriptor target(::open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!target) throw file_error("create", to);
  for (;;) {
    const ssize_t size = ::copy_file_range(source.get(), nullptr, target.get(), nullptr, 1 << 30, 0);
    if (size == 0) break;
    if (size > 0) continue;
    if (errno == EINTR) continue;
    if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP) throw file_error("write", to);
    // This pair of file systems cannot; both offsets are where the kernel left them.
    std::array<std::byte, 64 * 1024> buffer{};
    ssize_t got = 0;
    while ((got = ::read(source.get(), buffer.data(), buffer.size())) > 0) {
      write_all(target, std::span(buffer).first(static_cast<std::size_t>(got)), to);
    }
    if (got < 0) throw read_error("read", from);
    break;
  }
  if (::fchmod(target.get(), status.st_mode & 07777) != 0) throw file_error("set the mode of", to);
}

}  // namespace whittle
