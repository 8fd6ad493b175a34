// What the files of a running build hold, learnt when they were kept or brought back: nobody reads them a second time
// unless they have changed since.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>

#include "builder/stat_index.hpp"

namespace whittle::builder {

struct FileContent {
  Digest digest;
  std::uint64_t size = 0;
  bool is_elf = false;  // begins like one
};

class KnownFiles {
 public:
  // Of the regular file `path`; reads it when it must. Throws when it cannot be read, or changes meanwhile.
  FileContent content_of(const fs::path& path);
  // `path` was written with this content, before the file clock last advanced.
  void note(const fs::path& path, const FileContent& content);

 private:
  struct Entry {
    FileSignature signature;
    std::int64_t read = 0;  // by the file clock
    FileContent content;
  };
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace whittle::builder
