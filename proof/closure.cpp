#include "proof/closure.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::proof {

namespace {

constexpr std::size_t kMostLibraries = 1000;
constexpr int kMostLinks = 40;
constexpr int kMostConfigurationFiles = 100;

std::string file_name(std::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));
}

std::string folder_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string_view::npos ? "/" : std::string(path.substr(0, slash));
}

// Folders that glibc's loader of each architecture knows without configuration; Debian's first.
std::vector<std::string> known_folders(std::string_view machine) {
  static const std::map<std::string, std::string, std::less<>> kTriplets = {
      {"amd64", "x86_64-linux-gnu"},    {"arm64", "aarch64-linux-gnu"}, {"arm", "arm-linux-gnueabihf"},
      {"riscv64", "riscv64-linux-gnu"}, {"386", "i386-linux-gnu"},      {"ppc64le", "powerpc64le-linux-gnu"},
      {"s390x", "s390x-linux-gnu"}};
  std::vector<std::string> folders;
  if (const auto triplet = kTriplets.find(machine); triplet != kTriplets.end()) {
    folders = {cat("/lib/", triplet->second), cat("/usr/lib/", triplet->second)};
  }
  folders.insert(folders.end(), {"/lib64", "/usr/lib64", "/lib", "/usr/lib"});
  return folders;
}

// What `/etc/ld.so.conf` adds to them: the folders whose content is in the loader's cache.
class ConfiguredFolders {
 public:
  explicit ConfiguredFolders(const fs::path& root) : root_(root) {
    if (!resolved_in(root, "/etc/ld.so.cache").empty()) read("/etc/ld.so.conf");
  }
  const std::vector<std::string>& list() const { return folders_; }

 private:
  void read(const std::string& path) {
    if (++files_ > kMostConfigurationFiles) return;
    const fs::path real = resolved_in(root_, path);
    const std::optional<std::string> text = real.empty() ? std::nullopt : read_file_if_exists(real, 1 << 20);
    for (const std::string& raw : split_lines(text.value_or(""))) {
      const std::string_view line = trim(std::string_view(raw).substr(0, raw.find('#')));
      if (line.starts_with("include ")) {
        include(std::string(trim(line.substr(8))));
      } else if (line.starts_with('/')) {
        folders_.emplace_back(line);
      }
    }
  }

  void include(const std::string& pattern) {
    const std::string absolute = pattern.starts_with('/') ? pattern : cat("/etc/", pattern);
    const std::string folder = folder_name(absolute);
    const fs::path real = resolved_in(root_, folder);
    std::set<std::string> names;
    std::error_code problem;
    for (const fs::directory_entry& entry : fs::directory_iterator(real.empty() ? "/nonexistent" : real, problem)) {
      const std::string path = cat(folder, "/", entry.path().filename().native());
      if (matches_glob(absolute, path)) names.insert(path);
    }
    for (const std::string& name : names) read(name);
  }

  const fs::path& root_;
  std::vector<std::string> folders_;
  int files_ = 0;
};

struct Met {
  std::string path;  // in the root: "/bin/x", "/usr/lib/libfoo.so.1"
  ElfFile elf;
};

class Search {
 public:
  Search(const ElfFile& program, const fs::path& root)
      : root_(root), program_(program), known_(known_folders(program.machine)), configured_(root) {}

  Closure run(std::string_view origin) {
    if (program_.interpreter) add_loader(origin);
    waiting_.push_back({std::string(origin), program_});
    while (!waiting_.empty() && closure_.files.size() < kMostLibraries) {
      const Met object = std::move(waiting_.front());
      waiting_.pop_front();
      for (const std::string& name : object.elf.needed) need(name, object);
      if (object.elf.has_inherited_run_paths) inherit(object);
    }
    add_what_is_loaded_late();
    move_to_known_folders();
    return std::move(closure_);
  }

 private:
  void add_loader(std::string_view origin) {
    const std::string& path = *program_.interpreter;
    const fs::path real = resolved_in(root_, path);
    if (real.empty() || !is_elf(real)) {
      closure_.missing.push_back(cat(path, ", the loader of ", origin));
      return;
    }
    met_.insert(file_name(path));
    // musl's loader is its C library as well.
    if (file_name(path).starts_with("ld-musl-")) met_.insert({"libc.so", cat("libc.", file_name(path).substr(3))});
    closure_.files.push_back({real, path, cat("loader of ", origin)});
  }

  void need(const std::string& name, const Met& by) {
    if (!met_.insert(file_name(name)).second) return;
    const std::optional<Met> found = find(name, by);
    if (!found) {
      closure_.missing.push_back(cat(name, ", needed by ", by.path));
      return;
    }
    closure_.files.push_back({resolved_in(root_, found->path), found->path, cat("needed by ", by.path)});
    if (file_name(found->path).starts_with("libc.so.")) c_library_ = *found;
    waiting_.push_back(*found);
  }

  std::optional<Met> find(const std::string& name, const Met& by) const {
    if (name.find('/') != std::string::npos) return usable(expanded(name, by.path));
    std::vector<std::string> folders = by.elf.run_folders();
    for (std::string& folder : folders) folder = expanded(folder, by.path);
    for (const auto* more : {&inherited_, &configured_.list(), &known_}) {
      folders.insert(folders.end(), more->begin(), more->end());
    }
    for (const std::string& folder : folders) {
      if (!folder.starts_with('/')) continue;
      if (std::optional<Met> found = usable(cat(folder, "/", name))) return found;
    }
    return std::nullopt;
  }

  // The loader passes over what is no library, or one of another machine.
  std::optional<Met> usable(const std::string& path) const {
    const fs::path real = resolved_in(root_, path);
    if (real.empty() || !is_elf(real)) return std::nullopt;
    try {
      ElfFile elf = read_elf(real);
      if (elf.machine != program_.machine || elf.is_64_bit != program_.is_64_bit) return std::nullopt;
      return Met{fs::path(path).lexically_normal().native(), std::move(elf)};
    } catch (const Error&) {
      return std::nullopt;
    }
  }

  static std::string expanded(std::string text, const std::string& object) {
    for (const std::string_view token : {"${ORIGIN}", "$ORIGIN"}) {
      for (std::size_t at = text.find(token); at != std::string::npos; at = text.find(token)) {
        text.replace(at, token.size(), folder_name(object));
      }
    }
    return text;
  }

  // DT_RPATH, without DT_RUNPATH beside it, holds for everything that the object brings along.
  void inherit(const Met& object) {
    for (const std::string& folder : object.elf.run_folders()) inherited_.push_back(expanded(folder, object.path));
  }

  bool uses(std::initializer_list<std::string_view> symbols) const {
    return std::any_of(symbols.begin(), symbols.end(),
                       [&](std::string_view symbol) { return program_.asks_for(symbol); });
  }

  // What glibc opens by itself when a function is called, so that no NEEDED names it.
  void add_what_is_loaded_late() {
    if (!c_library_) return;
    if (uses({"pthread_cancel", "pthread_exit"})) late("libgcc_s.so.1", "pthread_cancel");
    if (c_library_->elf.defines("_nss_files_getpwnam_r")) return;  // since 2.34
    if (!uses({"getaddrinfo", "gethostbyname", "getnameinfo", "getpwnam", "getpwuid", "getgrnam"})) return;
    for (const char* name : {"libnss_files.so.2", "libnss_dns.so.2"}) late(name, "the name service of glibc");
  }

  void late(const std::string& name, std::string_view why) {
    if (met_.contains(name)) return;
    const std::optional<Met> found = find(name, *c_library_);
    if (!found) return;
    met_.insert(name);
    closure_.files.push_back({resolved_in(root_, found->path), found->path, cat("loaded by ", why)});
  }

  // In the image the loader has no cache: it finds what lies beside the C library, and what a run path names would
  // have to be where it was built. So everything goes there.
  void move_to_known_folders() {
    const std::string home = c_library_ ? folder_name(c_library_->path) : "/lib";
    const bool is_merged = home.starts_with("/usr/");
    const std::string twin = is_merged ? home.substr(4) : cat("/usr", home);
    for (ClosureFile& file : closure_.files) {
      const bool is_loader = program_.interpreter && file.installed == *program_.interpreter;
      const std::string folder = folder_name(file.installed);
      if (!is_loader && folder != home && folder != twin) {
        file.installed = cat(home, "/", file_name(file.installed));
      }
    }
  }

  const fs::path& root_;
  const ElfFile& program_;
  std::vector<std::string> known_, inherited_;
  ConfiguredFolders configured_;
  std::deque<Met> waiting_;
  std::set<std::string> met_;  // by name, as the loader tells libraries apart
  std::optional<Met> c_library_;
  Closure closure_;
};

}  // namespace

fs::path resolved_in(const fs::path& root, std::string_view path) {
  std::vector<std::string> parts, done;
  const auto push = [&](std::string_view text) {
    std::vector<std::string> more = split(text, '/');
    parts.insert(parts.end(), more.rbegin(), more.rend());
  };
  push(path);
  int links = 0;
  fs::path here = root;
  while (!parts.empty()) {
    const std::string part = parts.back();
    parts.pop_back();
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (!done.empty()) done.pop_back();
    } else {
      done.push_back(part);
    }
    here = root / join(done, "/");
    std::error_code problem;
    const fs::file_status status = fs::symlink_status(here, problem);
    if (problem || !fs::exists(status)) return {};
    if (!fs::is_symlink(status)) continue;
    if (++links > kMostLinks) return {};
    const std::string target = fs::read_symlink(here, problem).native();
    if (problem) return {};
    done.pop_back();
    if (target.starts_with('/')) done.clear();
    push(target);
  }
  return here;
}

std::string name_of_missing(std::string_view entry) {
  return std::string(entry.substr(0, entry.find(',')));
}

Closure closure_of(const ElfFile& elf, const fs::path& root, std::string_view origin) {
  return Search(elf, root).run(origin);
}

}  // namespace whittle::proof
