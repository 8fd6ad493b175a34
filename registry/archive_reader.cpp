// An archive is read twice: first the few texts that say what it holds, then the blobs that they name. So
// nothing that is not part of the image enters the store, whatever the order of the entries.
#include <map>
#include <set>

#include "base/archive.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "oci/layout.hpp"
#include "registry/image_sink.hpp"

namespace whittle::registry {

namespace {

constexpr std::uint64_t kMaximumText = 4 << 20;
constexpr std::size_t kMostLinks = 10'000;
constexpr int kContent = static_cast<int>(Exit::registry_content);

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

// `docker save` stores a layer that several images share once, and links to it (`../ID/layer.tar`).
std::optional<std::string> link_target(const ArchiveEntry& entry) {
  if (entry.kind == ArchiveEntry::Kind::hard_link) return entry.link;
  if (entry.kind != ArchiveEntry::Kind::symbolic_link || entry.link.starts_with('/')) return std::nullopt;
  std::vector<std::string> parts;
  for (const std::string& part : split(cat(parent_of(entry.path), "/", entry.link), '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (parts.empty()) {
      return std::nullopt;
    } else {
      parts.pop_back();
    }
  }
  return join(parts, "/");
}

struct Texts {
  std::optional<std::string> index, docker_manifest;
  std::map<std::string, std::string> links;
};

struct StoredFile {
  Digest digest;
  std::uint64_t size = 0;
  std::string first_bytes;  // four at most
};

class Reading {
 public:
  Reading(const fs::path& file, oci::BlobStore& into) : file_(file), what_(backticked(file.native())), into_(into) {}

  ArchivedImage run() {
    texts_ = read_texts();
    if (texts_.index) return read_layout();
    if (texts_.docker_manifest) return read_docker();
    throw content_error("it has neither `index.json` nor `manifest.json`");
  }

 private:
  template <class Function>
  void each_entry(Function&& use) {
    FileSource source(file_);
    ArchiveReader reader(source, what_);
    ArchiveEntry entry;
    while (reader.next(entry)) use(entry, reader);
  }

  Texts read_texts() {
    Texts texts;
    each_entry([&](const ArchiveEntry& entry, ArchiveReader& reader) {
      if (entry.kind == ArchiveEntry::Kind::file) {
        if (entry.path == "index.json") texts.index = read_all(reader.content(), kMaximumText, "`index.json`");
        if (entry.path == "manifest.json")
          texts.docker_manifest = read_all(reader.content(), kMaximumText, "`manifest.json`");
        return;
      }
      const auto target = link_target(entry);
      if (target && texts.links.size() < kMostLinks) texts.links[entry.path] = *target;
    });
    return texts;
  }

  ArchivedImage read_layout() {
    const oci::Index index = oci::Index::decode(*texts_.index, cat("`index.json` of ", what_));
    require_one(index);
    each_entry([&](const ArchiveEntry& entry, ArchiveReader& reader) {
      constexpr std::string_view kBlobs = "blobs/sha256/";
      if (entry.kind != ArchiveEntry::Kind::file || !entry.path.starts_with(kBlobs)) return;
      const auto digest = Digest::parse(cat("sha256:", entry.path.substr(kBlobs.size())));
      if (!digest) throw content_error(cat("the blob ", backticked(entry.path), " is not named by a digest"));
      if (into_.has(*digest, entry.size)) return;
      oci::BlobStore::Writer writer(into_);
      copy(reader.content(), writer);
      writer.commit(oci::Descriptor{.media_type = {}, .digest = *digest, .size = entry.size});
    });
    oci::Descriptor root = index.manifests.front();
    const std::string name = name_in(root.annotations);
    root.annotations.erase("org.opencontainers.image.ref.name");
    root.annotations.erase("io.containerd.image.name");
    require_all_below(root);
    return {root, name};
  }

  void require_all_below(const oci::Descriptor& root) const {
    std::vector<oci::Descriptor> below;
    try {
      below = oci::closure(into_, root);
    } catch (const Error& error) {
      throw content_error(error.message());
    }
    for (const oci::Descriptor& blob : below) {
      if (!into_.has(blob.digest, blob.size)) throw content_error(cat("the blob ", blob.digest.str(), " is missing"));
    }
  }

  void require_one(const oci::Index& index) const {
    if (index.manifests.size() == 1) return;
    Error error = content_error(cat("it holds ", index.manifests.size(), " images; whittle reads archives with one"));
    for (const oci::Descriptor& manifest : index.manifests) {
      const std::string name = name_in(manifest.annotations);
      error.detail(cat("it has: ", name.empty() ? manifest.digest.str() : printable(name)));
    }
    throw error;
  }

  static std::string name_in(const oci::Annotations& annotations) {
    for (const char* key : {"io.containerd.image.name", "org.opencontainers.image.ref.name"}) {
      if (const auto found = annotations.find(key); found != annotations.end()) return found->second;
    }
    return {};
  }

  ArchivedImage read_docker() {
    const std::string what = cat("`manifest.json` of ", what_);
    const Json document = parse_json(*texts_.docker_manifest, what, kContent);
    if (!document.is_array() || document.size() != 1 || !document[0].is_object()) {
      throw content_error(
          cat("it holds ", document.is_array() ? document.size() : 0, " images; whittle reads archives with one"));
    }
    const std::string config = json_member<std::string>(document[0], "Config", what);
    const auto layers = json_member<std::vector<std::string>>(document[0], "Layers", what);
    const auto names = json_member_or<std::vector<std::string>>(document[0], "RepoTags", {}, what);
    const std::map<std::string, StoredFile> stored = store_named(config, layers);

    oci::Manifest manifest{
        .media_type = std::string(oci::media_type::kManifest), .config = {}, .layers = {}, .annotations = {}};
    manifest.config = descriptor(stored, config, oci::media_type::kConfig);
    for (const std::string& layer : layers) manifest.layers.push_back(layer_descriptor(stored, layer));
    into_.read(manifest.config, oci::kMaximumConfig);
    return {into_.put(manifest.encode(), oci::media_type::kManifest), names.empty() ? std::string() : names.front()};
  }

  // The path at which the content lies, links followed.
  std::string resolved(std::string path) const {
    for (int hop = 0; hop < 8; ++hop) {
      const auto link = texts_.links.find(path);
      if (link == texts_.links.end()) break;
      path = link->second;
    }
    return path;
  }

  std::map<std::string, StoredFile> store_named(const std::string& config, const std::vector<std::string>& layers) {
    std::set<std::string> wanted = {resolved(config)};
    for (const std::string& layer : layers) wanted.insert(resolved(layer));
    std::map<std::string, StoredFile> stored;
    each_entry([&](const ArchiveEntry& entry, ArchiveReader& reader) {
      if (entry.kind != ArchiveEntry::Kind::file || wanted.count(entry.path) == 0) return;
      oci::BlobStore::Writer writer(into_);
      copy(reader.content(), writer);
      const oci::Descriptor blob = writer.commit("");
      stored[entry.path] = {blob.digest, blob.size, first_bytes_of(blob)};
    });
    return stored;
  }

  std::string first_bytes_of(const oci::Descriptor& blob) const {
    FileSource source(into_.path(blob.digest));
    std::array<std::byte, 4> room{};
    return std::string(text_of(std::span(room).first(source.read(room))));
  }

  oci::Descriptor descriptor(const std::map<std::string, StoredFile>& stored, const std::string& path,
                             std::string_view media_type) const {
    const auto found = stored.find(resolved(path));
    if (found == stored.end()) throw content_error(cat("the file ", backticked(path), " is missing"));
    return {.media_type = std::string(media_type), .digest = found->second.digest, .size = found->second.size};
  }

  oci::Descriptor layer_descriptor(const std::map<std::string, StoredFile>& stored, const std::string& path) const {
    oci::Descriptor layer = descriptor(stored, path, oci::media_type::kLayerTar);
    const std::string& start = stored.at(resolved(path)).first_bytes;
    if (start.starts_with("\x1f\x8b")) layer.media_type = oci::media_type::kLayerGzip;
    if (start == "\x28\xb5\x2f\xfd") layer.media_type = oci::media_type::kLayerZstd;
    return layer;
  }

  Error content_error(std::string why) const {
    Error error(Exit::registry_content, cat("cannot read an image from ", what_));
    error.cause(std::move(why));
    return error;
  }

  fs::path file_;
  std::string what_;
  oci::BlobStore& into_;
  Texts texts_;
};

}  // namespace

ArchivedImage read_archive(const fs::path& file, oci::BlobStore& into, EventSink&) {
  return Reading(file, into).run();
}

}  // namespace whittle::registry
