// Digests of files that have not changed since they were last read: keyed by path; valid while size,
// mtime and ctime in nanoseconds, inode and device are the same. An entry whose times are not older than
// the moment it was recorded is racy, as in git's index, and is read again.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/digest.hpp"
#include "base/event.hpp"
#include "base/files.hpp"

namespace whittle::builder {

// Now, by the clock that file systems stamp files with: coarser than others, so only it can say which came first.
std::int64_t file_clock();

// What tells that a file has changed, of what stat says.
struct FileSignature {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t modified = 0, changed = 0;

  static FileSignature of(const struct stat& status);
  // Whether what was read at `time` of the file clock is what the file holds as long as this stays the same.
  bool was_settled_at(std::int64_t time) const { return modified < time && changed < time; }
  bool operator==(const FileSignature&) const = default;
};

class StatIndex {
 public:
  // Loads `file`; a truncated or altered index (it carries its own digest) is dropped with a verbose note.
  StatIndex(fs::path file, EventSink& events);
  ~StatIndex();

  // The digest of the regular file `path` (absolute).
  Digest digest(const fs::path& path);
  // The same when the caller has asked for its status just now.
  Digest digest(const fs::path& path, const struct stat& status);
  // Writes the index if anything changed, without the entries that nobody asked for since it was loaded.
  // The last writer wins; losing an entry only costs a read.
  void save();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace whittle::builder
