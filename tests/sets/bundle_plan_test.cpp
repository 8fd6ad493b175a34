#include "sets/bundle_plan.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/support/errors.hpp"
#include "tests/support/small_set.hpp"

using namespace whittle;
using namespace whittle::sets;
using whittle::test::error_of;

namespace {

struct Site {
  test::SmallSet store;
  Lock lock{.set = "line7", .epoch = 3, .created = "2026-01-01T00:00:00Z", .images = {}};
  Profile profile{.name = "gw", .platform = store.platform, .compatible = {"acme,gw2"}, .volume_size = 0, .budget = {}};

  void add(const std::string& name, const std::vector<std::string>& layers, bool is_critical = false) {
    LockedImage image{.name = name,
                      .reference = "localhost/" + name + ":1",
                      .source = "build x",
                      .root = test::put_image(store.layout.blobs(), layers, store.platform),
                      .is_critical = is_critical,
                      .platforms = {}};
    image.platforms.push_back({.manifest = image.root, .compressed = 1, .installed = 2, .inodes = 3});
    lock.images.push_back(std::move(image));
  }

  bundle::Receipt receipt_of(const bundle::Root& root) const {
    bundle::Receipt receipt{.device = "gw-17", .platform = store.platform, .set = "line7"};
    for (const bundle::BlobSize& blob : root.blobs) receipt.blobs.push_back(blob.digest);
    std::sort(receipt.blobs.begin(), receipt.blobs.end());
    return receipt;
  }
};

}  // namespace

TEST_CASE("every blob is carried once, critical images first, a manifest after what it names") {
  Site site;
  site.add("infer", {"shared", "infer"});
  site.add("sensor", {"shared", "sensor"}, true);
  const bundle::Root root = plan_bundle(site.lock, site.profile, {}, site.store.layout.blobs());
  CHECK(root.images[0].name == "sensor");
  CHECK(root.blobs.size() == 7);
  CHECK(root.blobs[0].digest == digest_of("shared"));
  CHECK(root.blobs[3].digest == root.images[0].target.digest);
  CHECK(root.is_whole());
  CHECK(bundle::Root::decode(root.encode(), "the root").encode() == root.encode());
}

TEST_CASE("what every device has is asked for, not carried") {
  Site site;
  site.add("sensor", {"shared", "old"});
  const bundle::Root first = plan_bundle(site.lock, site.profile, {}, site.store.layout.blobs());
  site.lock.images.clear();
  site.add("sensor", {"shared", "new"});
  const std::vector<bundle::Receipt> one = {site.receipt_of(first)};
  const bundle::Root delta = plan_bundle(site.lock, site.profile, one, site.store.layout.blobs());
  REQUIRE(delta.bases.size() == 1);
  CHECK(delta.bases[0].digest == digest_of("shared"));
  CHECK(delta.blobs.size() == 3);
  CHECK_FALSE(delta.is_whole());
  CHECK(bundle::Root::decode(delta.encode(), "the root").encode() == delta.encode());

  std::vector<bundle::Receipt> two = one;
  two.push_back({.device = "gw-18", .platform = site.store.platform, .set = ""});
  CHECK(plan_bundle(site.lock, site.profile, two, site.store.layout.blobs()).is_whole());
}

TEST_CASE("a receipt of another kind of device is refused") {
  Site site;
  site.add("sensor", {"one"});
  std::vector<bundle::Receipt> have = {{.device = "gw-17", .platform = {.architecture = "arm64"}}};
  CHECK(error_of([&] { plan_bundle(site.lock, site.profile, have, site.store.layout.blobs()); }).exit() == Exit::usage);
  have[0] = {.device = "gw-17", .platform = site.store.platform, .set = "line8"};
  CHECK(error_of([&] { plan_bundle(site.lock, site.profile, have, site.store.layout.blobs()); }).details().front() ==
        "its set is `line8`, and this one is `line7`");
}

TEST_CASE("a profile for which there is no image is named") {
  Site site;
  site.add("sensor", {"one"});
  site.profile.platform = {.architecture = "arm64"};
  CHECK(error_of([&] { plan_bundle(site.lock, site.profile, {}, site.store.layout.blobs()); }).message() ==
        "no image of the set `line7` is for the profile `gw`");
}
