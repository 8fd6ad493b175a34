#include "bundle/oci_delta.hpp"

#include "base/archive.hpp"
#include "base/json.hpp"
#include "bundle/tar_diff_maker.hpp"
#include "layers/layer_writer.hpp"
#include "oci/layout.hpp"
#include "tests/bundle/delta_support.hpp"
#include "tests/support/errors.hpp"

using namespace whittle;
using namespace whittle::bundle;

namespace {

oci::Descriptor image_of(DeltaRig& rig, const std::vector<oci::Descriptor>& layers) {
  oci::Config config;
  config.platform = {.os = "linux", .architecture = "amd64"};
  for (const oci::Descriptor& layer : layers) config.diff_ids.push_back(layers::diff_id_of(rig.store, layer));
  oci::Manifest manifest{.media_type = std::string(oci::media_type::kManifest),
                         .config = rig.store.put(config.encode(), oci::media_type::kConfig),
                         .layers = layers,
                         .annotations = {}};
  return rig.store.put(manifest.encode(), oci::media_type::kManifest);
}

std::string tar_of(const DeltaRig& rig, const oci::Descriptor& layer) {
  StringSink tar;
  decompress(*rig.store.open(layer), tar, "the layer");
  return tar.text;
}

}  // namespace

TEST_CASE("an update becomes an artifact of what is missing") {
  DeltaRig rig;
  oci::BlobStore& out = rig.payloads;
  const oci::Descriptor same = rig.layer({{"etc/same", "same"}}), before = rig.layer({{"bin/app", program(30'000, 1)}}),
                        after = rig.layer({{"bin/app", program(30'000, 1, 100'000)}}, layers::LayerForm::chunked),
                        unlike = rig.layer({{"new", "x"}});
  const oci::Descriptor old = image_of(rig, {same, before}), fresh = image_of(rig, {same, after, unlike});
  const OciDeltaTask task{.old_manifest = old,
                          .old = rig.store,
                          .new_manifest = fresh,
                          .fresh = rig.store,
                          .store = out,
                          .scratch = rig.scratch()};
  const oci::Descriptor artifact = write_oci_delta(task, {});
  CHECK(write_oci_delta(task, {}) == artifact);
  CHECK(artifact.artifact_type == kOciDeltaType);

  const Json document = parse_json(out.read(artifact, 1 << 20), "the artifact");
  CHECK(document["artifactType"] == kOciDeltaType);
  CHECK(document["subject"]["digest"] == fresh.digest.str());
  const Json& annotations = document["annotations"];
  CHECK(annotations["io.github.containers.delta.target"] == fresh.digest.str());
  CHECK(annotations["io.github.containers.delta.source"] == old.digest.str());
  CHECK(annotations["io.github.containers.delta.reused"] == cat("[\"", same.digest.str(), "\"]"));
  CHECK(annotations["io.github.containers.delta.reused-diff-id"] ==
        cat("[\"", layers::diff_id_of(rig.store, same).digest.str(), "\"]"));

  const auto content = [&](std::size_t i) {
    return document["layers"][i]["annotations"]["io.github.containers.delta.content"].get<std::string>();
  };
  const auto layer = [&](std::size_t i) {
    const Json& one = document["layers"][i];
    return oci::Descriptor{.media_type = one["mediaType"].get<std::string>(),
                           .digest = *Digest::parse(one["digest"].get<std::string>()),
                           .size = one["size"].get<std::uint64_t>()};
  };
  REQUIRE(document["layers"].size() == 4);
  CHECK(content(0) == "image-manifest");
  CHECK(out.read(layer(0), 1 << 20) == rig.store.read(fresh, 1 << 20));
  CHECK(content(1) == "image-config");
  CHECK(content(2) == "image-layer");
  CHECK(layer(2).media_type == kTarDiffType);
  CHECK(document["layers"][2]["annotations"]["io.github.containers.delta.to"] == after.digest.str());
  CHECK(layer(2).size < after.size / 4);
  CHECK(document["layers"][3]["annotations"]["io.github.containers.delta.to"] == unlike.digest.str());

  const std::string tars[] = {tar_of(rig, same), tar_of(rig, before)};
  const Bytes views[] = {bytes_of(tars[0]), bytes_of(tars[1])};
  StringSink made;
  apply_tar_diff(*out.open(layer(2)), UnpackedTars(views), made, 1 << 30);
  CHECK(made.text == tar_of(rig, after));

  // Everything that it names is there, so that any sink can deliver it.
  for (const oci::Descriptor& blob : oci::closure(out, artifact)) CHECK(out.has(blob.digest, blob.size));
}
