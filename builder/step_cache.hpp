// What steps made, by key. An entry is a folder that appears complete or not at all, and carries the
// digests of its files; a damaged one counts as absent and is removed. May be deleted at any time.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/event.hpp"
#include "base/files.hpp"
#include "base/json.hpp"

namespace whittle::builder {

struct CachedFile {
  std::string path;  // where it was made: relative to the work folder, or absolute
  unsigned mode = 0644;
  Digest digest;
  std::uint64_t size = 0;
  std::string link;  // target when it is a symbolic link
  fs::path stored;   // in the cache; set by find()
};

struct CachedResult {
  std::vector<CachedFile> files;
  Json facts = Json::object();  // whatever the caller wants back
};

class StepCache {
 public:
  StepCache(fs::path folder, EventSink& events) : folder_(std::move(folder)), events_(events) {}

  // Reads every file of the entry to see that it is intact.
  std::optional<CachedResult> find(const Digest& key) const;
  // Stores `paths` (files or folders, relative to `work` or absolute) with `facts`. `scratch` is a folder on the
  // same file system for the unfinished entry. A path that is not there is a bug of the caller.
  void store(const Digest& key, const fs::path& work, const std::vector<std::string>& paths, const Json& facts,
             const fs::path& scratch) const;

 private:
  fs::path folder_;
  EventSink& events_;
};

// Puts the files of `result` where they were made, replacing what is there.
void restore(const CachedResult& result, const fs::path& work);

}  // namespace whittle::builder
