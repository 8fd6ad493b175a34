#include <algorithm>
#include <map>
#include <mutex>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/tar.hpp"
#include "base/text.hpp"
#include "registry/image_sink.hpp"
#include "registry/progress.hpp"

namespace whittle::registry {

namespace {

constexpr std::string_view kReferenceName = "org.opencontainers.image.ref.name";
constexpr std::string_view kContainerdName = "io.containerd.image.name";

std::string blob_path(const Digest& digest) {
  return cat("blobs/sha256/", digest.hex());
}

// Nothing is written before `tag`, since the index comes first in the file and blobs come in any order; a
// blob is remembered with the store that it lies in, and a manifest as its text.
class ArchiveSink : public ImageSink {
 public:
  ArchiveSink(fs::path file, std::string name) : file_(std::move(file)), name_(std::move(name)) {}

  bool has_manifest(const oci::Descriptor&) override { return false; }

  bool put_blob(const oci::Descriptor& blob, const oci::BlobSource& from) override {
    const std::lock_guard lock(mutex_);
    store_ = &from;
    blobs_[blob.digest] = blob;
    return true;
  }

  bool put_manifest(const oci::Descriptor& manifest, std::string_view json) override {
    manifests_[manifest.digest] = json;
    if (!first_image_ && oci::media_type::is_manifest(manifest.media_type)) first_image_ = json;
    return true;
  }

  bool tag(const oci::Descriptor& root, std::string_view json) override {
    put_manifest(root, json);
    const fs::path folder = file_.parent_path().empty() ? fs::path(".") : file_.parent_path();
    AtomicFile out(folder);
    TarWriter tar(out);
    add_text(tar, "oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
    add_text(tar, "index.json", index_json(root));
    if (first_image_) add_text(tar, "manifest.json", docker_manifest_json());
    tar.add({.path = "blobs", .kind = TarHeader::Kind::folder, .mode = 0755, .link = {}, .attributes = {}});
    tar.add({.path = "blobs/sha256", .kind = TarHeader::Kind::folder, .mode = 0755, .link = {}, .attributes = {}});
    add_blobs(tar);
    tar.finish();
    out.commit(file_);
    return true;
  }

  std::string where() const override { return cat("archive:", file_.native()); }

  std::string left_behind(std::size_t, std::size_t) const override {
    return cat(backticked(file_.native()), " was not written");
  }

 private:
  static void add_text(TarWriter& tar, std::string path, std::string_view text) {
    StringSource content(text);
    tar.add({.path = std::move(path), .size = text.size(), .mode = 0644, .link = {}, .attributes = {}}, content);
  }

  // By digest, manifests among the layers: the order in which they came does not show.
  void add_blobs(TarWriter& tar) const {
    std::map<Digest, const oci::Descriptor*> all;
    for (const auto& [digest, blob] : blobs_) all[digest] = &blob;
    for (const auto& [digest, json] : manifests_) all[digest] = nullptr;
    for (const auto& [digest, blob] : all) {
      if (blob == nullptr) {
        add_text(tar, blob_path(digest), manifests_.at(digest));
        continue;
      }
      const auto content = store_->open(*blob);
      tar.add({.path = blob_path(digest), .size = blob->size, .mode = 0644, .link = {}, .attributes = {}}, *content);
    }
  }

  std::string index_json(const oci::Descriptor& root) const {
    oci::Index index{.media_type = std::string(oci::media_type::kIndex), .manifests = {root}, .annotations = {}};
    if (!name_.empty()) {
      index.manifests[0].annotations[std::string(kReferenceName)] = name_;
      index.manifests[0].annotations[std::string(kContainerdName)] = name_;
    }
    return index.encode();
  }

  // For `docker load`, which knows no index: the first image, its layers by the paths that they have here.
  std::string docker_manifest_json() const {
    const oci::Manifest manifest = oci::Manifest::decode(*first_image_, "the manifest");
    Json layers = Json::array();
    for (const oci::Descriptor& layer : manifest.layers) layers.push_back(blob_path(layer.digest));
    Json names = Json::array();
    if (!name_.empty()) names.push_back(name_);
    return canonical_json(Json::array({Json{{"Config", blob_path(manifest.config.digest)},
                                            {"Layers", std::move(layers)},
                                            {"RepoTags", std::move(names)}}}));
  }

  fs::path file_;
  std::string name_;
  std::mutex mutex_;
  const oci::BlobSource* store_ = nullptr;
  std::map<Digest, oci::Descriptor> blobs_;
  std::map<Digest, std::string> manifests_;
  std::optional<std::string> first_image_;
};

}  // namespace

std::unique_ptr<ImageSink> archive_sink(const fs::path& file, std::string name) {
  return std::make_unique<ArchiveSink>(file, std::move(name));
}

}  // namespace whittle::registry
