// Where a build happens. What a killed build leaves
// behind is recognised by its lock, which nobody holds any more, and removed by the next build.
#pragma once

#include <memory>
#include <span>

#include "base/event.hpp"
#include "base/files.hpp"
#include "builder/placeholders.hpp"
#include "builder/source_files.hpp"

namespace whittle::builder {

// `work/ID` and `keep/ID` below the cache, for one source folder: two builds of one tree take turns.
// The path depends on the source's path alone, so that tools which note it give the same result again.
class WorkFolder {
 public:
  // Waits for another build of the same tree, with an info note after a second.
  WorkFolder(const fs::path& cache, const fs::path& source, EventSink& events);
  ~WorkFolder();  // ends what steps have left running; removes the work folder, not what is kept

  // Makes the folder anew: `src` is a link to the source or a copy of it, `home` and `tmp` are empty.
  void fill(std::span<const SourceFile> files, bool copy, EventSink& events);

  const fs::path& path() const { return path_; }
  const fs::path& keep() const { return keep_; }
  // `${source}`: the user's own folder, or the copy.
  fs::path source() const { return is_copy_ ? path_ / "src" : source_; }
  const std::string& id() const { return id_; }

 private:
  EventSink& events_;
  fs::path source_;
  std::string id_;
  fs::path path_, keep_;
  std::unique_ptr<FileLock> lock_;
  bool is_copy_ = false;
};

// A name for a source folder that is readable and unique: "whoami-1f2e3d4c".
std::string identifier_of(const fs::path& source);

// While somebody holds it, `remove_leftovers` says that the cache is in use.
class CacheInUse {
 public:
  explicit CacheInUse(const fs::path& cache);
  const fs::path& path() const { return folder_->path(); }

 private:
  std::unique_ptr<FileLock> lock_;  // let go after the folder is gone
  std::unique_ptr<TemporaryFolder> folder_;
};

// Copies the source with its times; the copy is writable where the source is not. Links that lead out of the tree,
// sockets and devices are left out with a warning each.
void copy_source(const fs::path& source, std::span<const SourceFile> files, const fs::path& target, EventSink& events);

}  // namespace whittle::builder
