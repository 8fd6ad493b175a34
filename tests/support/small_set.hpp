// A set of small images in a store of its own, and the bundle plan that carries all of them.
#pragma once

#include <string>
#include <vector>

#include "base/files.hpp"
#include "bundle/writer.hpp"
#include "oci/layout.hpp"

namespace whittle::test {

// An image whose layers are plain tar files with one file each, of these contents.
inline oci::Descriptor put_image(oci::BlobStore& blobs, const std::vector<std::string>& contents,
                                 const oci::Platform& platform) {
  oci::Manifest manifest{
      .media_type = std::string(oci::media_type::kManifest), .config = {}, .layers = {}, .annotations = {}};
  oci::Config config;
  config.platform = platform;
  config.entrypoint = {"/program"};
  for (const std::string& content : contents) {
    manifest.layers.push_back(blobs.put(content, oci::media_type::kLayerTar));
    config.diff_ids.push_back({manifest.layers.back().digest});
  }
  manifest.config = blobs.put(config.encode(), oci::media_type::kConfig);
  oci::Descriptor target = blobs.put(manifest.encode(), oci::media_type::kManifest);
  target.platform = platform;
  return target;
}

// `size` bytes that no compressor makes smaller, another text for each seed.
inline std::string noise(std::size_t size, std::uint64_t seed) {
  std::string text(size, '\0');
  for (char& c : text) {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    c = static_cast<char>(seed >> 56);
  }
  return text;
}

struct SmallSet {
  TemporaryFolder around{fs::temp_directory_path()};
  RecordingEvents events;
  oci::Layout layout{around.path() / "store", oci::Layout::Open::create, events};
  oci::Platform platform{.os = "linux", .architecture = "amd64", .variant = ""};
  bundle::SigningKey key = bundle::SigningKey::generate(bundle::KeyAlgorithm::ed25519);
  bundle::BundlePlan plan;

  SmallSet() {
    plan.root.set = "line7";
    plan.root.epoch = 1;
    plan.root.created = "2026-01-01T00:00:00Z";
    plan.root.platform = platform;
  }

  bundle::Trust trust() const { return {.set = "line7", .version = 1, .threshold = 1, .keys = {key.public_key()}}; }

  // Adds an image and what it is made of, unless it is carried already.
  void add(const std::string& name, const std::vector<std::string>& contents) {
    const oci::Descriptor target = put_image(layout.blobs(), contents, platform);
    bundle::BundledImage image{.name = name,
                               .reference = "registry.example.org/edge/" + name + ":1",
                               .target = target,
                               .is_critical = false,
                               .installed = 1000,
                               .inodes = 3,
                               .blobs = {}};
    for (const oci::Descriptor& blob : oci::closure(layout.blobs(), target)) {
      image.blobs.push_back(blob.digest);
      const bundle::BlobSize carried{blob.digest, blob.size};
      auto& blobs = plan.root.blobs;
      if (std::find(blobs.begin(), blobs.end(), carried) == blobs.end()) blobs.push_back(carried);
    }
    plan.root.images.push_back(std::move(image));
  }

  void sign() {
    plan.trust.documents = {{trust().encode(), {}}};
    plan.signatures = {key.sign(plan.root.encode())};
  }

  std::vector<fs::path> write(const std::string& file = "line7.whittle") {
    sign();
    return bundle::write_bundle(plan, layout.blobs(), around.path() / file, events, {});
  }
};

}  // namespace whittle::test
