// Puts entries into a root filesystem one by one and keeps its promises: confined paths, parents present,
// one origin a path.
#pragma once

#include <string>
#include <string_view>

#include "layers/root_filesystem.hpp"

namespace whittle::layers {

class RootBuilder {
 public:
  // `path` is absolute in the image. Throws Error(usage) naming `entry.origin` for a path that is not inside
  // the root, that another origin has taken, or that needs a folder where there is something else.
  void add(std::string_view path, Entry entry);
  // Leaves what is there; false when there is something.
  bool add_if_absent(std::string_view path, Entry entry);
  RootFilesystem take() { return std::move(root_); }

 private:
  void add_parents(const std::string& path, const std::string& origin);

  RootFilesystem root_;
  std::string last_parent_;  // known to be there
};

// A regular file on disk as content, with size and stamp; symbolic links are resolved first.
File file_on_disk(const fs::path& path);
// The same with the digest, which means reading it.
File hashed_file(const fs::path& path);
File text_file(std::string text);

// passwd, group, `/tmp`, CA roots, zoneinfo (base_facts.cpp).
void add_base_facts(RootBuilder& root, const plan::ImageSettings& image, const plan::RuntimeNeeds& needs,
                    const BaseFacts& facts);
// The plan's `image.files` (file_mappings.cpp).
void add_mappings(RootBuilder& root, const plan::ImageSettings& image, const fs::path& source, EventSink& events);

}  // namespace whittle::layers
