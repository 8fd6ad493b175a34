// The closure of a dynamic program: its loader and every library that the loader would map, found by our own reader the
// way the loader finds them (ld.so(8)); nothing is run. docs/design/proof.md
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"
#include "proof/elf.hpp"

namespace whittle::proof {

struct ClosureFile {
  fs::path file;          // where its bytes are
  std::string installed;  // absolute: where a loader without a cache of its own looks for it
  std::string why;        // "loader of /bin/x", "needed by /bin/x"
};

struct Closure {
  std::vector<ClosureFile> files;    // the loader, then libraries as they were met
  std::vector<std::string> missing;  // "libx.so.1, needed by libfoo.so.2"
};

// "libx.so.1" of an entry of `missing`.
std::string name_of_missing(std::string_view entry);

// `root` is the file system that is searched: this machine's "/", or an unpacked image, whose links never lead out of
// it. `origin` is the program's path in there, for `$ORIGIN`. A static program has an empty closure.
Closure closure_of(const ElfFile& program, const fs::path& root, std::string_view origin);

// `path` below `root` with every link on the way resolved inside of it; empty when it leads nowhere.
fs::path resolved_in(const fs::path& root, std::string_view path);

}  // namespace whittle::proof
