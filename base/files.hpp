// Files, durably: write to a temporary file on the same file system, sync, rename, sync the folder.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/stream.hpp"

namespace whittle {

namespace fs = std::filesystem;

// An open file descriptor that closes itself. -1: none.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int number) : number_(number) {}
  FileDescriptor(FileDescriptor&& other) noexcept : number_(other.release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor() { reset(); }

  int get() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }
  int release();
  void reset();

 private:
  int number_ = -1;
};

// Nanoseconds since 1970, as `struct stat` has times.
constexpr std::int64_t nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

// Reads `path` (following symbolic links) into memory; more than `limit` bytes is an error.
std::string read_file(const fs::path& path, std::uint64_t limit = 64 << 20);
// Nothing when there is no such file; any other failure is an error.
std::optional<std::string> read_file_if_exists(const fs::path& path, std::uint64_t limit = 64 << 20);

class FileSource : public Source {
 public:
  explicit FileSource(const fs::path& path);
  FileSource(FileDescriptor file, fs::path name) : file_(std::move(file)), name_(std::move(name)) {}
  std::size_t read(std::span<std::byte> room) override;
  std::uint64_t size() const;  // by fstat

 private:
  FileDescriptor file_;
  fs::path name_;
};

// Writes all of `bytes`; an error names `path`.
void write_all(const FileDescriptor& file, Bytes bytes, const fs::path& path);

// A file that appears under its final name only by `commit`, complete and synced, or not at all.
// The temporary file lies in `folder`, which must exist; names start with `.tmp-`. It is locked (flock)
// while its writer lives, so that `remove_abandoned` can tell what a killed process left behind.
class AtomicFile : public Sink {
 public:
  explicit AtomicFile(fs::path folder);
  ~AtomicFile() override;  // removes what was not committed
  void write(Bytes bytes) override;
  const fs::path& temporary_path() const { return temporary_; }
  int descriptor() const { return file_.get(); }
  // Syncs, sets the mode, renames onto `target` (same file system; replaces what is there), syncs its folder.
  void commit(const fs::path& target, unsigned mode = 0644);
  // The same without a sync: after a crash of the machine `target` may hold nothing, or half. For what can be made
  // again, and carries its own digest or is read by nobody after a crash.
  void commit_unsynced(const fs::path& target, unsigned mode = 0644);

 private:
  fs::path temporary_;
  FileDescriptor file_;
  std::uint64_t written_ = 0, started_ = 0;  // of which the disk has been set to work on `started_`
};

// What its commit does, for a file that came about otherwise: `from`, open as `file`, becomes `target`.
void put_in_place(int file, const fs::path& from, const fs::path& target, unsigned mode);

// `AtomicFile` for a text that is in memory.
void write_file(const fs::path& path, std::string_view text, unsigned mode = 0644);
// The same by `commit_unsynced`.
void write_unsynced(const fs::path& path, std::string_view text, unsigned mode = 0644);

// Creates `path` and what is missing above it. An error names the folder that failed.
void make_folders(const fs::path& path);
// Removes a tree, also one with read-only folders in it; what is not there is no error.
void remove_tree(const fs::path& path);
// Removes the temporary files of AtomicFiles in `folder` whose writers are dead. Failures are ignored.
void remove_abandoned(const fs::path& folder) noexcept;
// Makes a rename or removal inside `folder` durable.
void sync_folder(const fs::path& folder);

// A new empty folder, mode 0700, removed with everything in it on destruction.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const fs::path& parent, std::string_view prefix = ".tmp-");
  ~TemporaryFolder();
  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  const fs::path& path() const { return path_; }
  fs::path release() { return std::exchange(path_, {}); }

 private:
  fs::path path_;
};

// An advisory lock (flock) on `path`, which is created and never removed. Held until destruction, or
// until the process dies. `waiting` is called once when it has not been had for a second.
class FileLock {
 public:
  enum class Mode { shared, exclusive };
  FileLock(const fs::path& path, Mode mode, const std::function<void()>& waiting = {});
  // Nothing when somebody else holds it.
  static std::optional<FileLock> try_exclusive(const fs::path& path);

 private:
  FileLock() = default;
  FileDescriptor file_;
};

// `relative` below `root`, if it names a place inside: not absolute, no `..`, no empty or NUL parts.
// Symbolic links are not looked at; see SourceTree and the layer readers for that.
std::optional<fs::path> confined(const fs::path& root, std::string_view relative);

// `path` is `folder` or lies below it, by their names: links are not looked at.
bool is_within(const fs::path& path, const fs::path& folder);

// A symbolic link at `place`, a path below some root, points out of that root, by the names of both.
bool leads_out(const fs::path& place, const fs::path& target);

// Copies content and mode; by reflink or in the kernel where the file system can.
void copy_file(const fs::path& from, const fs::path& to);

}  // namespace whittle
