// What steps made, by key: `steps/KEY` below the cache lists files and facts, with a digest of its own; what the files
// hold lies in `objects/`. A damaged entry counts as absent and is removed. May be deleted while no build runs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/event.hpp"
#include "base/files.hpp"
#include "base/json.hpp"
#include "builder/contents.hpp"
#include "builder/known_files.hpp"

namespace whittle::builder {

struct CachedFile {
  std::string path;  // where it was made: relative to the work folder, or absolute
  unsigned mode = 0644;
  FileContent content;
  std::string link;  // target when it is a symbolic link
};

struct CachedResult {
  std::vector<CachedFile> files;
  Json facts = Json::object();  // whatever the caller wants back
};

class StepCache {
 public:
  StepCache(const fs::path& cache, EventSink& events)
      : folder_(cache / "steps"), contents_(cache / "objects"), events_(events) {}

  // Every file of the entry is there and whole.
  std::optional<CachedResult> find(const Digest& key) const;
  // Takes in `path` (a file, or a folder with all below it; relative to `work` or absolute). What is known is not read
  // again. A path that is not there is a bug of the caller.
  std::vector<CachedFile> take(const fs::path& work, const std::string& path, KnownFiles& known) const;
  // Keeps files that were taken in or found, with `facts`.
  void store(const Digest& key, const CachedResult& result) const;
  // Puts files where they were made, replacing what is there.
  void restore(const std::vector<CachedFile>& files, const fs::path& work, KnownFiles& known) const;

  // Where the content of a file lies, until the cache is cleaned.
  fs::path place_of(const CachedFile& file) const { return contents_.place_of(file.content.digest); }

 private:
  fs::path folder_;
  Contents contents_;
  EventSink& events_;
};

// Those of `files` that are at `path` or below it.
std::vector<CachedFile> files_below(const std::vector<CachedFile>& files, std::string_view path);

}  // namespace whittle::builder
