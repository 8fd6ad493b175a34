// A folder into which hostile archives are unpacked. Every path is walked one component at a time from an open
// descriptor, and never through a symbolic link.
#pragma once

#include <string>
#include <string_view>

#include "base/files.hpp"

namespace whittle::layers {

class ConfinedFolder {
 public:
  explicit ConfinedFolder(const fs::path& root);

  // The open folder above `path` and the last component. Missing folders are made with `create`; without it,
  // and for a path that leads through something that is no folder, throws Error(registry_content).
  struct Place {
    FileDescriptor folder;
    std::string name;
  };
  Place place(const std::string& path, bool create);
  // Removes a file, link or whole folder at `path`; what is not there is no error.
  void remove(const std::string& path);
  // Removes what is in the folder `path`, except paths for which `keep` is true.
  void clear(const std::string& path, const std::function<bool(const std::string&)>& keep);
  FileDescriptor open_folder(const std::string& path, bool create);

 private:
  FileDescriptor root_;
};

// Removes `name` in the open folder, and everything in it.
void remove_at(int folder, const char* name);

}  // namespace whittle::layers
