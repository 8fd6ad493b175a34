// The files of a source tree as the builder sees them: for the cache key and for copies.
#pragma once

#include <sys/stat.h>

#include <span>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "builder/stat_index.hpp"
#include "plan/ignore_patterns.hpp"

namespace whittle::builder {

struct SourceFile {
  std::string path;  // relative, bytes as the file system has them
  struct stat status {};
  std::string link;  // target of a symbolic link
};

// Everything below `root`, sorted by path, without `.git`, `.hg`, `.svn` and `.whittle`, without the folder
// `apart` (whittle's cache may lie in the tree) and without what holds build products: a CACHEDIR.TAG or a
// CMakeCache.txt. One status call a file and no reading. A folder that cannot be listed is an Error(usage) naming it.
// The folders of build products are added to `left_out`, if it is given.
std::vector<SourceFile> list_source(const fs::path& root, const fs::path& apart = {},
                                    std::vector<std::string>* left_out = nullptr);
// The same without leaving anything out.
std::vector<SourceFile> list_everything(const fs::path& root);

// What status calls alone say of files: equal when none was touched between two listings, if the first was made later
// than `last_change` by file_clock().
struct Sighting {
  Digest digest;
  std::int64_t last_change = 0;  // of any content or status, nanoseconds since 1970
};
Sighting sighting_of(std::span<const SourceFile> files);

// An ELF object or program: what an earlier build in the tree has left. In a copy with the same times, make would
// take it for up to date.
bool is_object_or_program(const fs::path& root, const SourceFile& file);

// Whether `path` is left out by the ignore patterns. Sources and build files never are, whatever the patterns say: they
// would still be compiled, and a change to them would go unnoticed (docs/design/building.md, "Ignore files").
bool is_ignored(std::string_view path, const plan::IgnorePatterns& patterns);

// Digest of path, kind, executable bit and content of `files` that match one of `inputs` and are not ignored.
Digest digest_of_source(const fs::path& root, std::span<const SourceFile> files, std::span<const std::string> inputs,
                        const plan::IgnorePatterns& ignore, StatIndex& index);

}  // namespace whittle::builder
