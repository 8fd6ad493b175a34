#include "gateway/serve_shelf.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "server/beneath.hpp"

namespace whittle::gateway {

namespace {

constexpr const char* kIndexFile = "index.json";

server::Descriptor open_folder(const fs::path& folder) {
  server::Descriptor root(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) throw system_error(Exit::refused, cat("cannot open ", backticked(folder.native())));
  return root;
}

bool is_same(const struct stat& a, const struct stat& b) {
  return a.st_ino == b.st_ino && a.st_size == b.st_size && nanoseconds(a.st_mtim) == nanoseconds(b.st_mtim);
}

std::string blob_path(const Digest& digest) {
  return cat("blobs/sha256/", digest.hex());
}

}  // namespace

Shelf::Shelf(const oci::Layout& store, const oci::Layout* cache, ServeMetrics& metrics, EventSink& events)
    : metrics_(metrics), events_(events) {
  places_.push_back({.layout = &store, .root = open_folder(store.root())});
  if (cache != nullptr) places_.push_back({.layout = cache, .root = open_folder(cache->root())});
  has_changed();
  read_catalog();
}

bool Shelf::has_changed() {
  bool has = false;
  for (Place& place : places_) {
    struct stat now {};
    if (::fstatat(place.root.get(), kIndexFile, &now, 0) != 0) continue;
    has = has || !is_same(now, place.seen);
    place.seen = now;
  }
  return has;
}

void Shelf::read_catalog() {
  std::vector<const oci::Layout*> layouts;
  for (const Place& place : places_) layouts.push_back(place.layout);
  catalog_ = std::make_shared<const Catalog>(layouts, events_);
  metrics_.repositories = catalog_->repositories();
  metrics_.tags = catalog_->tags();
}

std::shared_ptr<const Catalog> Shelf::catalog() {
  const std::lock_guard lock(mutex_);
  if (has_changed()) {
    try {
      read_catalog();
    } catch (const Error& error) {
      events_.warn(cat("still serving what was here before: ", error.message()));
    }
  }
  return catalog_;
}

std::optional<Shelf::OpenBlob> Shelf::open_file(const Place& place, const std::string& path) {
  server::Descriptor file = server::open_beneath(place.root, path.c_str());
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return OpenBlob{.file = std::move(file), .size = static_cast<std::uint64_t>(status.st_size)};
}

std::optional<Shelf::OpenBlob> Shelf::open(const Digest& digest) const {
  for (const Place& place : places_) {
    if (auto found = open_file(place, blob_path(digest))) return found;
  }
  return std::nullopt;
}

server::Descriptor Shelf::open_partial(const Digest& digest) const {
  auto found = open_file(places_.back(), cat(".partial-", digest.hex()));
  return found ? std::move(found->file) : server::Descriptor();
}

std::optional<oci::Descriptor> Shelf::describe(const Digest& digest) const {
  const auto found = open(digest);
  if (!found || found->size > oci::kMaximumManifest) return std::nullopt;
  std::string text(found->size, '\0');
  if (::pread(found->file.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) return std::nullopt;
  try {
    const std::string type = manifest_type(parse_json(text, digest.str()));
    if (type.empty()) return std::nullopt;
    return oci::Descriptor{.media_type = type, .digest = digest, .size = found->size};
  } catch (const Error&) {
    return std::nullopt;  // a layer or a config
  }
}

}  // namespace whittle::gateway
