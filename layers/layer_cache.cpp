#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "layers/assembler.hpp"

namespace whittle::layers {

namespace {

constexpr std::uint64_t kMaximumEntry = 64 << 10, kMaximumFrames = 64 << 20;

fs::path frames_place(const fs::path& folder, std::string_view name) {
  return folder / cat("frames-", digest_of(name).hex());
}

Json layer_json(const oci::Layer& layer) {
  return {{"blob", layer.blob.digest.str()},
          {"size", layer.blob.size},
          {"mediaType", layer.blob.media_type},
          {"diffId", layer.diff_id.digest.str()},
          {"annotations", layer.blob.annotations}};
}

// Nothing for text that is not exactly what `remember` wrote under this key.
std::optional<oci::Layer> layer_from(std::string_view text, const Digest& key) {
  const std::size_t line_end = text.find('\n');
  if (line_end == std::string_view::npos) return std::nullopt;
  const std::string_view body = text.substr(line_end + 1);
  if (text.substr(0, line_end) != digest_of(cat(key.str(), body)).str()) return std::nullopt;
  const Json json = parse_json(body, "a layer cache entry");
  const auto blob = Digest::parse(json_member<std::string>(json, "blob", "a layer cache entry"));
  const auto diff_id = Digest::parse(json_member<std::string>(json, "diffId", "a layer cache entry"));
  if (!blob || !diff_id) return std::nullopt;
  return oci::Layer{.blob = {.media_type = json_member<std::string>(json, "mediaType", "a layer cache entry"),
                             .digest = *blob,
                             .size = json_member<std::uint64_t>(json, "size", "a layer cache entry"),
                             .annotations = json_member<oci::Annotations>(json, "annotations", "a layer cache entry")},
                    .diff_id = {*diff_id}};
}

}  // namespace

std::optional<oci::Layer> LayerCache::find(const Digest& key, const oci::BlobStore& store) const {
  try {
    const std::optional<std::string> text = read_file_if_exists(folder_ / key.hex(), kMaximumEntry);
    if (!text) return std::nullopt;
    std::optional<oci::Layer> layer = layer_from(*text, key);
    if (layer && !store.has(layer->blob.digest, layer->blob.size)) return std::nullopt;
    return layer;
  } catch (const Error&) {
    return std::nullopt;  // a cache that cannot be read is one that does not know
  }
}

void LayerCache::remember(const Digest& key, const oci::Layer& layer) {
  make_folders(folder_);
  const std::string body = canonical_json(layer_json(layer));
  write_unsynced(folder_ / key.hex(), cat(digest_of(cat(key.str(), body)).str(), "\n", body));
}

void LayerCache::add_frames(std::string_view name, const oci::BlobStore& store, KnownFrames& known) const {
  try {
    const std::optional<std::string> text = read_file_if_exists(frames_place(folder_, name), kMaximumFrames);
    const std::optional<FrameRecord> record = text ? FrameRecord::decode(*text) : std::nullopt;
    if (record && store.has(record->blob, record->blob_size)) known.add(store, record->blob, record->frames);
  } catch (const Error&) {
    // as above
  }
}

void LayerCache::remember_frames(std::string_view name, const WrittenLayer& written) {
  if (written.chunks.empty()) return;
  const oci::Descriptor& blob = written.layer.blob;
  write_unsynced(frames_place(folder_, name),
                 FrameRecord{.blob = blob.digest, .blob_size = blob.size, .frames = written.chunks}.encode());
}

}  // namespace whittle::layers
