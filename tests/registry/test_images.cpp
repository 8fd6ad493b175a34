#include "tests/registry/test_images.hpp"

#include <random>

#include "base/stream.hpp"
#include "base/tar.hpp"
#include "base/text.hpp"

namespace whittle::testing {

TestImage make_image(oci::BlobStore& store, const std::vector<std::string>& files, const oci::Platform& platform) {
  TestImage image;
  oci::Config config{.platform = platform,
                     .created = "2026-11-22T00:00:00Z",
                     .entrypoint = {"/file0"},
                     .command = {},
                     .env = {},
                     .user = "65532:65532",
                     .working_directory = "/",
                     .stop_signal = {},
                     .exposed_ports = {},
                     .volumes = {},
                     .labels = {},
                     .diff_ids = {},
                     .history = {}};
  for (std::size_t i = 0; i < files.size(); ++i) {
    StringSink tar;
    TarWriter writer(tar);
    StringSource content(files[i]);
    writer.add({.path = cat("file", i), .size = files[i].size(), .mode = 0755, .link = {}, .attributes = {}}, content);
    writer.finish();
    image.layers.push_back(store.put(tar.text, oci::media_type::kLayerTar));
    config.diff_ids.push_back({image.layers.back().digest});
  }
  image.config = store.put(config.encode(), oci::media_type::kConfig);
  const oci::Manifest manifest{.media_type = std::string(oci::media_type::kManifest),
                               .config = image.config,
                               .layers = image.layers,
                               .annotations = {}};
  image.manifest = store.put(manifest.encode(), oci::media_type::kManifest);
  image.manifest.platform = platform;
  return image;
}

oci::Descriptor make_index(oci::BlobStore& store, const std::vector<TestImage>& images) {
  oci::Index index{.media_type = std::string(oci::media_type::kIndex), .manifests = {}, .annotations = {}};
  for (const TestImage& image : images) index.manifests.push_back(image.manifest);
  return store.put(index.encode(), oci::media_type::kIndex);
}

std::string noise(std::size_t size, unsigned seed) {
  std::minstd_rand random(seed + 1);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random() >> 8);
  return text;
}

}  // namespace whittle::testing
