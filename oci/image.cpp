#include "oci/image.hpp"

#include <chrono>
#include <cstdio>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace whittle::oci {

namespace {

constexpr std::size_t kMaximumLayers = 1000, kMaximumManifests = 1000, kMaximumEntries = 10'000;
constexpr int kExit = static_cast<int>(Exit::registry_content);

// base/json.hpp takes a wrong member for a mistake of the user; here it came from a registry or a file.
template <class Function>
auto as_content(Function&& body) {
  try {
    return body();
  } catch (const Error& problem) {
    Error error(Exit::registry_content, problem.message());
    if (!problem.where().empty()) error.at(problem.where());
    for (const std::string& cause : problem.causes()) error.cause(cause);
    throw error;
  }
}

[[noreturn]] void refuse(std::string_view what, std::string_view why) {
  Error error(Exit::registry_content, cat("cannot use ", what));
  error.cause(std::string(why));
  throw error;
}

Json parse_object(std::string_view text, std::uint64_t limit, std::string_view what) {
  if (text.size() > limit) refuse(what, cat("it is larger than ", human_size(limit)));
  Json json = parse_json(text, what, kExit);
  if (!json.is_object()) refuse(what, "it is no JSON object");
  return json;
}

const Json& member(const Json& object, std::string_view key) {
  static const Json kNothing;
  const auto found = object.find(key);
  return found == object.end() ? kNothing : *found;
}

std::string text_member(const Json& object, std::string_view key, std::string_view what) {
  return json_member_or<std::string>(object, key, "", what);
}

std::vector<std::string> list_member(const Json& object, std::string_view key, std::string_view what) {
  auto list = json_member_or<std::vector<std::string>>(object, key, {}, what);
  if (list.size() > kMaximumEntries) refuse(what, cat(backticked(key), " has too many entries"));
  return list;
}

Annotations map_member(const Json& object, std::string_view key, std::string_view what) {
  auto map = json_member_or<Annotations>(object, key, {}, what);
  if (map.size() > kMaximumEntries) refuse(what, cat(backticked(key), " has too many entries"));
  return map;
}

// A set, in the specification's words `{"8080/tcp": {}}`.
std::vector<std::string> set_member(const Json& object, std::string_view key, std::string_view what) {
  const Json& set = member(object, key);
  if (set.is_null()) return {};
  if (!set.is_object() || set.size() > kMaximumEntries) refuse(what, cat(backticked(key), " must be an object"));
  std::vector<std::string> names;
  for (const auto& item : set.items()) names.push_back(item.key());
  return names;
}

Json set_json(const std::vector<std::string>& names) {
  Json set = Json::object();
  for (const std::string& name : names) set[name] = Json::object();
  return set;
}

Digest digest_value(const std::string& text, std::string_view what) {
  const std::optional<Digest> digest = Digest::parse(text);
  if (!digest) refuse(what, cat(backticked(text), " is not a SHA-256 digest"));
  return *digest;
}

void put(Json& object, const char* key, const std::string& value) {
  if (!value.empty()) object[key] = value;
}

template <class Container>
void put_all(Json& object, const char* key, const Container& values) {
  if (!values.empty()) object[key] = values;
}

Platform platform_from(const Json& json, std::string_view what) {
  return {.os = json_member_or<std::string>(json, "os", "linux", what),
          .architecture = text_member(json, "architecture", what),
          .variant = text_member(json, "variant", what)};
}

void put_platform(Json& object, const Platform& platform) {
  object["os"] = platform.os;
  object["architecture"] = platform.architecture;
  put(object, "variant", platform.variant);
}

Descriptor descriptor_from(const Json& json, std::string_view what) {
  if (!json.is_object()) refuse(what, "a descriptor must be an object");
  Descriptor descriptor;
  descriptor.media_type = text_member(json, "mediaType", what);
  descriptor.digest = digest_value(json_member<std::string>(json, "digest", what), what);
  const Json& size = member(json, "size");
  if (!size.is_number_unsigned() || size.get<std::uint64_t>() > INT64_MAX) {
    refuse(what, cat("the size of ", descriptor.digest.str(), " must be a number from 0"));
  }
  descriptor.size = size.get<std::uint64_t>();
  if (const Json& platform = member(json, "platform"); !platform.is_null()) {
    descriptor.platform = platform_from(platform, what);
  }
  descriptor.annotations = map_member(json, "annotations", what);
  descriptor.artifact_type = text_member(json, "artifactType", what);
  return descriptor;
}

Json descriptor_json(const Descriptor& descriptor) {
  Json json = {{"mediaType", descriptor.media_type}, {"digest", descriptor.digest.str()}, {"size", descriptor.size}};
  if (descriptor.platform) {
    json["platform"] = Json::object();
    put_platform(json["platform"], *descriptor.platform);
  }
  put_all(json, "annotations", descriptor.annotations);
  put(json, "artifactType", descriptor.artifact_type);
  return json;
}

std::vector<Descriptor> descriptors_from(const Json& json, const char* key, std::size_t limit, std::string_view what) {
  const Json& list = member(json, key);
  if (!list.is_array()) refuse(what, cat(backticked(key), " must be a list"));
  if (list.size() > limit) refuse(what, cat(backticked(key), " has more than ", limit, " entries"));
  std::vector<Descriptor> descriptors;
  for (const Json& item : list) descriptors.push_back(descriptor_from(item, what));
  return descriptors;
}

// A document that is a manifest to one reader and an index to another is refused (CVE-2021-41190).
void check_kind(const Json& json, std::string_view media_type, bool (*is_expected)(std::string_view),
                const char* foreign, std::string_view what) {
  const Json& version = member(json, "schemaVersion");
  if (!version.is_number_unsigned() || version.get<std::uint64_t>() != 2) refuse(what, "its schemaVersion is not 2");
  if (!media_type.empty() && !is_expected(media_type)) {
    refuse(what, cat("its media type is ", backticked(media_type)));
  }
  if (json.contains(foreign)) refuse(what, cat("it also has ", backticked(foreign)));
}

History history_from(const Json& json, std::string_view what) {
  return {.created_by = text_member(json, "created_by", what),
          .comment = text_member(json, "comment", what),
          .empty_layer = json_member_or<bool>(json, "empty_layer", false, what)};
}

}  // namespace

namespace media_type {

bool is_index(std::string_view type) {
  return type == kIndex || type == kDockerList;
}

bool is_manifest(std::string_view type) {
  return type == kManifest || type == kDockerManifest;
}

}  // namespace media_type

Manifest Manifest::decode(std::string_view text, std::string_view what) {
  return as_content([&] {
    const Json json = parse_object(text, kMaximumManifest, what);
    Manifest manifest;
    manifest.media_type = text_member(json, "mediaType", what);
    check_kind(json, manifest.media_type, media_type::is_manifest, "manifests", what);
    manifest.config = descriptor_from(member(json, "config"), what);
    manifest.layers = descriptors_from(json, "layers", kMaximumLayers, what);
    manifest.annotations = map_member(json, "annotations", what);
    return manifest;
  });
}

std::string Manifest::encode() const {
  Json json = {{"schemaVersion", 2}, {"config", descriptor_json(config)}, {"layers", Json::array()}};
  put(json, "mediaType", media_type);
  for (const Descriptor& layer : layers) json["layers"].push_back(descriptor_json(layer));
  put_all(json, "annotations", annotations);
  return canonical_json(json);
}

Index Index::decode(std::string_view text, std::string_view what) {
  return as_content([&] {
    const Json json = parse_object(text, kMaximumManifest, what);
    Index index;
    index.media_type = text_member(json, "mediaType", what);
    check_kind(json, index.media_type, media_type::is_index, "layers", what);
    index.manifests = descriptors_from(json, "manifests", kMaximumManifests, what);
    index.annotations = map_member(json, "annotations", what);
    return index;
  });
}

std::string Index::encode() const {
  Json json = {{"schemaVersion", 2}, {"manifests", Json::array()}};
  put(json, "mediaType", media_type);
  for (const Descriptor& manifest : manifests) json["manifests"].push_back(descriptor_json(manifest));
  put_all(json, "annotations", annotations);
  return canonical_json(json);
}

Config Config::decode(std::string_view text, std::string_view what) {
  return as_content([&] {
    const Json json = parse_object(text, kMaximumConfig, what);
    Config config;
    config.platform = platform_from(json, what);
    config.created = text_member(json, "created", what);
    if (const Json& run = member(json, "config"); !run.is_null()) {
      config.entrypoint = list_member(run, "Entrypoint", what);
      config.command = list_member(run, "Cmd", what);
      config.env = list_member(run, "Env", what);
      config.user = text_member(run, "User", what);
      config.working_directory = text_member(run, "WorkingDir", what);
      config.stop_signal = text_member(run, "StopSignal", what);
      config.exposed_ports = set_member(run, "ExposedPorts", what);
      config.volumes = set_member(run, "Volumes", what);
      config.labels = map_member(run, "Labels", what);
    }
    for (const std::string& diff_id : list_member(member(json, "rootfs"), "diff_ids", what)) {
      config.diff_ids.push_back({digest_value(diff_id, what)});
    }
    const Json& steps = member(json, "history");
    if (!steps.is_null() && (!steps.is_array() || steps.size() > kMaximumEntries)) {
      refuse(what, "`history` must be a list");
    }
    for (const Json& step : steps) config.history.push_back(history_from(step, what));
    return config;
  });
}

std::string Config::encode() const {
  Json run = Json::object();
  put_all(run, "Entrypoint", entrypoint);
  put_all(run, "Cmd", command);
  put_all(run, "Env", env);
  put(run, "User", user);
  put(run, "WorkingDir", working_directory);
  put(run, "StopSignal", stop_signal);
  if (!exposed_ports.empty()) run["ExposedPorts"] = set_json(exposed_ports);
  if (!volumes.empty()) run["Volumes"] = set_json(volumes);
  put_all(run, "Labels", labels);

  Json json = {{"config", run}, {"rootfs", {{"type", "layers"}, {"diff_ids", Json::array()}}}};
  put_platform(json, platform);
  put(json, "created", created);
  for (const DiffId& diff_id : diff_ids) json["rootfs"]["diff_ids"].push_back(diff_id.digest.str());
  for (const History& step : history) {
    Json one = Json::object();
    put(one, "created", created);
    put(one, "created_by", step.created_by);
    put(one, "comment", step.comment);
    if (step.empty_layer) one["empty_layer"] = true;
    json["history"].push_back(one);
  }
  return canonical_json(json);
}

std::string rfc3339(std::int64_t seconds) {
  // The years that four digits can tell.
  constexpr std::int64_t kFirst = -62'167'219'200, kLast = 253'402'300'799;
  if (seconds < kFirst || seconds > kLast) {
    throw Error(Exit::usage, cat("the time ", seconds, " is outside the years 0 to 9999"));
  }
  const std::chrono::sys_seconds time{std::chrono::seconds(seconds)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  std::string text(32, '\0');
  const int size = std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ", int{date.year()},
                                 unsigned{date.month()}, unsigned{date.day()}, static_cast<int>(clock.hours().count()),
                                 static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

}  // namespace whittle::oci
