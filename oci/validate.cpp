#include "oci/validate.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::oci {

namespace {

constexpr int kMaximumDepth = 4;
constexpr std::array<std::string_view, 4> kLayerTypes = {media_type::kLayerTar, media_type::kLayerGzip,
                                                         media_type::kLayerZstd, media_type::kDockerLayerGzip};

// "arm64/v8" and "arm64" are one platform.
Platform normalised(const Platform& platform) {
  return Platform::parse(platform.str()).value_or(platform);
}

std::string words_of(const Error& error) {
  std::string text = error.message();
  for (const std::string& cause : error.causes()) text += cat(": ", cause);
  return text;
}

class Validator {
 public:
  Validator(const BlobStore& blobs, const DiffIdFunction& diff_id) : blobs_(blobs), diff_id_(diff_id) {}

  void check(const Descriptor& descriptor, int depth) {
    if (media_type::is_index(descriptor.media_type)) return check_index(descriptor, depth);
    if (media_type::is_manifest(descriptor.media_type)) return check_manifest(descriptor);
    blob_is_intact(descriptor, "blob");
  }

  std::vector<Problem> problems;

 private:
  void report(std::string_view kind, const Digest& digest, std::string text) {
    problems.push_back({.object = cat(kind, " ", digest.str()), .text = std::move(text)});
  }

  // Runs `body` and reports its Error as a problem of the object.
  template <class Function>
  bool holds(std::string_view kind, const Digest& digest, Function&& body) {
    try {
      body();
      return true;
    } catch (const Error& error) {
      report(kind, digest, words_of(error));
      return false;
    }
  }

  // The remembered answer for a blob that several images share.
  bool blob_is_intact(const Descriptor& blob, std::string_view kind) {
    if (const auto known = intact_.find(blob.digest); known != intact_.end()) return known->second;
    const bool intact = holds(kind, blob.digest, [&] {
      HashSink hash;
      copy(*blobs_.open(blob), hash);
    });
    return intact_[blob.digest] = intact;
  }

  void check_index(const Descriptor& descriptor, int depth) {
    if (depth > kMaximumDepth) return report("index", descriptor.digest, "it is nested too deeply");
    if (!blob_is_intact(descriptor, "index")) return;
    holds("index", descriptor.digest, [&] {
      const Index index = Index::decode(blobs_.read(descriptor, kMaximumManifest), "the index");
      check_media_type("index", descriptor, index.media_type);
      for (const Descriptor& child : index.manifests) check(child, depth + 1);
    });
  }

  void check_manifest(const Descriptor& descriptor) {
    if (!checked_.insert(descriptor.digest).second) return;
    if (!blob_is_intact(descriptor, "manifest")) return;
    holds("manifest", descriptor.digest, [&] {
      const Manifest manifest = Manifest::decode(blobs_.read(descriptor, kMaximumManifest), "the manifest");
      check_media_type("manifest", descriptor, manifest.media_type);
      for (const Descriptor& layer : manifest.layers) blob_is_intact(layer, "layer");
      if (!blob_is_intact(manifest.config, "config")) return;
      const bool is_image =
          manifest.config.media_type == media_type::kConfig || manifest.config.media_type == media_type::kDockerConfig;
      if (is_image) check_config(descriptor, manifest);
    });
  }

  void check_media_type(std::string_view kind, const Descriptor& descriptor, const std::string& inside) {
    if (inside.empty() || inside == descriptor.media_type) return;
    report(kind, descriptor.digest,
           cat("its media type is ", backticked(inside), ", its descriptor says ", backticked(descriptor.media_type)));
  }

  void check_config(const Descriptor& descriptor, const Manifest& manifest) {
    const Digest& digest = manifest.config.digest;
    holds("config", digest, [&] {
      const Config config = Config::decode(blobs_.read(manifest.config, kMaximumConfig), "the configuration");
      if (descriptor.platform && normalised(*descriptor.platform) != normalised(config.platform)) {
        report("config", digest,
               cat("its platform is ", backticked(config.platform.str()), ", the index says ",
                   backticked(descriptor.platform->str())));
      }
      if (config.diff_ids.size() != manifest.layers.size()) {
        return report("config", digest,
                      cat("it has ", config.diff_ids.size(), " diff IDs for ", manifest.layers.size(), " layers"));
      }
      for (std::size_t i = 0; i < manifest.layers.size(); ++i) check_diff_id(manifest.layers[i], config.diff_ids[i]);
    });
  }

  void check_diff_id(const Descriptor& layer, const DiffId& expected) {
    if (std::find(kLayerTypes.begin(), kLayerTypes.end(), layer.media_type) == kLayerTypes.end()) {
      return report("layer", layer.digest, cat("its media type ", backticked(layer.media_type), " is not known"));
    }
    if (!blob_is_intact(layer, "layer")) return;
    holds("layer", layer.digest, [&] {
      if (!diff_ids_.contains(layer.digest)) diff_ids_[layer.digest] = diff_id_(blobs_, layer);
      const DiffId& actual = diff_ids_[layer.digest];
      if (actual == expected) return;
      report("layer", layer.digest,
             cat("its diff ID is ", actual.digest.str(), ", the configuration says ", expected.digest.str()));
    });
  }

  const BlobStore& blobs_;
  const DiffIdFunction& diff_id_;
  std::map<Digest, bool> intact_;
  std::map<Digest, DiffId> diff_ids_;
  std::set<Digest> checked_;
};

}  // namespace

std::vector<Problem> validate(const BlobStore& blobs, const Descriptor& root, const DiffIdFunction& diff_id) {
  Validator validator(blobs, diff_id);
  validator.check(root, 0);
  return std::move(validator.problems);
}

}  // namespace whittle::oci
