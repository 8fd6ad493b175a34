#include "layers/image_reader.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <set>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "layers/confined_folder.hpp"

namespace whittle::layers {

namespace {

using Kind = ArchiveEntry::Kind;

constexpr std::string_view kWhiteout = ".wh.", kOpaque = ".wh..wh..opq", kReserved = ".wh..wh.";

std::string layer_name(const oci::Descriptor& layer) {
  return cat("the layer ", layer.digest.str());
}

Error hostile(const ArchiveEntry& entry, const oci::Descriptor& layer, std::string why) {
  Error error(Exit::registry_content, cat("refused to read ", layer_name(layer)));
  error.detail(cat("entry: ", backticked(entry.path)));
  error.cause(std::move(why));
  return error;
}

// What a name that begins with `.wh.` means (image-spec, layer.md).
struct Removal {
  bool is_opaque = false;  // everything of lower layers in `path`
  std::string path;        // "" with is_opaque: the root
};

std::optional<Removal> removal_in(const ArchiveEntry& entry, const oci::Descriptor& layer) {
  const std::size_t slash = entry.path.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : entry.path.substr(0, slash);
  const std::string name = entry.path.substr(slash == std::string::npos ? 0 : slash + 1);
  if (!name.starts_with(kWhiteout)) return std::nullopt;
  if (name == kOpaque) return Removal{.is_opaque = true, .path = folder};
  const std::string removed = name.substr(kWhiteout.size());
  if (name.starts_with(kReserved) || removed.empty() || removed == "." || removed == "..") {
    throw hostile(entry, layer, "it removes no name that could be there");
  }
  return Removal{.path = folder.empty() ? removed : cat(folder, "/", removed)};
}

void check_confined(const ArchiveEntry& entry, const oci::Descriptor& layer) {
  if (entry.is_confined()) return;
  throw hostile(entry, layer,
                entry.kind == Kind::hard_link ? "it leaves the root, or links to what does" : "it leaves the root");
}

// Calls `visit(entry, reader)` for every entry but the root folder, in order; reads the blob to its end, which
// verifies it.
template <class Visit>
void each_entry(const oci::BlobStore& store, const oci::Descriptor& layer, Visit&& visit) {
  const std::unique_ptr<Source> blob = store.open(layer);
  ArchiveReader reader(*blob, layer_name(layer));
  ArchiveEntry entry;
  while (reader.next(entry)) {
    check_confined(entry, layer);
    if (entry.path != ".") visit(entry, reader);
  }
}

// "a//b/./c" → "a/b/c"
std::string plain_path(const std::string& path) {
  std::string plain;
  for (const std::string& part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (!plain.empty()) plain += '/';
    plain += part;
  }
  return plain;
}

using Files = std::map<std::string, ImageFile>;

// Removes `path` and everything below it that comes from a layer under `layer`.
void forget(Files& files, const std::string& path, std::size_t layer, bool is_opaque) {
  const auto is_lower = [&](const Files::value_type& item) { return item.second.layer < layer; };
  if (!is_opaque) {
    if (const auto found = files.find(path); found != files.end() && is_lower(*found)) files.erase(found);
  }
  const std::string prefix = path.empty() ? "" : cat(path, "/");
  for (auto at = files.lower_bound(prefix); at != files.end() && at->first.starts_with(prefix);) {
    at = is_lower(*at) ? files.erase(at) : std::next(at);
  }
}

}  // namespace

std::map<std::string, ImageFile> list_files(const oci::BlobStore& store, const oci::Image& image) {
  Files files;
  for (std::size_t i = 0; i < image.layers.size(); ++i) {
    const oci::Descriptor& layer = image.layers[i].blob;
    each_entry(store, layer, [&](ArchiveEntry& entry, ArchiveReader&) {
      entry.path = plain_path(entry.path);
      if (const std::optional<Removal> removal = removal_in(entry, layer)) {
        return forget(files, removal->path, i, removal->is_opaque);
      }
      // What is not a folder takes the place of a whole folder.
      if (entry.kind != Kind::folder) forget(files, entry.path, i, false);
      files[entry.path] = {.entry = entry, .layer = i};
    });
  }
  return files;
}

namespace {

class Unpacker {
 public:
  Unpacker(const fs::path& target, bool keep_owners, EventSink& events)
      : folder_(target), keep_owners_(keep_owners), events_(events) {}

  void apply(const oci::BlobStore& store, const oci::Descriptor& layer, const std::stop_token& stop) {
    made_here_.clear();
    each_entry(store, layer, [&](ArchiveEntry& entry, ArchiveReader& reader) {
      if (stop.stop_requested()) throw Error(Exit::transient, "stopped while unpacking");
      entry.path = plain_path(entry.path);
      if (const std::optional<Removal> removal = removal_in(entry, layer)) return remove(*removal);
      with_context(cat("cannot unpack ", layer_name(layer)), [&] { add(entry, reader.content()); });
      remember(entry.path);
    });
  }

  // Last, since a folder without write permission could not be filled.
  void set_folder_modes() {
    for (auto at = folder_modes_.rbegin(); at != folder_modes_.rend(); ++at) {
      const ConfinedFolder::Place place = folder_.place(at->first, false);
      const FileDescriptor opened(
          ::openat(place.folder.get(), place.name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (opened && ::fchmod(opened.get(), at->second & 01777U) != 0) throw failed(at->first);
    }
  }

 private:
  static Error failed(const std::string& path) {
    return system_error(Exit::export_failed, cat("cannot write ", backticked(path)));
  }

  void remember(const std::string& path) {
    for (std::size_t end = path.size(); end != std::string::npos;
         end = end == 0 ? std::string::npos : path.rfind('/', end - 1)) {
      if (!made_here_.insert(path.substr(0, end)).second) break;
    }
  }

  void forget_modes(const std::string& path) {
    folder_modes_.erase(path);
    const std::string prefix = path + "/";
    for (auto at = folder_modes_.lower_bound(prefix); at != folder_modes_.end() && at->first.starts_with(prefix);) {
      at = folder_modes_.erase(at);
    }
  }

  // A removal speaks of lower layers only, wherever it stands in its own.
  void remove(const Removal& removal) {
    const auto is_ours = [&](const std::string& path) { return made_here_.contains(path); };
    if (removal.is_opaque) {
      folder_.clear(removal.path, is_ours);
      std::erase_if(folder_modes_, [&](const auto& item) {
        const bool is_below = removal.path.empty() || item.first.starts_with(removal.path + "/");
        return is_below && !is_ours(item.first);
      });
    } else if (!is_ours(removal.path)) {
      folder_.remove(removal.path);
      forget_modes(removal.path);
    }
  }

  void add(const ArchiveEntry& entry, Source& content) {
    const ConfinedFolder::Place place = folder_.place(entry.path, true);
    const int folder = place.folder.get();
    const char* const name = place.name.c_str();
    if (entry.kind == Kind::folder) return add_folder(entry, folder, name);
    if (entry.kind == Kind::hard_link && plain_path(entry.link) == entry.path) return;
    if (entry.kind != Kind::file && entry.kind != Kind::symbolic_link && entry.kind != Kind::hard_link) {
      return events_.info(cat(backticked("/" + entry.path), " is left out: it is a device, a pipe or a socket"));
    }
    remove_at(folder, name);
    forget_modes(entry.path);
    if (entry.kind == Kind::file) return add_file(entry, content, folder, name);
    if (entry.kind == Kind::symbolic_link) {
      if (::symlinkat(entry.link.c_str(), folder, name) != 0) throw failed(entry.path);
      return set_owner(entry, folder, name);
    }
    add_hard_link(entry, folder, name);
  }

  void add_folder(const ArchiveEntry& entry, int folder, const char* name) {
    struct stat status {};
    const bool is_there = ::fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
    if (is_there && !S_ISDIR(status.st_mode)) remove_at(folder, name);
    if ((!is_there || !S_ISDIR(status.st_mode)) && ::mkdirat(folder, name, 0700) != 0) throw failed(entry.path);
    folder_modes_[entry.path] = entry.mode;
    set_owner(entry, folder, name);
  }

  void add_file(const ArchiveEntry& entry, Source& content, int folder, const char* name) {
    const FileDescriptor file(::openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) throw failed(entry.path);
    if (::ftruncate(file.get(), static_cast<off_t>(entry.size)) != 0) throw failed(entry.path);
    std::uint64_t at = 0;
    while (const std::size_t size = content.read(buffer_)) {
      const Bytes piece = std::span(buffer_).first(size);
      if (!holds_zeros_only(piece)) write_at(file, at, piece, entry);
      at += size;
    }
    if (keep_owners_ && ::fchown(file.get(), static_cast<uid_t>(entry.uid), static_cast<gid_t>(entry.gid)) != 0) {
      throw failed(entry.path);
    }
    if (::fchmod(file.get(), entry.mode & 01777U) != 0) throw failed(entry.path);
  }

  static void write_at(const FileDescriptor& file, std::uint64_t at, Bytes bytes, const ArchiveEntry& entry) {
    while (!bytes.empty()) {
      const ssize_t put = ::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(at));
      if (put < 0 && errno != EINTR) throw failed(entry.path);
      const std::size_t size = put < 0 ? 0 : static_cast<std::size_t>(put);
      bytes = bytes.subspan(size);
      at += size;
    }
  }

  void add_hard_link(const ArchiveEntry& entry, int folder, const char* name) {
    const ConfinedFolder::Place from = folder_.place(plain_path(entry.link), false);
    if (::linkat(from.folder.get(), from.name.c_str(), folder, name, 0) == 0) return;
    if (errno != ENOENT && errno != EPERM) throw failed(entry.path);
    Error error(Exit::registry_content, cat("cannot link ", backticked(entry.path), " to ", backticked(entry.link)));
    throw error.cause("there is no such file before it");
  }

  void set_owner(const ArchiveEntry& entry, int folder, const char* name) {
    if (!keep_owners_) return;
    const auto user = static_cast<uid_t>(entry.uid);
    const auto group = static_cast<gid_t>(entry.gid);
    if (::fchownat(folder, name, user, group, AT_SYMLINK_NOFOLLOW) != 0) throw failed(entry.path);
  }

  ConfinedFolder folder_;
  bool keep_owners_;
  EventSink& events_;
  std::map<std::string, unsigned> folder_modes_;
  std::set<std::string> made_here_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(128 * 1024);
};

}  // namespace

void unpack(const oci::BlobStore& store, const oci::Image& image, const fs::path& target, bool keep_owners,
            EventSink& events, std::stop_token stop) {
  Unpacker unpacker(target, keep_owners, events);
  for (const oci::Layer& layer : image.layers) unpacker.apply(store, layer.blob, stop);
  unpacker.set_folder_modes();
}

}  // namespace whittle::layers
