#include "gateway/generations.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "gateway/state_file.hpp"

namespace whittle::gateway {

namespace {

constexpr std::string_view kCurrent = "current.json";

Digest digest_from(const std::string& text) {
  const auto digest = Digest::parse(text);
  if (!digest) throw Error(Exit::usage, cat(backticked(text), " is no digest"));
  return *digest;
}

Json json_of(const bundle::BundledImage& image) {
  Json blobs = Json::array();
  for (const Digest& blob : image.blobs) blobs.push_back(blob.str());
  return {{"name", image.name},
          {"reference", image.reference},
          {"mediaType", image.target.media_type},
          {"digest", image.target.digest.str()},
          {"size", image.target.size},
          {"critical", image.is_critical},
          {"installed", image.installed},
          {"inodes", image.inodes},
          {"blobs", blobs}};
}

bundle::BundledImage image_from(const Json& json, const oci::Platform& platform, const std::string& what) {
  bundle::BundledImage image;
  image.name = json_member<std::string>(json, "name", what);
  image.reference = json_member<std::string>(json, "reference", what);
  image.target.media_type = json_member<std::string>(json, "mediaType", what);
  image.target.digest = digest_from(json_member<std::string>(json, "digest", what));
  image.target.size = json_member<std::uint64_t>(json, "size", what);
  image.target.platform = platform;
  image.is_critical = json_member<bool>(json, "critical", what);
  image.installed = json_member<std::uint64_t>(json, "installed", what);
  image.inodes = json_member<std::uint64_t>(json, "inodes", what);
  for (const auto& blob : json_member<std::vector<std::string>>(json, "blobs", what)) {
    image.blobs.push_back(digest_from(blob));
  }
  return image;
}

Json json_of(const Generation& generation) {
  Json images = Json::array(), blobs = Json::object();
  for (const bundle::BundledImage& image : generation.images) images.push_back(json_of(image));
  for (const auto& [digest, size] : generation.blobs) blobs[digest.str()] = size;
  return {{"generation", generation.number},
          {"set", generation.set},
          {"profile", generation.profile},
          {"epoch", generation.epoch},
          {"root", generation.root.str()},
          {"applied", generation.applied},
          {"platform", generation.platform.str()},
          {"images", images},
          {"blobs", blobs}};
}

Generation generation_from(const Json& json, std::uint64_t number, const std::string& what) {
  Generation generation;
  generation.number = json_member<std::uint64_t>(json, "generation", what);
  if (generation.number != number) throw Error(Exit::usage, cat("it holds generation ", generation.number));
  generation.set = json_member<std::string>(json, "set", what);
  generation.profile = json_member<std::string>(json, "profile", what);
  generation.epoch = json_member<std::uint64_t>(json, "epoch", what);
  generation.root = digest_from(json_member<std::string>(json, "root", what));
  generation.applied = json_member<std::string>(json, "applied", what);
  const auto platform = oci::Platform::parse(json_member<std::string>(json, "platform", what));
  if (!platform) throw Error(Exit::usage, "it names no platform");
  generation.platform = *platform;
  for (const Json& image : json_member<Json>(json, "images", what)) {
    generation.images.push_back(image_from(image, *platform, what));
  }
  for (const auto& [digest, size] : json_member<std::map<std::string, std::uint64_t>>(json, "blobs", what)) {
    generation.blobs.emplace(digest_from(digest), size);
  }
  for (const bundle::BundledImage& image : generation.images) {
    for (const Digest& blob : image.blobs) {
      if (!generation.blobs.contains(blob))
        throw Error(Exit::usage, cat("it does not say how large ", blob.str(), " is"));
    }
  }
  return generation;
}

}  // namespace

Generation Generation::from(const bundle::Root& root, const Digest& digest, std::uint64_t number) {
  Generation generation{.number = number,
                        .set = root.set,
                        .profile = root.profile,
                        .epoch = root.epoch,
                        .root = digest,
                        .applied = {},
                        .platform = root.platform,
                        .images = root.images,
                        .blobs = {}};
  std::map<Digest, std::uint64_t> sizes;
  for (const bundle::BlobSize& blob : root.blobs) sizes.emplace(blob.digest, blob.size);
  for (const bundle::BlobSize& blob : root.bases) sizes.emplace(blob.digest, blob.size);
  for (const bundle::Rebuilt& rebuilt : root.rebuilt) sizes.emplace(rebuilt.blob.digest, rebuilt.blob.size);
  for (bundle::BundledImage& image : generation.images) {
    // What is written down is what is worked with: archives are computed from it.
    image.target = {.media_type = image.target.media_type,
                    .digest = image.target.digest,
                    .size = image.target.size,
                    .platform = root.platform};
    for (const Digest& blob : image.blobs) {
      const auto size = sizes.find(blob);
      if (size == sizes.end()) {
        throw Error(Exit::refused, cat("the bundle does not say where ", blob.str(), " of `", image.name, "` is"))
            .note("nothing was changed");
      }
      generation.blobs.insert(*size);
    }
  }
  return generation;
}

Digest Generation::images_digest() const {
  std::map<std::string, std::string> names;
  for (const bundle::BundledImage& image : images) names[image.reference] = image.target.digest.str();
  return digest_of(canonical_json(names));
}

const bundle::BundledImage* Generation::find(std::string_view reference) const {
  for (const bundle::BundledImage& image : images) {
    if (image.reference == reference) return &image;
  }
  return nullptr;
}

fs::path Generations::file(std::uint64_t number) const {
  return folder_ / cat(number, ".json");
}

std::optional<std::uint64_t> Generations::current() const {
  const std::optional<Json> json = read_state(folder_ / kCurrent);
  std::uint64_t number = 0;
  if (json) {
    reading_state(folder_ / kCurrent, [&] { number = json_member<std::uint64_t>(*json, "generation", kCurrent); });
  }
  return number == 0 ? std::nullopt : std::optional(number);
}

std::optional<Generation> Generations::current_generation() const {
  const std::optional<std::uint64_t> number = current();
  if (!number) return std::nullopt;
  return read(*number);
}

std::optional<Floor> Generations::floor() const {
  const std::optional<Json> json = read_state(folder_ / kCurrent);
  if (!json || !json->contains("floor")) return std::nullopt;
  Floor floor;
  reading_state(folder_ / kCurrent, [&] {
    const auto member = json_member<Json>(*json, "floor", kCurrent);
    floor.epoch = json_member<std::uint64_t>(member, "epoch", kCurrent);
    floor.images = digest_from(json_member<std::string>(member, "images", kCurrent));
  });
  return floor;
}

void Generations::select(std::optional<std::uint64_t> number, const std::optional<Floor>& floor) {
  Json json = {{"generation", number.value_or(0)}};
  if (floor) json["floor"] = {{"epoch", floor->epoch}, {"images", floor->images.str()}};
  write_state(folder_ / kCurrent, json);
}

std::vector<std::uint64_t> Generations::numbers() const {
  std::vector<std::uint64_t> found;
  std::error_code problem;
  for (auto entry = fs::directory_iterator(folder_, problem); !problem && entry != fs::directory_iterator();
       entry.increment(problem)) {
    const std::string name = entry->path().filename().native();
    if (!name.ends_with(".json")) continue;
    if (const auto number = parse_number(name.substr(0, name.size() - 5))) found.push_back(*number);
  }
  std::sort(found.begin(), found.end());
  return found;
}

bool Generations::has(std::uint64_t number) const {
  return fs::exists(file(number));
}

Generation Generations::read(std::uint64_t number) const {
  const std::optional<Json> json = read_state(file(number));
  if (!json) {
    throw Error(Exit::export_failed, cat("generation ", number, " is not recorded"))
        .at(file(number).native())
        .hint("`whittle gateway status` lists what is");
  }
  Generation generation;
  reading_state(file(number), [&] { generation = generation_from(*json, number, file(number).filename().native()); });
  return generation;
}

void Generations::write(const Generation& generation) {
  write_state(file(generation.number), json_of(generation));
}

void Generations::remove(std::uint64_t number) {
  std::error_code problem;
  fs::remove(file(number), problem);
  if (problem) throw system_error(Exit::export_failed, cat("cannot remove generation ", number), problem.value());
  sync_folder(folder_);
}

}  // namespace whittle::gateway
