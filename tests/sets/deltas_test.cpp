#include "sets/deltas.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/tar.hpp"
#include "base/zstd_frames.hpp"
#include "sets/bundle_plan.hpp"
#include "tests/support/small_set.hpp"

using namespace whittle;
using namespace whittle::sets;

namespace {

std::string layer_with(const std::string& content) {
  StringSink out;
  TarWriter tar(out);
  StringSource source(content);
  tar.add({.path = "bin/sensor", .size = content.size(), .mode = 0755, .link = {}, .attributes = {}}, source);
  tar.finish();
  return out.text;
}

struct Update {
  test::SmallSet store;
  TemporaryFolder scratch{fs::temp_directory_path()};
  oci::BlobStore payloads{scratch.path() / "payloads"};
  Profile profile{.name = "gw", .platform = store.platform, .compatible = {}, .volume_size = 0, .budget = {}};
  std::string content = test::noise(200'000, 7);
  bundle::Receipt receipt;
  bundle::Root root;

  Update() {
    const oci::Descriptor old = test::put_image(store.layout.blobs(), {layer_with(content)}, store.platform);
    receipt = {.device = "gw-17", .platform = store.platform, .set = "line7", .compressor = compressor_version()};
    for (const oci::Descriptor& blob : oci::closure(store.layout.blobs(), old)) receipt.blobs.push_back(blob.digest);
    std::sort(receipt.blobs.begin(), receipt.blobs.end());
    receipt.images = {"sensor " + old.digest.str()};

    content[100'000] = static_cast<char>(content[100'000] + 1);
    Lock lock{.set = "line7", .epoch = 2, .created = "2026-01-01T00:00:00Z", .images = {}};
    lock.images.push_back({.name = "sensor",
                           .reference = "localhost/sensor:1",
                           .source = "build sensor",
                           .root = test::put_image(store.layout.blobs(), {layer_with(content)}, store.platform),
                           .is_critical = false,
                           .platforms = {}});
    lock.images[0].platforms.push_back({.manifest = lock.images[0].root});
    const std::vector<bundle::Receipt> have = {receipt};
    root = plan_bundle(lock, profile, have, store.layout.blobs());
  }

  void add(const std::vector<bundle::Receipt>& have) {
    make_folders(payloads.root());
    add_deltas(root, have, store.layout.blobs(), payloads, scratch.path(), store.events, {});
  }
};

}  // namespace

TEST_CASE("a layer that changed a little is carried as what makes it from the old one") {
  Update update;
  const std::size_t before = update.root.blobs.size();
  update.add({update.receipt});
  REQUIRE(update.root.rebuilt.size() == 1);
  const bundle::Rebuilt& rebuilt = update.root.rebuilt[0];
  CHECK(rebuilt.blob.digest == digest_of(layer_with(update.content)));
  CHECK(update.root.blobs.size() == before);
  CHECK(bundle::Root::decode(update.root.encode(), "the root").encode() == update.root.encode());
  const auto payload = std::find_if(update.root.blobs.begin(), update.root.blobs.end(),
                                    [&](const bundle::BlobSize& blob) { return blob.digest == rebuilt.payload; });
  REQUIRE(payload != update.root.blobs.end());
  CHECK(payload->size < 2000);
  for (const Digest& base : rebuilt.bases) {
    CHECK(std::binary_search(update.receipt.blobs.begin(), update.receipt.blobs.end(), base));
  }
}

TEST_CASE("a layer is carried whole when one of the devices could not make it") {
  Update update;
  bundle::Receipt other = update.receipt;
  SUBCASE("it lacks the old layer") {
    other.blobs.clear();
  }
  SUBCASE("it packs with another version") {
    other.compressor = "zstd 1.0.0";
  }
  update.add({update.receipt, other});
  CHECK(update.root.rebuilt.empty());
}

TEST_CASE("a layer is carried whole when its base is not here") {
  Update update;
  SUBCASE("the old layer is gone") {
    for (const Digest& blob : update.receipt.blobs) update.store.layout.blobs().remove(blob);
  }
  SUBCASE("the device does not say which images it has") {
    update.receipt.images.clear();
  }
  SUBCASE("the old image had another name") {
    update.receipt.images[0].insert(0, "x");
  }
  update.add({update.receipt});
  CHECK(update.root.rebuilt.empty());
}
