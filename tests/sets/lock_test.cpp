#include "sets/lock.hpp"

#include <doctest/doctest.h>

#include "tests/support/errors.hpp"
#include "tests/support/small_set.hpp"

using namespace whittle;
using namespace whittle::sets;
using whittle::test::error_of;

namespace {

struct Locked {
  test::SmallSet store;
  ImageSet set = read_set(R"(set = "line7"
epoch = 3
[profile.gw]
platform = "linux/amd64"
[[image]]
name = "sensor"
build = "sensor"
[[image]]
name = "infer"
from = "edge/infer:1"
)",
                          "imageset.toml");
  Lock lock{.set = "line7", .epoch = 3, .created = "2026-01-01T00:00:00Z", .images = {}};

  Locked() {
    for (const SetImage& image : set.images) {
      LockedImage locked{.name = image.name,
                         .reference = image.reference,
                         .source = image.build.empty() ? "from " + image.from : "build " + image.build,
                         .root = test::put_image(store.layout.blobs(), {image.name}, store.platform),
                         .is_critical = false,
                         .platforms = {}};
      locked.platforms.push_back({.manifest = locked.root, .compressed = 1000, .installed = 2000, .inodes = 3});
      locked.root.platform.reset();
      lock.images.push_back(std::move(locked));
    }
  }
};

}  // namespace

TEST_CASE("a lock reads as it was written") {
  const Locked locked;
  const Lock read = Lock::decode(locked.lock.encode(), "the lock");
  CHECK(read.encode() == locked.lock.encode());
  CHECK(read.images[0].find(locked.store.platform)->manifest == locked.lock.images[0].platforms[0].manifest);
  CHECK(read.images[0].find({.architecture = "arm64"}) == nullptr);
  CHECK(differences(locked.lock, read).empty());
}

TEST_CASE("a lock that is no lock is named") {
  for (const char* text : {"", "[]", "{}", R"({"format":2})", R"({"format":1,"set":1})",
                           R"({"format":1,"set":"a","epoch":1,"created":"","images":[{}]})"}) {
    CHECK(error_of([&] { Lock::decode(text, "the lock"); }).exit() == Exit::usage);
  }
}

TEST_CASE("a lock is of one set only, as it is") {
  Locked locked;
  CHECK_NOTHROW(locked.lock.require_match(locked.set, "the lock"));
  const auto detail = [&] {
    return error_of([&] { locked.lock.require_match(locked.set, "the lock"); }).details().front();
  };
  SUBCASE("another epoch") {
    locked.set.epoch = 4;
    CHECK(detail() == "the epoch is 4, and was 3");
  }
  SUBCASE("another source") {
    locked.set.images[1].from = "edge/infer:2";
    CHECK(detail() == "infer: the source is from edge/infer:2, and was from edge/infer:1");
  }
  SUBCASE("an image more") {
    locked.lock.images.pop_back();
    CHECK(detail() == "infer: it is new");
  }
  SUBCASE("an image less") {
    locked.set.images.pop_back();
    CHECK(detail() == "infer: it is no longer in the set");
  }
  SUBCASE("another platform") {
    locked.set.profiles[0].platform = {.architecture = "arm64"};
    CHECK(detail() == "sensor: it was not locked for linux/arm64");
  }
}

TEST_CASE("what drifted is told a line each") {
  Locked locked;
  Lock after = locked.lock;
  const std::string old = after.images[0].root.digest.str();
  after.images[0].root.digest = digest_of("x");
  after.images[1].name = "other";
  const std::vector<std::string> lines = differences(locked.lock, after);
  REQUIRE(lines.size() == 3);
  CHECK(lines[0] == "sensor: " + old + " → " + digest_of("x").str());
  CHECK(lines[2] == "infer: no longer there");
}

TEST_CASE("a set that is larger than its budget is refused with what takes most") {
  Locked locked;
  CHECK_NOTHROW(check_budgets(locked.set, locked.lock, locked.store.layout.blobs()));
  SUBCASE("an image") {
    locked.set.images[1].budget.compressed = 999;
    const Error error = error_of([&] { check_budgets(locked.set, locked.lock, locked.store.layout.blobs()); });
    CHECK(error.exit() == Exit::budget_exceeded);
    CHECK(error.message() == "`infer` for linux/amd64 is 1.0 kB compressed, and the budget is 999 B");
    CHECK(error.where() == "imageset.toml:8");
  }
  SUBCASE("all of a profile") {
    locked.set.profiles[0].budget.installed = 3999;
    locked.lock.images[1].platforms[0].installed = 2500;
    const Error error = error_of([&] { check_budgets(locked.set, locked.lock, locked.store.layout.blobs()); });
    CHECK(error.message() == "the profile `gw` is 4.5 kB installed, and the budget is 4.0 kB");
    CHECK(error.details().front() == "2.5 kB  infer");
  }
}
