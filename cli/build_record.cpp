#include "cli/build_record.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "oci/layout.hpp"

namespace whittle::cli {

namespace {

oci::Descriptor descriptor_from(const Json& json) {
  const std::string what = "a build record";
  const auto digest = Digest::parse(json_member<std::string>(json, "digest", what));
  const auto platform = oci::Platform::parse(json_member<std::string>(json, "platform", what));
  if (!digest) throw Error(Exit::bug, "a build record holds no digest");
  return {.media_type = json_member<std::string>(json, "mediaType", what),
          .digest = *digest,
          .size = json_member<std::uint64_t>(json, "size", what),
          .platform = platform};
}

}  // namespace

std::optional<BuildRecords::Record> BuildRecords::find(const Digest& key) const {
  const std::optional<std::string> text = read_file_if_exists(path(key), 4 << 20);
  if (!text) return std::nullopt;
  try {
    const Json json = parse_json(*text, "a build record");
    Record record{.root = descriptor_from(json_member<Json>(json, "root", "a build record")),
                  .warnings = json_member<std::vector<std::string>>(json, "warnings", "a build record"),
                  .installed = json_member<std::uint64_t>(json, "installed", "a build record"),
                  .sandbox = json_member<std::string>(json, "sandbox", "a build record")};
    const auto blobs = json_member<std::map<std::string, std::uint64_t>>(json, "blobs", "a build record");
    if (blobs.empty()) return std::nullopt;
    for (const auto& [name, size] : blobs) {
      const std::optional<Digest> digest = Digest::parse(name);
      if (!digest || !store_.has(*digest, size)) return std::nullopt;
    }
    return record;
  } catch (const Error&) {
    return std::nullopt;
  }
}

void BuildRecords::remember(const Digest& key, const Record& record) {
  Json blobs = Json::object();
  for (const oci::Descriptor& blob : oci::closure(store_, record.root)) {
    blobs[blob.digest.str()] = blob.size;
  }
  const Json json = {{"root",
                      {{"mediaType", record.root.media_type},
                       {"digest", record.root.digest.str()},
                       {"size", record.root.size},
                       {"platform", record.root.platform ? record.root.platform->str() : ""}}},
                     {"blobs", blobs},
                     {"warnings", record.warnings},
                     {"installed", record.installed},
                     {"sandbox", record.sandbox}};
  make_folders(folder_);
  write_unsynced(path(key), canonical_json(json));
}

}  // namespace whittle::cli
