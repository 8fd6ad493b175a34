#include "cli/build_record.hpp"

#include <sys/stat.h>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "oci/layout.hpp"

namespace whittle::cli {

namespace {

// Who a file is to the kernel; any write to it changes this.
std::string identity_of(const fs::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return "absent";
  return cat(status.st_dev, ":", status.st_ino, ":", status.st_size, ":", status.st_mtim.tv_sec, ".",
             status.st_mtim.tv_nsec, ":", status.st_ctim.tv_sec, ".", status.st_ctim.tv_nsec);
}

// True when the blob's content is what its name says; a corrupted one is removed so that it is made again.
bool holds(oci::BlobStore& store, const oci::Descriptor& blob) {
  try {
    HashSink sink;
    copy(*store.open(blob), sink);
    return true;
  } catch (const Error&) {
    store.remove(blob.digest);
    return false;
  }
}

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
                  .warnings = json_member<std::vector<std::string>>(json, "warnings", "a build record")};
    const auto identities = json_member<std::map<std::string, std::string>>(json, "blobs", "a build record");
    bool is_whole = !identities.empty();
    for (const auto& [name, identity] : identities) {
      const std::optional<Digest> digest = Digest::parse(name);
      if (!digest || !store_.has(*digest)) return std::nullopt;
      if (identity_of(store_.path(*digest)) == identity) continue;
      // Written to, or copied here from elsewhere: the content decides.
      is_whole = holds(store_, {.media_type = "", .digest = *digest, .size = store_.size(*digest)}) && is_whole;
    }
    if (!is_whole) return std::nullopt;
    return record;
  } catch (const Error&) {
    return std::nullopt;
  }
}

void BuildRecords::remember(const Digest& key, const Record& record) {
  Json blobs = Json::object();
  for (const oci::Descriptor& blob : oci::closure(store_, record.root)) {
    blobs[blob.digest.str()] = identity_of(store_.path(blob.digest));
  }
  const Json json = {{"root",
                      {{"mediaType", record.root.media_type},
                       {"digest", record.root.digest.str()},
                       {"size", record.root.size},
                       {"platform", record.root.platform.value_or(oci::Platform::host()).str()}}},
                     {"blobs", blobs},
                     {"warnings", record.warnings}};
  make_folders(folder_);
  write_file(path(key), canonical_json(json));
}

}  // namespace whittle::cli
