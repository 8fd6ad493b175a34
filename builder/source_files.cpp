#include "builder/source_files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <exception>
#include <iterator>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "plan/input_patterns.hpp"
#include "proof/elf.hpp"

namespace whittle::builder {

namespace {

constexpr std::size_t kMaximumFiles = 1'000'000;
constexpr int kMaximumDepth = 512;

bool is_own_folder_of_a_tool(std::string_view name) {
  return name == ".git" || name == ".hg" || name == ".svn" || name == ".whittle";
}

constexpr std::array kPackageMarks = {".package-lock.json", ".modules.yaml", ".yarn-integrity", ".yarn-state.yml",
                                      ".bin"};

std::string link_target(int folder, const char* name) {
  std::array<char, 4096> target{};
  const ssize_t size = ::readlinkat(folder, name, target.data(), target.size());
  return size < 0 ? std::string() : std::string(target.data(), static_cast<std::size_t>(size));
}

// Package managers of Node leave a file of theirs in the folders that they fill.
bool holds_packages_of_node(int folder) {
  struct stat status {};
  return std::any_of(kPackageMarks.begin(), kPackageMarks.end(),
                     [&](const char* mark) { return ::fstatat(folder, mark, &status, AT_SYMLINK_NOFOLLOW) == 0; });
}

// What other tools made and would make again: cargo's and many others' folders say so (bford.info/cachedir),
// CMake's are known by their cache. They may be larger than the sources and change with every build.
bool holds_build_products(int folder) {
  constexpr std::string_view kSignature = "Signature: 8a477f597d28d172789f06886806bc55";
  struct stat status {};
  if (::fstatat(folder, "CMakeCache.txt", &status, AT_SYMLINK_NOFOLLOW) == 0) return true;
  const FileDescriptor tag(::openat(folder, "CACHEDIR.TAG", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  std::array<char, kSignature.size()> text{};
  return tag && ::read(tag.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
         std::string_view(text.data(), text.size()) == kSignature;
}

// Lists through descriptors, so that long paths and folders that are renamed meanwhile do no harm. A status call takes
// a microsecond or two, so two threads share the folders of a large tree.
class Lister {
 public:
  Lister(const fs::path& root, const fs::path& apart, bool everything) : root_(root), everything_(everything) {
    if (apart.empty() || ::stat(apart.c_str(), &apart_) != 0) apart_ = {};
  }

  struct Found {
    std::vector<SourceFile> files;
    std::vector<std::string> left_out;
  };

  Found list() {
    Found found;
    waiting_.push_back({FileDescriptor(::open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)), "", 0});
    while (!waiting_.empty() && waiting_.size() < kWorthAThread) {
      Place place = std::move(waiting_.back());
      waiting_.pop_back();
      list(std::move(place), found);
    }
    if (waiting_.empty()) return found;
    Found of_other;
    {
      const std::jthread other([&] { work(of_other); });
      work(found);
    }
    if (error_) std::rethrow_exception(error_);
    std::move(of_other.files.begin(), of_other.files.end(), std::back_inserter(found.files));
    std::move(of_other.left_out.begin(), of_other.left_out.end(), std::back_inserter(found.left_out));
    return found;
  }

 private:
  // A folder that is open and not listed yet.
  struct Place {
    FileDescriptor opened;
    std::string path;
    int depth = 0;
  };
  static constexpr std::size_t kMostWaiting = 64;  // descriptors are few
  static constexpr std::size_t kWorthAThread = 8;

  // Lists what waits, and what comes to wait, until nobody has anything left.
  void work(Found& found) {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return !waiting_.empty() || busy_ == 0 || error_; });
      if (waiting_.empty() || error_) break;
      Place place = std::move(waiting_.back());
      waiting_.pop_back();
      ++busy_;
      lock.unlock();
      std::exception_ptr error;
      try {
        list(std::move(place), found);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      if (error && !error_) error_ = error;
      --busy_;
      if (busy_ == 0) changed_.notify_all();
    }
    changed_.notify_all();
  }

  // For any thread to list; or, when enough wait already, for this one at once.
  void descend(Place place, Found& found) {
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.size() < kMostWaiting) {
        waiting_.push_back(std::move(place));
        changed_.notify_one();
        return;
      }
    }
    list(std::move(place), found);
  }

  void list(Place place, Found& found) {
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(place.opened ? ::fdopendir(place.opened.get()) : nullptr,
                                                     &::closedir);
    if (!folder) throw unreadable(place.path);
    if (place.depth > kMaximumDepth) {
      throw Error(Exit::usage, cat("folders are nested too deeply at ", backticked(place.path)));
    }
    place.opened.release();
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(folder.get());
      if (entry == nullptr && errno != 0) throw unreadable(place.path);
      if (entry == nullptr) return;
      const std::string_view name = entry->d_name;
      if (name != "." && name != ".." && !is_own_folder_of_a_tool(name)) {
        add(::dirfd(folder.get()), entry->d_name, place, found);
      }
    }
  }

  Error unreadable(const std::string& prefix) const {
    return system_error(Exit::usage, cat("cannot list ", backticked((root_ / prefix).native())));
  }

  void add(int folder, const char* name, const Place& in, Found& found) {
    SourceFile file;
    file.path = in.path.empty() ? name : cat(in.path, "/", name);
    if (::fstatat(folder, name, &file.status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return;  // gone since the folder was read
      throw system_error(Exit::usage, cat("cannot read ", backticked((root_ / file.path).native())));
    }
    const bool is_folder = S_ISDIR(file.status.st_mode);
    const bool is_apart = file.status.st_ino == apart_.st_ino && file.status.st_dev == apart_.st_dev;
    if (is_folder && is_apart) return;
    if (S_ISLNK(file.status.st_mode)) file.link = link_target(folder, name);
    Place below{.opened = {}, .path = file.path, .depth = in.depth + 1};
    if (is_folder) {
      below.opened = FileDescriptor(::openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      const bool is_made =
          below.opened && (holds_build_products(below.opened.get()) ||
                           (std::string_view(name) == "node_modules" && holds_packages_of_node(below.opened.get())));
      if (!everything_ && is_made) {
        found.left_out.push_back(std::move(file.path));
        return;
      }
    }
    found.files.push_back(std::move(file));
    if (++count_ > kMaximumFiles) {
      throw Error(Exit::usage, cat("more than a million files below ", backticked(root_.native())));
    }
    if (is_folder) descend(std::move(below), found);
  }

  const fs::path& root_;
  bool everything_;
  struct stat apart_ {};
  std::atomic<std::size_t> count_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;  // something waits, or nobody is busy any more
  std::vector<Place> waiting_;
  std::size_t busy_ = 0;  // threads that are listing a folder
  std::exception_ptr error_;
};

bool is_source_code(std::string_view path) {
  static const std::unordered_set<std::string_view> kNames = {
      "CMakeLists.txt", "Makefile",    "makefile",   "GNUmakefile", "meson.build", "go.mod",       "go.sum",
      "go.work",        "go.work.sum", "Cargo.toml", "Cargo.lock",  "configure",   "whittle.toml", "rust-toolchain"};
  static const std::unordered_set<std::string_view> kSuffixes = {
      "go",  "rs",  "c",   "cc",  "cpp",   "cxx", "C",   "h",   "hh",  "hpp", "hxx",    "H",     "inc", "inl",  "ipp",
      "tpp", "js",  "mjs", "cjs", "ts",    "mts", "cts", "jsx", "tsx", "vue", "svelte", "astro", "css", "scss", "S",
      "s",   "asm", "m4",  "am",  "cmake", "mk",  "in",  "zig", "y",   "l",   "ac",     "proto", "def", "syso", "toml"};
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const std::size_t dot = name.rfind('.');
  return kNames.contains(name) || (dot != std::string_view::npos && kSuffixes.contains(name.substr(dot + 1)));
}

std::vector<SourceFile> listed(const fs::path& root, const fs::path& apart, bool everything,
                               std::vector<std::string>* left_out = nullptr) {
  Lister::Found found = Lister(root, apart, everything).list();
  std::sort(found.files.begin(), found.files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  std::sort(found.left_out.begin(), found.left_out.end());
  if (left_out != nullptr) *left_out = std::move(found.left_out);
  return std::move(found.files);
}

}  // namespace

std::vector<SourceFile> list_source(const fs::path& root, const fs::path& apart, std::vector<std::string>* left_out) {
  return listed(root, apart, false, left_out);
}

std::vector<SourceFile> list_everything(const fs::path& root) {
  return listed(root, {}, true);
}

Sighting sighting_of(std::span<const SourceFile> files) {
  Hasher hasher;
  std::int64_t last_change = 0;
  for (const SourceFile& file : files) {
    hasher.update(file.path);
    hasher.update(file.link);
    const std::array<std::int64_t, 8> numbers = {static_cast<std::int64_t>(file.path.size()),
                                                 static_cast<std::int64_t>(file.link.size()),
                                                 static_cast<std::int64_t>(file.status.st_dev),
                                                 static_cast<std::int64_t>(file.status.st_ino),
                                                 static_cast<std::int64_t>(file.status.st_mode),
                                                 file.status.st_size,
                                                 nanoseconds(file.status.st_mtim),
                                                 nanoseconds(file.status.st_ctim)};
    hasher.update(std::as_bytes(std::span(numbers)));
    last_change = std::max({last_change, numbers[6], numbers[7]});
  }
  return {.digest = hasher.digest(), .last_change = last_change};
}

bool is_object_or_program(const fs::path& root, const SourceFile& file) {
  if (!S_ISREG(file.status.st_mode)) return false;
  const std::string_view name = std::string_view(file.path).substr(file.path.rfind('/') + 1);
  const bool is_object = name.ends_with(".o") || name.ends_with(".lo");
  const bool may_be_program = (file.status.st_mode & S_IXUSR) != 0 && name.find('.') == std::string_view::npos;
  return (is_object || may_be_program) && proof::is_elf(root / file.path);
}

bool is_ignored(std::string_view path, const plan::IgnorePatterns& patterns) {
  return patterns.matches(path) && !is_source_code(path);
}

Digest digest_of_source(const fs::path& root, std::span<const SourceFile> files, std::span<const std::string> inputs,
                        const plan::IgnorePatterns& ignore, StatIndex& index) {
  Hasher hasher;
  const auto add = [&](std::string_view kind, const SourceFile& file, std::string_view content) {
    hasher.update(cat(kind, " ", file.path.size(), " ", file.path, " ", content.size(), " ", content, "\n"));
  };
  std::string absolute;
  for (const SourceFile& file : files) {
    if (!plan::is_input(file.path, inputs) || is_ignored(file.path, ignore)) continue;
    if (S_ISLNK(file.status.st_mode)) add("link", file, file.link);
    if (!S_ISREG(file.status.st_mode)) continue;
    absolute = cat(root.native(), "/", file.path);
    const Digest digest = index.digest(absolute, file.status);
    add((file.status.st_mode & S_IXUSR) != 0 ? "program" : "file", file, text_of(digest.sha256));
  }
  return hasher.digest();
}

}  // namespace whittle::builder
