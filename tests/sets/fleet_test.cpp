#include "sets/fleet.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/support/errors.hpp"
#include "tests/support/small_set.hpp"

using namespace whittle;
using namespace whittle::sets;
using whittle::test::error_of;

namespace {

struct Fleet {
  test::SmallSet store;
  ImageSet set;
  Lock lock{.set = "line7", .epoch = 3, .created = "2026-01-01T00:00:00Z", .images = {}};

  Fleet() {
    set.name = "line7";
    set.profiles = {{.name = "any", .platform = store.platform},
                    {.name = "gw2", .platform = store.platform, .compatible = {"acme,gw2"}}};
    add("sensor", {"shared", "sensor"});
    add("infer", {"shared", "infer"});
  }

  void add(const std::string& name, const std::vector<std::string>& layers) {
    LockedImage image{.name = name,
                      .reference = "localhost/" + name + ":1",
                      .source = "build x",
                      .root = test::put_image(store.layout.blobs(), layers, store.platform),
                      .is_critical = false,
                      .platforms = {}};
    image.platforms.push_back({.manifest = image.root});
    lock.images.push_back(std::move(image));
  }

  bundle::Receipt receipt(const std::string& device, const std::vector<std::string>& contents,
                          std::uint64_t epoch = 1) {
    bundle::Receipt receipt{.device = device, .platform = store.platform, .set = "line7", .epoch = epoch};
    for (const std::string& content : contents) receipt.blobs.push_back(digest_of(content));
    std::sort(receipt.blobs.begin(), receipt.blobs.end());
    return receipt;
  }

  std::vector<ProfilePlan> plan(const std::vector<bundle::Receipt>& receipts) const {
    return plan_fleet(set, lock, receipts, store.layout.blobs());
  }
};

}  // namespace

TEST_CASE("one medium carries what any of the devices lacks, and nothing that all have") {
  Fleet fleet;
  const auto plans = fleet.plan({fleet.receipt("a", {"shared", "sensor"}), fleet.receipt("b", {"shared", "infer"})});
  REQUIRE(plans.size() == 1);
  CHECK(plans[0].profile->name == "any");
  REQUIRE(plans[0].root.bases.size() == 1);
  CHECK(plans[0].root.bases[0].digest == digest_of("shared"));
  const std::uint64_t documents = plans[0].carried_bytes() - 11;  // configurations and manifests
  CHECK(plans[0].devices[0].missing_bytes == documents + 5);
  CHECK(plans[0].devices[1].missing_bytes == documents + 6);
}

TEST_CASE("a device that has the epoch needs nothing") {
  Fleet fleet;
  const auto plans = fleet.plan({fleet.receipt("a", {}, 3)});
  CHECK(plans[0].devices[0].is_current);
  CHECK(plans[0].have.empty());
  CHECK(plans[0].carried_bytes() == 0);
}

TEST_CASE("a device belongs to the profile that names its hardware, else to one that names none") {
  Fleet fleet;
  bundle::Receipt named = fleet.receipt("a", {});
  named.compatible = "acme,gw2";
  const auto plans = fleet.plan({named, fleet.receipt("b", {})});
  REQUIRE(plans.size() == 2);
  CHECK(plans[0].profile->name == "gw2");
  CHECK(plans[1].profile->name == "any");
  bundle::Receipt foreign = fleet.receipt("c", {});
  foreign.platform = {.architecture = "arm64"};
  CHECK(error_of([&] { fleet.plan({foreign}); }).message() ==
        "the device `c` belongs to no profile of the set `line7`");
}

TEST_CASE("two receipts of one device are refused") {
  Fleet fleet;
  CHECK(error_of([&] { fleet.plan({fleet.receipt("a", {}), fleet.receipt("a", {})}); }).exit() == Exit::usage);
}
