#include "builder/source_files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <unordered_set>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::builder {

namespace {

constexpr std::size_t kMaximumFiles = 1'000'000;
constexpr int kMaximumDepth = 512;

bool is_apart(std::string_view name) {
  return name == ".git" || name == ".hg" || name == ".svn" || name == ".whittle";
}

std::string link_target(int folder, const char* name) {
  std::array<char, 4096> target{};
  const ssize_t size = ::readlinkat(folder, name, target.data(), target.size());
  return size < 0 ? std::string() : std::string(target.data(), static_cast<std::size_t>(size));
}

// Lists through descriptors, so that long paths and folders that are renamed meanwhile do no harm.
class Lister {
 public:
  explicit Lister(const fs::path& root) : root_(root) {}

  void list(FileDescriptor opened, const std::string& prefix, int depth) {
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(opened ? ::fdopendir(opened.get()) : nullptr, &::closedir);
    if (!folder) throw unreadable(prefix);
    if (depth > kMaximumDepth) throw Error(Exit::usage, cat("folders are nested too deeply at ", backticked(prefix)));
    opened.release();
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(folder.get());
      if (entry == nullptr && errno != 0) throw unreadable(prefix);
      if (entry == nullptr) return;
      const std::string_view name = entry->d_name;
      if (name != "." && name != ".." && !is_apart(name)) add(::dirfd(folder.get()), entry->d_name, prefix, depth);
    }
  }

  std::vector<SourceFile> files;

 private:
  Error unreadable(const std::string& prefix) const {
    return system_error(Exit::usage, cat("cannot list ", backticked((root_ / prefix).native())));
  }

  void add(int folder, const char* name, const std::string& prefix, int depth) {
    SourceFile file;
    file.path = prefix.empty() ? name : cat(prefix, "/", name);
    if (::fstatat(folder, name, &file.status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return;  // gone since the folder was read
      throw system_error(Exit::usage, cat("cannot read ", backticked((root_ / file.path).native())));
    }
    if (S_ISLNK(file.status.st_mode)) file.link = link_target(folder, name);
    const bool is_folder = S_ISDIR(file.status.st_mode);
    const std::string below = file.path;
    files.push_back(std::move(file));
    if (files.size() > kMaximumFiles) {
      throw Error(Exit::usage, cat("more than a million files below ", backticked(root_.native())));
    }
    if (!is_folder) return;
    list(FileDescriptor(::openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)), below, depth + 1);
  }

  const fs::path& root_;
};

bool is_source_code(std::string_view path) {
  static const std::unordered_set<std::string_view> kNames = {
      "CMakeLists.txt", "Makefile",    "makefile",   "GNUmakefile", "meson.build", "go.mod",       "go.sum",
      "go.work",        "go.work.sum", "Cargo.toml", "Cargo.lock",  "configure",   "whittle.toml", "rust-toolchain"};
  static const std::unordered_set<std::string_view> kSuffixes = {
      "go", "rs", "c",   "cc", "cpp", "cxx",   "C",  "h",  "hh",  "hpp", "hxx", "H",  "inc",   "inl", "ipp",  "tpp",
      "S",  "s",  "asm", "m4", "am",  "cmake", "mk", "in", "zig", "y",   "l",   "ac", "proto", "def", "syso", "toml"};
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const std::size_t dot = name.rfind('.');
  return kNames.contains(name) || (dot != std::string_view::npos && kSuffixes.contains(name.substr(dot + 1)));
}

bool matches_it_or_above(std::string_view pattern, std::string_view path) {
  if (matches_glob(pattern, path)) return true;
  for (std::size_t slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/', slash + 1)) {
    if (matches_glob(pattern, path.substr(0, slash))) return true;
  }
  return false;
}

std::string_view without_slashes(std::string_view pattern) {
  while (pattern.starts_with('/')) pattern.remove_prefix(1);
  while (pattern.ends_with('/')) pattern.remove_suffix(1);
  return pattern;
}

bool is_input(std::string_view path, std::span<const std::string> inputs) {
  return std::any_of(inputs.begin(), inputs.end(),
                     [&](const std::string& glob) { return glob == "**" || matches_glob(glob, path); });
}

}  // namespace

std::vector<SourceFile> list_source(const fs::path& root) {
  Lister lister(root);
  lister.list(FileDescriptor(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)), "", 0);
  std::sort(lister.files.begin(), lister.files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return std::move(lister.files);
}

bool is_ignored(std::string_view path, std::span<const std::string> patterns) {
  bool ignored = false;
  for (const std::string& pattern : patterns) {
    const bool takes_back = pattern.starts_with('!');
    const std::string_view glob = without_slashes(std::string_view(pattern).substr(takes_back ? 1 : 0));
    if (ignored == takes_back && matches_it_or_above(glob, path)) ignored = !takes_back;
  }
  return ignored && !is_source_code(path);
}

Digest digest_of_source(const fs::path& root, std::span<const SourceFile> files, std::span<const std::string> inputs,
                        std::span<const std::string> ignore, StatIndex& index) {
  Hasher hasher;
  const auto add = [&](std::string_view kind, const SourceFile& file, std::string_view content) {
    hasher.update(cat(kind, " ", file.path.size(), " ", file.path, " ", content.size(), " ", content, "\n"));
  };
  std::string absolute;
  for (const SourceFile& file : files) {
    if (!is_input(file.path, inputs) || is_ignored(file.path, ignore)) continue;
    if (S_ISLNK(file.status.st_mode)) add("link", file, file.link);
    if (!S_ISREG(file.status.st_mode)) continue;
    absolute = cat(root.native(), "/", file.path);
    const Digest digest = index.digest(absolute, file.status);
    add((file.status.st_mode & S_IXUSR) != 0 ? "program" : "file", file, text_of(digest.sha256));
  }
  return hasher.digest();
}

}  // namespace whittle::builder
