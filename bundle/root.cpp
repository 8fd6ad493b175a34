#include "bundle/root.hpp"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "base/json.hpp"
#include "base/text.hpp"
#include "bundle/document.hpp"
#include "oci/reference.hpp"

namespace whittle::bundle {

namespace {

constexpr std::size_t kMostImages = 10'000, kMostBlobs = 200'000, kMostBlobsOfImage = 2'000, kMostDevices = 1'000;
constexpr std::uint64_t kLargestTotal = 1ULL << 50;

Json json_of(const std::vector<Digest>& digests) {
  Json list = Json::array();
  for (const Digest& digest : digests) list.push_back(digest.str());
  return list;
}

std::vector<Digest> digests_in(const Json& object, const char* key, std::size_t most, std::string_view what) {
  std::vector<Digest> digests;
  for (const Json& one : list_in(object, key, most, what)) digests.push_back(digest_from(one, what));
  return digests;
}

Json json_of(const BlobSize& blob) {
  return {{"digest", blob.digest.str()}, {"size", blob.size}};
}

BlobSize blob_in(const Json& object, std::string_view what) {
  return {digest_in(object, "digest", what), number_in(object, "size", what)};
}

Json json_of(const std::vector<BlobSize>& blobs) {
  Json list = Json::array();
  for (const BlobSize& blob : blobs) list.push_back(json_of(blob));
  return list;
}

std::vector<BlobSize> blobs_in(const Json& object, const char* key, std::string_view what) {
  std::vector<BlobSize> blobs;
  for (const Json& one : list_in(object, key, kMostBlobs, what)) blobs.push_back(blob_in(one, what));
  return blobs;
}

Json json_of(const BundledImage& image) {
  return {{"name", image.name},
          {"reference", image.reference},
          {"mediaType", image.target.media_type},
          {"digest", image.target.digest.str()},
          {"size", image.target.size},
          {"critical", image.is_critical},
          {"installed", image.installed},
          {"inodes", image.inodes},
          {"blobs", json_of(image.blobs)}};
}

BundledImage image_in(const Json& object, const oci::Platform& platform, std::string_view what) {
  BundledImage image{.name = text_in(object, "name", what),
                     .reference = text_in(object, "reference", what),
                     .target = {.media_type = text_in(object, "mediaType", what),
                                .digest = digest_in(object, "digest", what),
                                .size = number_in(object, "size", what),
                                .platform = platform},
                     .is_critical = flag_in(object, "critical", what),
                     .installed = number_in(object, "installed", what),
                     .inodes = number_in(object, "inodes", what),
                     .blobs = digests_in(object, "blobs", kMostBlobsOfImage, what)};
  if (!oci::media_type::is_manifest(image.target.media_type)) {
    refuse(what, cat("the image ", backticked(image.name), " is no manifest of an image"));
  }
  failing_as(Exit::refused, [&] { return oci::Reference::parse(image.reference); });
  return image;
}

Json json_of(const Rebuilt& rebuilt) {
  return {{"blob", json_of(rebuilt.blob)},
          {"payload", rebuilt.payload.str()},
          {"bases", json_of(rebuilt.bases)},
          {"compressor", rebuilt.compressor},
          {"scratch", rebuilt.scratch}};
}

Rebuilt rebuilt_in(const Json& object, std::string_view what) {
  const auto blob = object.find("blob");
  if (blob == object.end()) refuse(what, "a blob that is rebuilt has no name");
  return {.blob = blob_in(*blob, what),
          .payload = digest_in(object, "payload", what),
          .bases = digests_in(object, "bases", kMostBlobsOfImage, what),
          .compressor = text_in(object, "compressor", what),
          .scratch = number_in(object, "scratch", what)};
}

// What the bundle says of itself must add up before anybody asks it for a blob.
class Consistency {
 public:
  Consistency(const Root& root, std::string_view what) : root_(root), what_(what) {}

  void check() {
    if (root_.set.empty()) refuse(what_, "it names no set");
    if (root_.epoch == 0) refuse(what_, "it has no epoch");
    for (const BlobSize& blob : root_.blobs) add(blob, carried_);
    for (const BlobSize& blob : root_.bases) add(blob, had_);
    for (const Rebuilt& one : root_.rebuilt) check(one);
    for (const BundledImage& image : root_.images) check(image);
  }

 private:
  void add(const BlobSize& blob, std::set<Digest>& place) {
    if (!sizes_.emplace(blob.digest, blob.size).second) refuse(what_, cat("it names ", blob.digest.str(), " twice"));
    place.insert(blob.digest);
    if (blob.size > kLargestTotal - total_) refuse(what_, "it is larger than any medium");
    total_ += blob.size;
  }

  void check(const Rebuilt& one) {
    add(one.blob, made_);
    if (carried_.count(one.payload) == 0) refuse(what_, cat("it lacks what ", one.blob.digest.str(), " is made from"));
    for (const Digest& base : one.bases) {
      if (had_.count(base) == 0) refuse(what_, cat("it does not ask for ", base.str(), ", which it makes a blob from"));
    }
  }

  void check(const BundledImage& image) {
    const bool is_named = names_.insert(image.name).second && references_.insert(image.reference).second;
    if (image.name.empty() || !is_named) refuse(what_, cat("it has two images named ", backticked(image.name)));
    const auto target = sizes_.find(image.target.digest);
    const bool has_target = target != sizes_.end() && target->second == image.target.size;
    if (!has_target || image.blobs.empty() || image.blobs.back() != image.target.digest) {
      refuse(what_, cat("it lacks the manifest of ", backticked(image.name)));
    }
    for (const Digest& blob : image.blobs) {
      if (sizes_.find(blob) == sizes_.end()) refuse(what_, cat(backticked(image.name), " lacks ", blob.str()));
    }
  }

  const Root& root_;
  std::string_view what_;
  std::unordered_map<Digest, std::uint64_t> sizes_;
  std::set<Digest> carried_, had_, made_;
  std::set<std::string> names_, references_;
  std::uint64_t total_ = 0;
};

}  // namespace

Root Root::decode(std::string_view json, std::string_view what) {
  const Json document = document_of(json, kMaximumRoot, what);
  Root root{.set = text_in(document, "set", what),
            .epoch = number_in(document, "epoch", what),
            .created = text_in(document, "created", what),
            .compatible = texts_in(document, "compatible", kMostDevices, what),
            .platform = {},
            .profile = text_in(document, "profile", what),
            .volume_size = number_in(document, "volumeSize", what),
            .images = {},
            .blobs = blobs_in(document, "blobs", what),
            .bases = blobs_in(document, "bases", what),
            .rebuilt = {}};
  const std::string platform = text_in(document, "platform", what);
  const std::optional<oci::Platform> parsed = oci::Platform::parse(platform);
  if (!parsed) refuse(what, cat(backticked(platform), " is no platform"));
  root.platform = *parsed;
  for (const Json& image : list_in(document, "images", kMostImages, what)) {
    root.images.push_back(image_in(image, root.platform, what));
  }
  for (const Json& one : list_in(document, "rebuilt", kMostBlobs, what)) root.rebuilt.push_back(rebuilt_in(one, what));
  Consistency(root, what).check();
  return root;
}

std::string Root::encode() const {
  Json image_list = Json::array(), rebuilt_list = Json::array();
  for (const BundledImage& image : images) image_list.push_back(json_of(image));
  for (const Rebuilt& one : rebuilt) rebuilt_list.push_back(json_of(one));
  return canonical_json({{"format", 1},
                         {"set", set},
                         {"epoch", epoch},
                         {"created", created},
                         {"compatible", compatible},
                         {"platform", platform.str()},
                         {"profile", profile},
                         {"volumeSize", volume_size},
                         {"images", std::move(image_list)},
                         {"blobs", json_of(blobs)},
                         {"bases", json_of(bases)},
                         {"rebuilt", std::move(rebuilt_list)}});
}

}  // namespace whittle::bundle
