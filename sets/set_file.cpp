#include "sets/set_file.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "base/toml.hpp"
#include "oci/reference.hpp"

namespace whittle::sets {

namespace {

// FAT32's largest file.
constexpr std::uint64_t kFat32 = 0xFFFFFFFF;

using SyncPolicy = RegistrySettings::SyncPolicy;
const std::map<std::string, SyncPolicy> kSyncPolicies = {
    {"full", SyncPolicy::full}, {"on-demand", SyncPolicy::on_demand}, {"incremental", SyncPolicy::incremental}};

// One table of the document, whose members are taken by name; what nobody took is unknown.
class Table {
 public:
  Table(const TomlDocument& document, const Json& object, std::string pointer, std::string_view what)
      : document_(document), object_(object), pointer_(std::move(pointer)), what_(what) {}

  std::string place() const { return place(pointer_); }
  std::string place_of(const std::string& key) const { return place(pointer_ + "/" + key); }

  Error wrong(const std::string& key, std::string_view why) const {
    Error error(Exit::usage, cat(backticked(key), " ", why));
    error.at(place_of(key));
    return error;
  }

  std::string text(const std::string& key) {
    const Json* const value = take(key);
    if (value == nullptr) return {};
    if (!value->is_string() || value->get<std::string>().empty()) throw wrong(key, "must be a text");
    return value->get<std::string>();
  }
  bool flag(const std::string& key, bool otherwise) {
    const Json* const value = take(key);
    if (value == nullptr) return otherwise;
    if (!value->is_boolean()) throw wrong(key, "must be `true` or `false`");
    return value->get<bool>();
  }
  std::uint64_t number(const std::string& key) {
    const Json* const value = take(key);
    if (value == nullptr) return 0;
    if (!value->is_number_integer() || value->get<std::int64_t>() <= 0) throw wrong(key, "must be a number from 1");
    return value->get<std::uint64_t>();
  }
  std::uint64_t size(const std::string& key) {
    const std::string value = text(key);
    if (value.empty()) return 0;
    const std::optional<std::uint64_t> size = parse_size(value);
    if (!size || *size == 0) throw wrong(key, cat("is ", backticked(value), ", which is no size")).hint("as `4GiB`");
    return *size;
  }
  std::vector<std::string> texts(const std::string& key) {
    const Json* const value = take(key);
    std::vector<std::string> list;
    if (value == nullptr) return list;
    if (!value->is_array()) throw wrong(key, "must be a list of texts");
    for (const Json& one : *value) {
      if (!one.is_string() || one.get<std::string>().empty()) throw wrong(key, "must be a list of texts");
      list.push_back(one.get<std::string>());
    }
    return list;
  }
  // Nothing of it when it is not there.
  Table table(const std::string& key) {
    static const Json kNothing = Json::object();
    const Json* const value = take(key);
    if (value != nullptr && !value->is_object()) throw wrong(key, "must be a table");
    return {document_, value == nullptr ? kNothing : *value, pointer_ + "/" + key, what_};
  }
  std::vector<Table> tables(const std::string& key) {
    const Json* const value = take(key);
    std::vector<Table> all;
    if (value == nullptr) return all;
    const std::string at = pointer_ + "/" + key;
    if (!value->is_array()) throw wrong(key, cat("must be written `[[", key, "]]`"));
    for (std::size_t i = 0; i < value->size(); ++i) {
      if (!(*value)[i].is_object()) throw wrong(key, cat("must be written `[[", key, "]]`"));
      all.emplace_back(document_, (*value)[i], cat(at, "/", i), what_);
    }
    return all;
  }
  std::vector<std::string> keys() const {
    std::vector<std::string> names;
    for (const auto& item : object_.items()) names.push_back(item.key());
    return names;
  }

  void refuse_others() const {
    for (const std::string& key : keys()) {
      if (taken_.count(key) != 0) continue;
      Error error(Exit::usage, cat("unknown key ", backticked(key)));
      error.at(place_of(key));
      const std::vector<std::string> known(taken_.begin(), taken_.end());
      if (const auto near = nearest(key, known)) {
        error.hint(cat("did you mean `", *near, "`?"));
      } else {
        error.hint(cat("what is known here: ", join(known, ", ")));
      }
      throw error;
    }
  }

 private:
  const Json* take(const std::string& key) {
    taken_.insert(key);
    const auto found = object_.find(key);
    return found == object_.end() ? nullptr : &*found;
  }
  std::string place(const std::string& pointer) const { return cat(what_, ":", document_.line(pointer)); }

  const TomlDocument& document_;
  const Json& object_;
  std::string pointer_;
  std::string_view what_;
  std::set<std::string> taken_;
};

Budget budget_in(Table&& table) {
  Budget budget{.compressed = table.size("compressed"), .installed = table.size("installed")};
  table.refuse_others();
  return budget;
}

RegistrySettings registry_in(Table&& table) {
  RegistrySettings registry;
  registry.address = table.text("address");
  registry.name_space = table.text("namespace");
  registry.tls_verify = table.flag("tls-verify", true);
  const std::string policy = table.text("sync-policy");
  if (!policy.empty()) {
    const auto found = kSyncPolicies.find(policy);
    if (found == kSyncPolicies.end()) throw table.wrong("sync-policy", "must be `full`, `on-demand` or `incremental`");
    registry.sync_policy = found->second;
  }
  table.refuse_others();
  return registry;
}

std::uint64_t volume_size_in(Table& table) {
  const std::string text = table.text("volume-size");
  if (text == "fat32") return kFat32;
  return table.size("volume-size");
}

Profile profile_in(const std::string& name, Table&& table) {
  Profile profile{.name = name, .platform = oci::Platform::host(), .compatible = {}, .volume_size = 0, .budget = {}};
  if (const std::string platform = table.text("platform"); !platform.empty()) {
    const std::optional<oci::Platform> parsed = oci::Platform::parse(platform);
    if (!parsed) throw table.wrong("platform", cat("is ", backticked(platform), ", which is no platform"));
    profile.platform = *parsed;
  }
  profile.compatible = table.texts("compatible");
  profile.volume_size = volume_size_in(table);
  profile.budget = budget_in(table.table("budget"));
  table.refuse_others();
  return profile;
}

// `build` and names without a host are below the site's registry.
std::string reference_of(const SetImage& image, const RegistrySettings& registry) {
  oci::Reference reference{.host = {}, .repository = image.name, .tag = {}, .digest = {}};
  const bool is_named = image.build.empty() && !image.from.starts_with("oci:") && !image.from.starts_with("archive:");
  if (is_named) reference = oci::Reference::parse(image.from);
  reference.digest.reset();
  if (reference.host.empty()) {
    reference.host = registry.address.empty() ? "localhost" : registry.address;
    if (!registry.name_space.empty()) reference.repository = cat(registry.name_space, "/", reference.repository);
  }
  reference.tag = reference.tag_or_latest();
  return reference.str();
}

SetImage image_in(Table&& table, const RegistrySettings& registry) {
  SetImage image{.name = table.text("name"),
                 .build = table.text("build"),
                 .from = table.text("from"),
                 .reference = table.text("reference"),
                 .is_critical = table.flag("critical", false),
                 .profiles = table.texts("profiles"),
                 .budget = budget_in(table.table("budget")),
                 .place = table.place()};
  table.refuse_others();
  if (image.name.empty()) throw Error(Exit::usage, "an image has no `name`").at(image.place);
  if (oci::repository_from(image.name) != image.name) {
    throw table.wrong("name", cat("is ", backticked(image.name), ", which no image can be called"));
  }
  if (image.build.empty() == image.from.empty()) {
    throw Error(Exit::usage, cat("the image ", backticked(image.name), " needs either `build` or `from`"))
        .at(image.place)
        .hint("`build = \"./sensor\"` is a source tree, `from = \"registry.example.org/edge/sensor:1\"` an image");
  }
  const std::string key = image.reference.empty() ? "from" : "reference";
  try {
    const std::string text = image.reference.empty() ? reference_of(image, registry) : image.reference;
    oci::Reference reference = oci::Reference::parse(text);
    if (reference.digest) throw table.wrong(key, "is the name that devices use, and a digest is not a name");
    reference.tag = reference.tag_or_latest();
    image.reference = reference.str();
  } catch (Error& error) {
    if (error.where().empty()) error.at(table.place_of(key));
    throw;
  }
  return image;
}

void refuse_twins(const ImageSet& set) {
  std::map<std::string, const SetImage*> names, references;
  for (const SetImage& image : set.images) {
    const auto [name, is_new] = names.emplace(image.name, &image);
    if (!is_new) {
      throw Error(Exit::usage, cat("two images are named ", backticked(image.name)))
          .at(image.place)
          .detail(cat("the other one is at ", name->second->place));
    }
    const auto [reference, is_first] = references.emplace(image.reference, &image);
    if (!is_first) {
      throw Error(Exit::usage, cat("two images would be called ", backticked(image.reference), " on a device"))
          .at(image.place)
          .detail(cat("the other one is ", backticked(reference->second->name), " at ", reference->second->place))
          .hint("give one of them a `reference` of its own");
    }
  }
}

void refuse_unknown_profiles(const ImageSet& set) {
  std::vector<std::string> known;
  for (const Profile& profile : set.profiles) known.push_back(profile.name);
  for (const SetImage& image : set.images) {
    for (const std::string& name : image.profiles) {
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      Error error(Exit::usage, cat("the image ", backticked(image.name), " is for the profile ", backticked(name),
                                   ", which is not in the file"));
      throw error.at(image.place).hint(cat("there are: ", join(known, ", ")));
    }
  }
}

}  // namespace

bool SetImage::is_for(const Profile& profile) const {
  return profiles.empty() || std::find(profiles.begin(), profiles.end(), profile.name) != profiles.end();
}

const Profile& ImageSet::profile(std::string_view wanted) const {
  if (wanted.empty() && profiles.size() == 1) return profiles.front();
  std::vector<std::string> names;
  for (const Profile& one : profiles) {
    if (one.name == wanted) return one;
    names.push_back(one.name);
  }
  Error error(Exit::usage, wanted.empty() ? cat("the set ", backticked(name), " has ", names.size(), " profiles")
                                          : cat("the set ", backticked(name), " has no profile ", backticked(wanted)));
  throw error.hint(cat("name one with `--profile`: ", join(names, ", ")));
}

ImageSet read_set(std::string_view toml, std::string_view what) {
  const TomlDocument document = parse_toml(toml, what);
  Table root(document, document.root, "", what);
  ImageSet set;
  set.name = root.text("set");
  if (set.name.empty()) {
    throw Error(Exit::usage, "the set has no name").at(std::string(what)).hint("as `set = \"line7\"`");
  }
  set.epoch = root.number("epoch");
  if (set.epoch == 0) {
    throw Error(Exit::usage, cat("the set ", backticked(set.name), " has no `epoch`"))
        .at(std::string(what))
        .hint("a number that grows with every bundle: devices refuse smaller ones");
  }
  set.registry = registry_in(root.table("registry"));
  Table profiles = root.table("profile");
  for (const std::string& name : profiles.keys()) set.profiles.push_back(profile_in(name, profiles.table(name)));
  if (set.profiles.empty()) set.profiles.push_back({.name = "default", .platform = oci::Platform::host()});
  for (Table& table : root.tables("image")) set.images.push_back(image_in(std::move(table), set.registry));
  root.refuse_others();
  if (set.images.empty()) {
    throw Error(Exit::usage, cat("the set ", backticked(set.name), " has no images"))
        .at(std::string(what))
        .hint("add one: `[[image]]` with `name` and either `build` or `from`");
  }
  refuse_twins(set);
  refuse_unknown_profiles(set);
  return set;
}

}  // namespace whittle::sets
