#include "layers/confined_folder.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::layers {

namespace {

constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

Error through_no_folder(const std::string& path) {
  Error error(Exit::registry_content, cat("refused to unpack ", backticked(path)));
  error.cause("it leads through a link or a file");
  return error;
}

Error failed(std::string_view doing, std::string_view name) {
  return system_error(Exit::export_failed, cat("cannot ", doing, " ", backticked(name)));
}

std::vector<std::string> names_in(int folder, const char* name) {
  FileDescriptor opened(::openat(folder, name, kFolderFlags));
  DIR* const listing = opened ? ::fdopendir(opened.get()) : nullptr;
  if (listing == nullptr) throw failed("list", name);
  opened.release();
  const std::unique_ptr<DIR, int (*)(DIR*)> closing(listing, &::closedir);
  std::vector<std::string> names;
  while (const dirent* const entry = ::readdir(listing)) {
    const std::string_view one = entry->d_name;
    if (one != "." && one != "..") names.emplace_back(one);
  }
  return names;
}

}  // namespace

void remove_at(int folder, const char* name) {
  if (::unlinkat(folder, name, 0) == 0 || errno == ENOENT) return;
  if (errno != EISDIR && errno != EPERM) throw failed("remove", name);
  if (::unlinkat(folder, name, AT_REMOVEDIR) == 0) return;
  if (errno != ENOTEMPTY && errno != EEXIST) throw failed("remove", name);
  ::fchmodat(folder, name, 0700, 0);
  const FileDescriptor opened(::openat(folder, name, kFolderFlags));
  if (!opened) throw failed("remove", name);
  for (const std::string& below : names_in(folder, name)) remove_at(opened.get(), below.c_str());
  if (::unlinkat(folder, name, AT_REMOVEDIR) != 0) throw failed("remove", name);
}

ConfinedFolder::ConfinedFolder(const fs::path& root) : root_(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (!root_) throw failed("open the folder", root.native());
}

FileDescriptor ConfinedFolder::open_folder(const std::string& path, bool create) {
  FileDescriptor folder(::fcntl(root_.get(), F_DUPFD_CLOEXEC, 0));
  if (!folder) throw failed("open the folder", path);
  for (const std::string& part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") throw through_no_folder(path);
    if (create && ::mkdirat(folder.get(), part.c_str(), 0755) != 0 && errno != EEXIST) {
      throw failed("create the folder", path);
    }
    FileDescriptor below(::openat(folder.get(), part.c_str(), kFolderFlags));
    if (!below) {
      if (errno == ELOOP || errno == ENOTDIR || errno == ENOENT) throw through_no_folder(path);
      throw failed("open the folder", path);
    }
    folder = std::move(below);
  }
  return folder;
}

ConfinedFolder::Place ConfinedFolder::place(const std::string& path, bool create) {
  const std::size_t slash = path.rfind('/');
  const std::string parent = slash == std::string::npos ? "" : path.substr(0, slash);
  std::string name = path.substr(slash == std::string::npos ? 0 : slash + 1);
  if (name.empty() || name == "." || name == "..") throw through_no_folder(path);
  return {.folder = open_folder(parent, create), .name = std::move(name)};
}

void ConfinedFolder::remove(const std::string& path) {
  const Place at = place(path, true);
  remove_at(at.folder.get(), at.name.c_str());
}

void ConfinedFolder::clear(const std::string& path, const std::function<bool(const std::string&)>& keep) {
  const FileDescriptor folder = open_folder(path, true);
  for (const std::string& name : names_in(folder.get(), ".")) {
    const std::string below = path.empty() ? name : cat(path, "/", name);
    if (!keep(below)) remove_at(folder.get(), name.c_str());
  }
}

}  // namespace whittle::layers
