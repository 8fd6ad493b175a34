// Files and folders of the source tree that go into the image as they are (`image.files`).
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/error.hpp"
#include "base/text.hpp"
#include "layers/root_builder.hpp"
#include "plan/ignore_patterns.hpp"

namespace whittle::layers {

namespace {

constexpr std::array<std::string_view, 4> kNeverMapped = {".git", ".hg", ".svn", ".whittle"};

Error unreadable(const std::string& path, int number = errno) {
  return system_error(Exit::usage, cat("cannot read ", backticked(path), " in the source tree"), number);
}

std::string link_target(int folder, const char* name, const std::string& path) {
  std::string target(4096, '\0');
  const ssize_t size = ::readlinkat(folder, name, target.data(), target.size());
  if (size < 0) throw unreadable(path);
  target.resize(static_cast<std::size_t>(size));
  return target;
}

Error leaves_the_tree(const std::string& path, const std::string& target) {
  Error error(Exit::usage, cat("the link ", backticked(path), " leads out of the source tree"));
  error.detail(cat("it points to ", backticked(target)));
  error.hint("copy what it points to into the tree, or leave it out with `ignore` in whittle.toml");
  return error;
}

// A link is taken over as text and never followed, so only what it says counts.
void check_link(const std::string& path, const std::string& target) {
  std::ptrdiff_t depth = std::count(path.begin(), path.end(), '/');
  if (target.starts_with('/')) throw leaves_the_tree(path, target);
  for (const std::string& part : split(target, '/')) {
    if (part.empty() || part == ".") continue;
    depth += part == ".." ? -1 : 1;
    if (depth < 0) throw leaves_the_tree(path, target);
  }
}

std::optional<unsigned> parse_mode(const plan::FileMapping& mapping) {
  if (mapping.mode.empty()) return std::nullopt;
  unsigned mode = 0;
  const char* const end = mapping.mode.data() + mapping.mode.size();
  const auto [stop, problem] = std::from_chars(mapping.mode.data(), end, mode, 8);
  if (problem == std::errc() && stop == end && mode <= 07777) return mode;
  throw Error(Exit::usage, cat("the mode ", backticked(mapping.mode), " of ", backticked(mapping.path),
                               " is not an octal number up to 7777"));
}

class Mapper {
 public:
  Mapper(RootBuilder& root, const plan::FileMapping& mapping, const plan::IgnorePatterns& ignored, fs::path tree,
         EventSink& events)
      : root_(root),
        ignored_(ignored),
        tree_(std::move(tree)),
        events_(events),
        mode_(parse_mode(mapping)),
        group_(mapping.path == "/etc" || mapping.path.starts_with("/etc/") ? Entry::Group::configuration
                                                                           : Entry::Group::asset) {}

  // `path` is relative to the tree ("" for the tree itself); `target` absolute in the image.
  void add_folder(FileDescriptor folder, const std::string& path, const std::string& target) {
    DIR* const listing = ::fdopendir(folder.get());
    if (listing == nullptr) throw unreadable(path);
    folder.release();
    const std::unique_ptr<DIR, int (*)(DIR*)> closing(listing, &::closedir);
    while (const dirent* const entry = next(listing, path)) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (std::find(kNeverMapped.begin(), kNeverMapped.end(), name) != kNeverMapped.end()) continue;
      add(::dirfd(listing), entry->d_name, path.empty() ? std::string(name) : cat(path, "/", name),
          cat(target, "/", name));
    }
  }

  void add(int folder, const char* name, const std::string& path, const std::string& target) {
    const bool is_ignored = ignored_.matches(path);
    if (is_ignored && !ignored_.takes_back()) return;
    struct stat status {};
    if (::fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0) throw unreadable(path);
    if (S_ISDIR(status.st_mode)) {
      if (!is_ignored) root_.add(target, entry(Folder{}, path, 0755));
      FileDescriptor below(::openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!below) throw unreadable(path);
      return add_folder(std::move(below), path, target);
    }
    if (is_ignored) return;
    if (S_ISLNK(status.st_mode)) {
      const std::string points_to = link_target(folder, name, path);
      check_link(path, points_to);
      return root_.add(target, entry(Link{points_to}, path, 0777));
    }
    if (!S_ISREG(status.st_mode)) {
      return events_.warn(cat(backticked(path), " is left out of the image: it is no file, folder or link"));
    }
    const unsigned plain = (status.st_mode & 0111U) != 0 ? 0755 : 0644;
    root_.add(target, entry(file(status, path), path, mode_.value_or(plain)));
  }

 private:
  static const dirent* next(DIR* listing, const std::string& path) {
    errno = 0;
    const dirent* const entry = ::readdir(listing);
    if (entry == nullptr && errno != 0) throw unreadable(path);
    return entry;
  }

  Entry entry(std::variant<Folder, Link, File> node, const std::string& path, unsigned mode) const {
    return {.node = std::move(node), .mode = mode, .group = group_, .origin = cat("files, ", path), .reason = {}};
  }

  File file(const struct stat& status, const std::string& path) const {
    return {.content = (tree_ / path).native(),
            .size = static_cast<std::uint64_t>(status.st_size),
            .stamp = {.device = status.st_dev,
                      .inode = status.st_ino,
                      .modified = nanoseconds(status.st_mtim),
                      .changed = nanoseconds(status.st_ctim)}};
  }

  RootBuilder& root_;
  const plan::IgnorePatterns& ignored_;
  fs::path tree_;
  EventSink& events_;
  std::optional<unsigned> mode_;
  Entry::Group group_;
};

// The real place of the mapping's source, which may be reached through links inside the tree.
fs::path real_source(const fs::path& tree, const plan::FileMapping& mapping) {
  const std::optional<fs::path> path = confined(tree, mapping.source);
  if (!path) {
    Error error(Exit::usage, cat("the source ", backticked(mapping.source), " of ", backticked(mapping.path),
                                 " lies outside of the source tree"));
    throw error.hint("give a path relative to the application's folder");
  }
  std::error_code problem;
  const fs::path real = fs::canonical(*path, problem);
  if (problem) throw unreadable(mapping.source, problem.value());
  const auto [in_tree, in_real] = std::mismatch(tree.begin(), tree.end(), real.begin(), real.end());
  if (in_tree != tree.end()) throw leaves_the_tree(mapping.source, real.native());
  return real;
}

void add_mapping(RootBuilder& root, const plan::FileMapping& mapping, const plan::IgnorePatterns& ignored,
                 const fs::path& tree, EventSink& events) {
  const fs::path real = real_source(tree, mapping);
  const std::string relative = real == tree ? "" : real.lexically_relative(tree).native();
  std::string target = mapping.path;
  Mapper mapper(root, mapping, ignored, tree, events);
  if (fs::is_directory(real)) {
    while (target.ends_with('/')) target.pop_back();
    if (!target.empty()) {
      root.add(target, {.node = Folder{},
                        .group = target == "/etc" || target.starts_with("/etc/") ? Entry::Group::configuration
                                                                                 : Entry::Group::asset,
                        .origin = cat("files, ", mapping.source),
                        .reason = {}});
    }
    FileDescriptor folder(::open(real.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder) throw unreadable(mapping.source);
    return mapper.add_folder(std::move(folder), relative, target);
  }
  if (target.ends_with('/')) target += fs::path(mapping.source).filename().native();
  mapper.add(AT_FDCWD, real.c_str(), relative, target);
}

}  // namespace

void add_mappings(RootBuilder& root, const plan::ImageSettings& image, const fs::path& source, EventSink& events) {
  if (image.files.empty()) return;
  std::error_code problem;
  const fs::path tree = fs::canonical(source, problem);
  if (problem) throw unreadable(source.native(), problem.value());
  for (const plan::FileMapping& mapping : image.files) {
    if (!mapping.path.starts_with('/')) {
      throw Error(Exit::usage,
                  cat("the path ", backticked(mapping.path), " of ", backticked(mapping.source), " must be absolute"));
    }
    std::vector<std::string> ignored = image.ignore;
    ignored.insert(ignored.end(), mapping.ignore.begin(), mapping.ignore.end());
    add_mapping(root, mapping, plan::IgnorePatterns(ignored), tree, events);
  }
}

}  // namespace whittle::layers
