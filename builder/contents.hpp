// What files of results hold, by digest, each content once: `objects/HEX` below the cache. Nothing is changed after it
// has appeared, and nothing is removed but by `cache gc` or because it is damaged, so a result may be used where it
// lies.
#pragma once

#include <cstdint>

#include "base/digest.hpp"
#include "base/files.hpp"

namespace whittle::builder {

class Contents {
 public:
  explicit Contents(fs::path folder) : folder_(std::move(folder)) {}

  fs::path place_of(const Digest& digest) const;
  // Whether the content is there, and whole. A file is read once in the time that the machine is up, and again when it
  // was written to since: its modification time says so (docs/design/building.md). A damaged one is removed.
  bool has(const Digest& digest, std::uint64_t size) const;
  // Takes in what `from`, a regular file, holds; the caller has just read it. Not synced: after a crash `has` reads it
  // again.
  void add(const fs::path& from, const Digest& digest, std::uint64_t size) const;

 private:
  bool is_whole(const fs::path& place, const Digest& digest, std::uint64_t size) const;

  fs::path folder_;
};

}  // namespace whittle::builder
