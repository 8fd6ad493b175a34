#include "bundle/oci_delta.hpp"

#include <deque>
#include <map>

#include "base/archive.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "bundle/scratch_file.hpp"
#include "bundle/tar_diff_maker.hpp"

namespace whittle::bundle {

namespace {

constexpr std::string_view kEmptyType = "application/vnd.oci.empty.v1+json";

std::string key(std::string_view name) {
  return cat("io.github.containers.delta.", name);
}

// What is told of an image by its two documents.
struct Documents {
  std::string manifest_text, config_text;
  oci::Manifest manifest;
  oci::Config config;

  Documents(const oci::Descriptor& descriptor, const oci::BlobSource& source)
      : manifest_text(source.read(descriptor, oci::kMaximumManifest)),
        manifest(oci::Manifest::decode(manifest_text, cat("the manifest ", descriptor.digest.str()))) {
    config_text = source.read(manifest.config, oci::kMaximumConfig);
    config = oci::Config::decode(config_text, cat("the configuration ", manifest.config.digest.str()));
    if (config.diff_ids.size() != manifest.layers.size()) {
      throw Error(Exit::registry_content, cat("the image ", descriptor.digest.str(), " is broken"))
          .cause(cat("it has ", manifest.layers.size(), " layers and ", config.diff_ids.size(), " diff IDs"));
    }
  }
};

Json json_of(const oci::Descriptor& blob, std::string_view content, const Json& more = Json::object()) {
  Json annotations = {{key("content"), content}};
  annotations.update(more);
  return {{"mediaType", blob.media_type},
          {"digest", blob.digest.str()},
          {"size", blob.size},
          {"annotations", std::move(annotations)}};
}

class Artifact {
 public:
  Artifact(const OciDeltaTask& task, const std::stop_token& stop)
      : task_(task),
        stop_(stop),
        old_(task.old_manifest, task.old),
        fresh_(task.new_manifest, task.fresh),
        unpacked_(unpack(task)) {}

  oci::Descriptor write() {
    const oci::Descriptor manifest = task_.store.put(fresh_.manifest_text, oci::media_type::kManifest);
    Json layers = Json::array({json_of(manifest, "image-manifest"),
                               json_of(task_.store.put(fresh_.config_text, oci::media_type::kConfig), "image-config")});
    std::map<oci::DiffId, bool> known;
    for (const oci::DiffId& id : old_.config.diff_ids) known[id] = true;
    Json reused = Json::array(), reused_ids = Json::array();
    for (std::size_t i = 0; i < fresh_.manifest.layers.size(); ++i) {
      const oci::Descriptor& layer = fresh_.manifest.layers[i];
      if (known.contains(fresh_.config.diff_ids[i])) {
        reused.push_back(layer.digest.str());
        reused_ids.push_back(fresh_.config.diff_ids[i].digest.str());
      } else {
        layers.push_back(json_of(carried(layer), "image-layer", {{key("to"), layer.digest.str()}}));
      }
    }
    Json annotations = {{key("target"), manifest.digest.str()},
                        {key("source"), task_.old_manifest.digest.str()},
                        {key("source-config"), old_.manifest.config.digest.str()}};
    if (!reused.empty()) {
      annotations[key("reused")] = canonical_json(reused);
      annotations[key("reused-diff-id")] = canonical_json(reused_ids);
    }
    const oci::Descriptor config = task_.store.put("{}", kEmptyType);
    const Json document = {
        {"schemaVersion", 2},
        {"mediaType", oci::media_type::kManifest},
        {"artifactType", kOciDeltaType},
        {"config", {{"mediaType", kEmptyType}, {"digest", config.digest.str()}, {"size", config.size}}},
        {"layers", std::move(layers)},
        {"subject", {{"mediaType", manifest.media_type}, {"digest", manifest.digest.str()}, {"size", manifest.size}}},
        {"annotations", std::move(annotations)}};
    oci::Descriptor artifact = task_.store.put(canonical_json(document), oci::media_type::kManifest);
    artifact.artifact_type = kOciDeltaType;
    return artifact;
  }

 private:
  UnpackedTars unpack(const OciDeltaTask& task) {
    std::vector<Bytes> tars;
    for (const oci::Descriptor& layer : old_.manifest.layers) tars.push_back(unpacked(task.old, layer));
    return UnpackedTars(tars);
  }

  Bytes unpacked(const oci::BlobSource& source, const oci::Descriptor& layer) {
    if (stop_.stop_requested()) throw Error(Exit::transient, "stopped while making a delta");
    ScratchFile& file = files_.emplace_back(task_.scratch);
    decompress(*source.open(layer), file, cat("the layer ", layer.digest.str()));
    return file.map();
  }

  // As a tar-diff when that is smaller.
  oci::Descriptor carried(const oci::Descriptor& layer) {
    const Bytes tar = unpacked(task_.fresh, layer);
    {
      ScratchFile payload(task_.scratch);
      write_tar_diff(tar, unpacked_, payload, stop_);
      if (payload.size() < layer.size) return stored(payload.map(), kTarDiffType);
    }
    oci::BlobStore::Writer writer(task_.store);
    copy(*task_.fresh.open(layer), writer);
    writer.commit(layer);
    return {.media_type = layer.media_type, .digest = layer.digest, .size = layer.size};
  }
  oci::Descriptor stored(Bytes bytes, std::string_view media_type) {
    oci::BlobStore::Writer writer(task_.store);
    writer.write(bytes);
    return writer.commit(media_type);
  }

  const OciDeltaTask& task_;
  const std::stop_token& stop_;
  const Documents old_, fresh_;
  std::deque<ScratchFile> files_;
  const UnpackedTars unpacked_;
};

}  // namespace

oci::Descriptor write_oci_delta(const OciDeltaTask& task, const std::stop_token& stop) {
  return with_context(cat("cannot make a delta to the image ", task.new_manifest.digest.str()),
                      [&] { return Artifact(task, stop).write(); });
}

}  // namespace whittle::bundle
