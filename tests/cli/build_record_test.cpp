#include "cli/build_record.hpp"

#include <doctest/doctest.h>

#include "oci/image.hpp"

using namespace whittle;

namespace {

struct Stored {
  TemporaryFolder folder{"/tmp"};
  oci::BlobStore blobs{folder.path() / "store"};
  cli::BuildRecords records{folder.path() / "builds", blobs};
  Digest key = digest_of("key");
  oci::Descriptor layer, root;

  Stored() {
    layer = blobs.put("layer", oci::media_type::kLayerTar);
    oci::Config config{.platform = oci::Platform::host()};
    config.diff_ids.push_back({layer.digest});
    oci::Manifest manifest{.media_type = std::string(oci::media_type::kManifest),
                           .config = blobs.put(config.encode(), oci::media_type::kConfig),
                           .layers = {layer},
                           .annotations = {}};
    root = blobs.put(manifest.encode(), oci::media_type::kManifest);
    root.platform = oci::Platform::host();
    records.remember(key, {.root = root, .warnings = {"told again"}});
  }
};

}  // namespace

TEST_CASE("a build is found again with its warnings") {
  const Stored stored;
  const auto record = stored.records.find(stored.key);
  REQUIRE(record);
  CHECK(record->root == stored.root);
  CHECK(record->warnings == std::vector<std::string>{"told again"});
  CHECK_FALSE(stored.records.find(digest_of("another key")));
}

TEST_CASE("a record is not believed when a blob of its image is gone") {
  Stored stored;
  stored.blobs.remove(stored.layer.digest);
  CHECK_FALSE(stored.records.find(stored.key));
}

TEST_CASE("a blob that was rewritten with the same size is noticed") {
  Stored stored;
  fs::permissions(stored.blobs.path(stored.layer.digest), fs::perms::owner_write, fs::perm_options::add);
  write_file(stored.blobs.path(stored.layer.digest), "Layer");
  CHECK_FALSE(stored.records.find(stored.key));
}

TEST_CASE("a blob that was copied here unchanged is still believed") {
  Stored stored;
  const fs::path path = stored.blobs.path(stored.layer.digest);
  fs::remove(path);
  write_file(path, "layer");
  CHECK(stored.records.find(stored.key));
}

TEST_CASE("a damaged record counts as absent") {
  const Stored stored;
  write_file(stored.folder.path() / "builds" / stored.key.hex(), "{\"root\":");
  CHECK_FALSE(stored.records.find(stored.key));
}
