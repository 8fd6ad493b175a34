// From a descriptor to what lies below it: one platform's image, or everything.
#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "oci/layout.hpp"

namespace whittle::oci {

namespace {

constexpr int kMaximumDepth = 4;
constexpr std::size_t kMaximumClosure = 20'000;

Error too_deep(const Descriptor& descriptor) {
  return {Exit::registry_content, cat("the index ", descriptor.digest.str(), " is nested too deeply")};
}

Error not_an_image(const Descriptor& descriptor) {
  return {Exit::registry_content,
          cat(descriptor.digest.str(), " is no image: its media type is ", backticked(descriptor.media_type))};
}

Manifest read_manifest(const BlobSource& blobs, const Descriptor& descriptor) {
  return Manifest::decode(blobs.read(descriptor, kMaximumManifest), cat("the manifest ", descriptor.digest.str()));
}

Index read_index(const BlobSource& blobs, const Descriptor& descriptor) {
  return Index::decode(blobs.read(descriptor, kMaximumManifest), cat("the index ", descriptor.digest.str()));
}

Config read_config(const BlobSource& blobs, const Descriptor& descriptor) {
  return Config::decode(blobs.read(descriptor, kMaximumConfig), cat("the configuration ", descriptor.digest.str()));
}

Image image_of(const BlobSource& blobs, const Descriptor& descriptor) {
  const Manifest manifest = read_manifest(blobs, descriptor);
  const Config config = read_config(blobs, manifest.config);
  if (config.diff_ids.size() != manifest.layers.size()) {
    Error error(Exit::registry_content, cat("cannot use the image ", descriptor.digest.str()));
    throw error.cause(cat("it has ", manifest.layers.size(), " layers and ", config.diff_ids.size(), " diff IDs"));
  }
  Image image{.manifest = descriptor, .config = manifest.config, .layers = {}};
  image.manifest.platform = config.platform;
  for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
    image.layers.push_back({.blob = manifest.layers[i], .diff_id = config.diff_ids[i]});
  }
  return image;
}

// Image manifests below an index, each with its platform; attestations and other companions are left out.
void collect_images(const BlobSource& blobs, const Descriptor& descriptor, int depth, std::vector<Descriptor>& found) {
  if (depth > kMaximumDepth || found.size() > kMaximumClosure) throw too_deep(descriptor);
  for (const Descriptor& child : read_index(blobs, descriptor).manifests) {
    if (media_type::is_index(child.media_type)) {
      collect_images(blobs, child, depth + 1, found);
    } else if (media_type::is_manifest(child.media_type) && child.artifact_type.empty() &&
               !(child.platform && child.platform->os == "unknown")) {
      found.push_back(child);
    }
  }
}

Platform platform_of(const BlobSource& blobs, const Descriptor& manifest) {
  const Platform platform =
      manifest.platform ? *manifest.platform : read_config(blobs, read_manifest(blobs, manifest).config).platform;
  return Platform::parse(platform.str()).value_or(platform);
}

// arm variants run on what comes after them ("v6" on "v7"); other variants only on themselves. No variant
// is the least of an architecture's.
bool runs_on(const Platform& image, const Platform& machine) {
  if (image.os != machine.os || image.architecture != machine.architecture) return false;
  if (image.variant.empty() || image.variant == machine.variant) return true;
  return image.variant.size() == machine.variant.size() && image.variant < machine.variant;
}

Descriptor choose(const BlobSource& blobs, const Descriptor& index, const Platform& wanted) {
  std::vector<Descriptor> images;
  collect_images(blobs, index, 0, images);
  const Descriptor* exact = nullptr;  // the first, or the last that says that it is for who knows zstd
  const Descriptor* best = nullptr;
  std::string best_variant, present;
  for (const Descriptor& image : images) {
    const Platform platform = platform_of(blobs, image);
    if (platform == wanted && (exact == nullptr || image.annotations.contains(std::string(kZstdKey)))) exact = &image;
    if (runs_on(platform, wanted) && (best == nullptr || platform.variant > best_variant)) {
      best = &image;
      best_variant = platform.variant;
    }
    present += cat(present.empty() ? "" : ", ", printable(platform.str()));
  }
  if (exact != nullptr) return *exact;
  if (best != nullptr) return *best;
  if (images.size() == 1) return images[0];
  Error error(Exit::usage, cat("the image ", index.digest.str(), " is not there for ", wanted.str()));
  throw error.detail(cat("it is there for: ", present.empty() ? "nothing" : present))
      .hint("choose one with `--platform`");
}

struct Closure {
  const BlobSource& blobs;
  std::set<Digest> seen = {}, listed = {};
  std::vector<Descriptor> order = {};

  void add(const Descriptor& descriptor, int depth) {
    if (!seen.insert(descriptor.digest).second) return;
    if (depth > kMaximumDepth || seen.size() > kMaximumClosure) throw too_deep(descriptor);
    if (media_type::is_index(descriptor.media_type)) {
      for (const Descriptor& child : read_index(blobs, descriptor).manifests) add(child, depth + 1);
    } else if (media_type::is_manifest(descriptor.media_type)) {
      const Manifest manifest = read_manifest(blobs, descriptor);
      for (const Descriptor& layer : manifest.layers) list(layer);
      list(manifest.config);
    }
    list(descriptor);
  }
  // Layers are not looked into, whatever they are: artifacts carry the manifests of other images.
  void list(const Descriptor& descriptor) {
    if (!listed.insert(descriptor.digest).second) return;
    if (listed.size() > kMaximumClosure) throw too_deep(descriptor);
    order.push_back(descriptor);
  }
};

}  // namespace

Image load_image(const BlobSource& blobs, const Descriptor& descriptor, const Platform& platform) {
  if (media_type::is_index(descriptor.media_type)) return image_of(blobs, choose(blobs, descriptor, platform));
  if (media_type::is_manifest(descriptor.media_type)) return image_of(blobs, descriptor);
  throw not_an_image(descriptor);
}

std::vector<Descriptor> closure(const BlobSource& blobs, const Descriptor& root) {
  Closure walk{.blobs = blobs};
  walk.add(root, 0);
  return std::move(walk.order);
}

}  // namespace whittle::oci
