#include "sets/lock.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "oci/layout.hpp"

namespace whittle::sets {

namespace {

constexpr std::uint64_t kFormat = 1;
constexpr std::size_t kMostDifferences = 50, kShownImages = 5;

Json json_of(const oci::Descriptor& descriptor) {
  return {{"mediaType", descriptor.media_type}, {"digest", descriptor.digest.str()}, {"size", descriptor.size}};
}

// Like `what`, which the reader of the file knows by its name.
oci::Descriptor descriptor_in(const Json& object, std::string_view what) {
  const auto text = json_member<std::string>(object, "digest", what);
  const std::optional<Digest> digest = Digest::parse(text);
  if (!digest) {
    throw Error(Exit::usage, cat("cannot read ", what)).cause(cat(backticked(text), " is no SHA-256 digest"));
  }
  return {.media_type = json_member<std::string>(object, "mediaType", what),
          .digest = *digest,
          .size = json_member<std::uint64_t>(object, "size", what)};
}

Json json_of(const LockedImage& image) {
  Json platforms = Json::array();
  for (const LockedPlatform& one : image.platforms) {
    platforms.push_back({{"platform", one.manifest.platform->str()},
                         {"manifest", json_of(one.manifest)},
                         {"compressed", one.compressed},
                         {"installed", one.installed},
                         {"inodes", one.inodes}});
  }
  return {{"name", image.name},          {"reference", image.reference},
          {"source", image.source},      {"critical", image.is_critical},
          {"root", json_of(image.root)}, {"platforms", std::move(platforms)}};
}

LockedPlatform platform_in(const Json& object, std::string_view what) {
  LockedPlatform locked{.manifest = descriptor_in(json_member<Json>(object, "manifest", what), what),
                        .compressed = json_member<std::uint64_t>(object, "compressed", what),
                        .installed = json_member<std::uint64_t>(object, "installed", what),
                        .inodes = json_member<std::uint64_t>(object, "inodes", what)};
  const auto text = json_member<std::string>(object, "platform", what);
  locked.manifest.platform = oci::Platform::parse(text);
  if (!locked.manifest.platform) {
    throw Error(Exit::usage, cat("cannot read ", what)).cause(cat(backticked(text), " is no platform"));
  }
  return locked;
}

LockedImage image_in(const Json& object, std::string_view what) {
  LockedImage image{.name = json_member<std::string>(object, "name", what),
                    .reference = json_member<std::string>(object, "reference", what),
                    .source = json_member<std::string>(object, "source", what),
                    .root = descriptor_in(json_member<Json>(object, "root", what), what),
                    .is_critical = json_member_or<bool>(object, "critical", false, what),
                    .platforms = {}};
  for (const Json& one : json_member<Json>(object, "platforms", what)) {
    image.platforms.push_back(platform_in(one, what));
  }
  return image;
}

const LockedImage* find(const Lock& lock, std::string_view name) {
  const auto found =
      std::find_if(lock.images.begin(), lock.images.end(), [&](const LockedImage& one) { return one.name == name; });
  return found == lock.images.end() ? nullptr : &*found;
}

std::string source_of(const SetImage& image) {
  return image.build.empty() ? cat("from ", image.from) : cat("build ", image.build);
}

void compare(const SetImage& wanted, const LockedImage& locked, const ImageSet& set,
             std::vector<std::string>& problems) {
  const std::string name = printable(wanted.name);
  const auto differs = [&](const char* what, const std::string& now, const std::string& then) {
    if (now != then) problems.push_back(cat(name, ": ", what, " is ", printable(now), ", and was ", printable(then)));
  };
  differs("the source", source_of(wanted), locked.source);
  differs("the reference", wanted.reference, locked.reference);
  differs("critical", wanted.is_critical ? "true" : "false", locked.is_critical ? "true" : "false");
  for (const Profile& profile : set.profiles) {
    if (wanted.is_for(profile) && locked.find(profile.platform) == nullptr) {
      problems.push_back(cat(name, ": it was not locked for ", profile.platform.str()));
    }
  }
}

struct Use {
  std::string name;
  std::uint64_t compressed = 0, installed = 0;
};

[[noreturn]] void exceed(const std::string& whose, const char* kind, std::uint64_t size, std::uint64_t limit,
                         const std::string& place, std::vector<Use> uses) {
  Error error(Exit::budget_exceeded,
              cat(whose, human_size(size), " ", kind, ", and the budget is ", human_size(limit)));
  if (!place.empty()) error.at(place);
  const bool is_compressed = std::string_view(kind) == "compressed";
  const auto amount = [&](const Use& use) { return is_compressed ? use.compressed : use.installed; };
  std::stable_sort(uses.begin(), uses.end(), [&](const Use& a, const Use& b) { return amount(a) > amount(b); });
  uses.resize(std::min(uses.size(), kShownImages));
  for (const Use& use : uses) error.detail(cat(human_size(amount(use)), "  ", printable(use.name)));
  throw error.note("no lock was written");
}

void check_one(const std::string& whose, const Budget& budget, const Use& use, const std::string& place,
               const std::vector<Use>& uses) {
  if (budget.compressed != 0 && use.compressed > budget.compressed) {
    exceed(whose, "compressed", use.compressed, budget.compressed, place, uses);
  }
  if (budget.installed != 0 && use.installed > budget.installed) {
    exceed(whose, "installed", use.installed, budget.installed, place, uses);
  }
}

}  // namespace

const LockedPlatform* LockedImage::find(const oci::Platform& platform) const {
  const auto found = std::find_if(platforms.begin(), platforms.end(),
                                  [&](const LockedPlatform& one) { return one.manifest.platform == platform; });
  return found == platforms.end() ? nullptr : &*found;
}

Lock Lock::decode(std::string_view json, std::string_view what) {
  const Json document = parse_json(json, what);
  const auto format = json_member<std::uint64_t>(document, "format", what);
  if (format != kFormat) {
    throw Error(Exit::usage, cat("cannot read ", what))
        .cause(cat("it has format ", format, ", and this program knows format ", kFormat));
  }
  Lock lock{.set = json_member<std::string>(document, "set", what),
            .epoch = json_member<std::uint64_t>(document, "epoch", what),
            .created = json_member<std::string>(document, "created", what),
            .images = {}};
  for (const Json& image : json_member<Json>(document, "images", what)) lock.images.push_back(image_in(image, what));
  return lock;
}

std::string Lock::encode() const {
  Json list = Json::array();
  for (const LockedImage& image : images) list.push_back(json_of(image));
  return pretty_json(
      {{"format", kFormat}, {"set", set}, {"epoch", epoch}, {"created", created}, {"images", std::move(list)}});
}

void Lock::require_match(const ImageSet& wanted, std::string_view what) const {
  std::vector<std::string> problems;
  if (set != wanted.name) problems.push_back(cat("the set is ", printable(wanted.name), ", and was ", printable(set)));
  if (epoch != wanted.epoch) problems.push_back(cat("the epoch is ", wanted.epoch, ", and was ", epoch));
  std::set<std::string> names;
  for (const SetImage& image : wanted.images) {
    names.insert(image.name);
    const LockedImage* const locked = sets::find(*this, image.name);
    if (locked == nullptr) problems.push_back(cat(printable(image.name), ": it is new"));
    if (locked != nullptr) compare(image, *locked, wanted, problems);
  }
  for (const LockedImage& image : images) {
    if (names.count(image.name) == 0) problems.push_back(cat(printable(image.name), ": it is no longer in the set"));
  }
  if (problems.empty()) return;
  Error error(Exit::usage, cat(what, " is not that of the set"));
  for (const std::string& problem : problems) error.detail(problem);
  throw error.hint("`whittle set lock` writes it anew");
}

std::vector<std::string> differences(const Lock& before, const Lock& after) {
  std::vector<std::string> lines;
  for (const LockedImage& image : after.images) {
    const LockedImage* const old = find(before, image.name);
    if (old == nullptr) {
      lines.push_back(cat(printable(image.name), ": new, ", image.root.digest.str()));
      continue;
    }
    if (old->root.digest != image.root.digest) {
      lines.push_back(cat(printable(image.name), ": ", old->root.digest.str(), " → ", image.root.digest.str()));
      continue;
    }
    for (const LockedPlatform& one : image.platforms) {
      const LockedPlatform* const same = old->find(*one.manifest.platform);
      if (same != nullptr && same->manifest.digest == one.manifest.digest) continue;
      lines.push_back(cat(printable(image.name), " for ", one.manifest.platform->str(), ": ",
                          same == nullptr ? "new" : same->manifest.digest.str(), " → ", one.manifest.digest.str()));
    }
  }
  for (const LockedImage& image : before.images) {
    if (find(after, image.name) == nullptr) lines.push_back(cat(printable(image.name), ": no longer there"));
  }
  if (lines.size() > kMostDifferences) lines.resize(kMostDifferences);
  return lines;
}

void check_budgets(const ImageSet& set, const Lock& lock, const oci::BlobSource& blobs) {
  for (const Profile& profile : set.profiles) {
    std::map<Digest, std::uint64_t> all;
    std::vector<Use> uses;
    Use total;
    for (const SetImage& image : set.images) {
      const LockedImage* const locked = find(lock, image.name);
      const LockedPlatform* const one = locked == nullptr ? nullptr : locked->find(profile.platform);
      if (one == nullptr || !image.is_for(profile)) continue;
      uses.push_back({image.name, one->compressed, one->installed});
      check_one(cat(backticked(image.name), " for ", profile.platform.str(), " is "), image.budget, uses.back(),
                image.place, {});
      for (const oci::Descriptor& blob : oci::closure(blobs, one->manifest)) all[blob.digest] = blob.size;
      total.installed += one->installed;
    }
    for (const auto& [digest, size] : all) total.compressed += size;
    check_one(cat("the profile ", backticked(profile.name), " is "), profile.budget, total, {}, uses);
  }
}

}  // namespace whittle::sets
