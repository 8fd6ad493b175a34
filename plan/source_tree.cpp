#include "plan/source_tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <set>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::plan {

namespace {

constexpr std::size_t kMaximumNodes = 1'000'000;
constexpr std::array<std::string_view, 4> kUnlisted = {".git", ".hg", ".svn", ".whittle"};

bool is_unlisted(std::string_view name) {
  return std::find(kUnlisted.begin(), kUnlisted.end(), name) != kUnlisted.end();
}

bool by_path(const Node& a, const Node& b) {
  return a.path < b.path;
}

Error not_inside(std::string_view path) {
  return Error(Exit::usage, cat(backticked(path), " leads out of the source tree"))
      .hint("replace the symbolic link by the file that it points to");
}

// For kernels and sandboxes without openat2: resolves first, then compares. A link that is swapped in
// between is only a danger to somebody who builds a tree while an enemy writes to it.
FileDescriptor open_resolved(const fs::path& root, const std::string& path) {
  std::error_code problem;
  const fs::path real = fs::canonical(root / path, problem);
  if (problem) {
    errno = problem.value();
    return {};
  }
  if (!is_within(real, root)) throw not_inside(path);
  return FileDescriptor(::open(real.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
}

FileDescriptor open_beneath(const fs::path& root, const std::string& path) {
  const FileDescriptor folder(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder) throw system_error(Exit::usage, cat("cannot read the source folder ", backticked(root.string())));
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;  // a FIFO must not make us wait
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const auto number = static_cast<int>(::syscall(SYS_openat2, folder.get(), path.c_str(), &how, sizeof how));
  if (number >= 0) return FileDescriptor(number);
  if (errno == EXDEV) throw not_inside(path);
  if (errno == ENOSYS || errno == EPERM) return open_resolved(root, path);
  return {};
}

FileDescriptor open_file(const fs::path& root, std::string_view path) {
  if (!confined(root, path)) throw not_inside(path);
  FileDescriptor file = open_beneath(root, std::string(path));
  if (!file) throw system_error(Exit::usage, cat("cannot read ", backticked(path)));
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw system_error(Exit::usage, cat("cannot read ", backticked(path)));
  if (!S_ISREG(status.st_mode)) {
    throw Error(Exit::usage, cat("cannot read ", backticked(path))).cause("it is not a regular file");
  }
  return file;
}

std::string read_at_most(const FileDescriptor& file, std::string_view path, std::uint64_t count) {
  std::string text;
  std::array<char, 65536> buffer{};
  while (text.size() < count) {
    const std::size_t wanted = std::min<std::uint64_t>(buffer.size(), count - text.size());
    const ssize_t got = ::read(file.get(), buffer.data(), wanted);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw system_error(Exit::usage, cat("cannot read ", backticked(path)));
    if (got == 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return text;
}

Error too_large(std::string_view path, std::uint64_t limit) {
  return Error(Exit::usage, cat("cannot read ", backticked(path)))
      .at(printable(path))
      .cause(cat("it is larger than ", human_size(limit)));
}

// Folders say of what kind their entries are, except on some file systems.
std::optional<NodeKind> kind_of(int folder, const dirent& entry) {
  unsigned type = entry.d_type;
  if (type == DT_UNKNOWN) {
    struct stat status {};
    if (::fstatat(folder, entry.d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
    type = IFTODT(status.st_mode);
  }
  if (type == DT_REG) return NodeKind::file;
  if (type == DT_DIR) return NodeKind::folder;
  return type == DT_LNK ? NodeKind::link : NodeKind::other;
}

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

// Appends what lies in the folder `relative` (empty: the root itself) and returns its subfolders.
std::vector<std::string> list_folder(const fs::path& root, const std::string& relative, std::vector<Node>& nodes) {
  const fs::path path = relative.empty() ? root : root / relative;
  const auto cannot_list = [&] {
    return system_error(Exit::usage, cat("cannot list the source folder ", backticked(path.string())));
  };
  FileDescriptor descriptor(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!descriptor) throw cannot_list();
  const std::unique_ptr<DIR, CloseFolder> folder(::fdopendir(descriptor.get()));
  if (!folder) throw cannot_list();
  descriptor.release();

  std::vector<std::string> subfolders;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(folder.get());
    if (entry == nullptr && errno != 0) throw cannot_list();
    if (entry == nullptr) return subfolders;
    const std::string_view name(static_cast<const char*>(entry->d_name));
    if (name == "." || name == ".." || is_unlisted(name)) continue;
    const std::optional<NodeKind> kind = kind_of(::dirfd(folder.get()), *entry);
    if (!kind && errno == ENOENT) continue;  // removed since it was listed
    if (!kind) throw cannot_list();
    nodes.push_back({.path = relative.empty() ? std::string(name) : cat(relative, "/", name), .kind = *kind});
    if (nodes.back().kind == NodeKind::folder) subfolders.push_back(nodes.back().path);
    if (nodes.size() > kMaximumNodes) {
      throw Error(Exit::usage, cat(backticked(root.string()), " holds more than a million files and folders"))
          .hint("give the folder of one application instead");
    }
  }
}

fs::path real_folder(const fs::path& given) {
  const std::string failed = cat("cannot read the source folder ", backticked(given.string()));
  std::error_code problem;
  fs::path real = fs::canonical(given, problem);
  if (problem) throw system_error(Exit::usage, failed, problem.value());
  if (!fs::is_directory(real, problem)) {
    throw Error(Exit::usage, failed)
        .cause("it is not a folder")
        .hint(cat("give the folder that holds it: ",
                  backticked(fs::path(given).parent_path().empty() ? std::string(".") : given.parent_path().string())));
  }
  return real;
}

}  // namespace

const Node* SourceTree::find(std::string_view path) const {
  const std::vector<Node>& all = nodes();
  const auto found = std::lower_bound(all.begin(), all.end(), path,
                                      [](const Node& node, std::string_view wanted) { return node.path < wanted; });
  return found != all.end() && found->path == path ? &*found : nullptr;
}

bool SourceTree::has(std::string_view path) const {
  const Node* node = find(path);
  if (node == nullptr) return false;
  if (node->kind != NodeKind::link) return node->kind == NodeKind::file;
  try {
    read_prefix(path, 1);
    return true;
  } catch (const Error&) {
    return false;  // dangling, to a folder, or leading out
  }
}

bool SourceTree::has_folder(std::string_view path) const {
  if (path.empty() || path == ".") return true;
  const Node* node = find(path);
  return node != nullptr && node->kind == NodeKind::folder;
}

std::optional<std::string> SourceTree::read_if_exists(std::string_view path) const {
  if (!has(path)) return std::nullopt;
  return read(path);
}

std::vector<std::string> SourceTree::glob(std::string_view pattern) const {
  std::vector<std::string> found;
  for (const Node& node : nodes()) {
    if (node.kind == NodeKind::file && matches_glob(pattern, node.path)) found.push_back(node.path);
  }
  return found;
}

DiskTree::DiskTree(const fs::path& root) : root_(real_folder(root)), name_(root_.filename().string()) {
  if (name_.empty()) name_ = "app";  // the root folder of the machine
  std::vector<std::string> waiting = {""};
  while (!waiting.empty()) {
    const std::string folder = std::move(waiting.back());
    waiting.pop_back();
    for (std::string& below : list_folder(root_, folder, nodes_)) waiting.push_back(std::move(below));
  }
  std::sort(nodes_.begin(), nodes_.end(), by_path);
}

std::string DiskTree::read(std::string_view path, std::uint64_t limit) const {
  const FileDescriptor file = open_file(root_, path);
  std::string text = read_at_most(file, path, limit + 1);
  if (text.size() > limit) throw too_large(path, limit);
  return text;
}

bool DiskTree::is_executable(std::string_view path) const {
  struct stat status {};
  return ::lstat((root_ / path).c_str(), &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & S_IXUSR) != 0;
}

std::string DiskTree::read_prefix(std::string_view path, std::size_t count) const {
  return read_at_most(open_file(root_, path), path, count);
}

MemoryTree::MemoryTree(std::map<std::string, std::string> files, std::string name)
    : files_(std::move(files)), name_(std::move(name)) {
  std::set<std::string> folders;
  for (const auto& [path, content] : files_) {
    nodes_.push_back({.path = path, .kind = NodeKind::file});
    for (std::size_t end = path.find('/'); end != std::string::npos; end = path.find('/', end + 1)) {
      folders.insert(path.substr(0, end));
    }
  }
  for (const std::string& folder : folders) nodes_.push_back({.path = folder, .kind = NodeKind::folder});
  std::sort(nodes_.begin(), nodes_.end(), by_path);
}

std::string MemoryTree::read(std::string_view path, std::uint64_t limit) const {
  const auto found = files_.find(std::string(path));
  if (found == files_.end()) {
    throw Error(Exit::usage, cat("cannot read ", backticked(path))).cause("no such file or directory");
  }
  if (found->second.size() > limit) throw too_large(path, limit);
  return found->second;
}

std::string MemoryTree::read_prefix(std::string_view path, std::size_t count) const {
  return read(path, ~0ULL).substr(0, count);
}

}  // namespace whittle::plan
