#include "registry/upload.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/error.hpp"
#include "tests/registry/push_rig.hpp"

using namespace whittle;
using namespace whittle::registry;
using whittle::testing::FakeRegistry;
using whittle::testing::Fault;
using whittle::testing::make_image;
using whittle::testing::many;
using whittle::testing::noise;
using whittle::testing::Personality;
using whittle::testing::PushRig;
using whittle::testing::SeenRequest;
using whittle::testing::TestImage;

namespace {

constexpr std::uint64_t kMegabyte = 1 << 20;

// A registry behind a proxy that takes bodies of a megabyte.
Personality narrow() {
  Personality narrow;
  narrow.longest_upload = kMegabyte;
  return narrow;
}

std::uint64_t largest_body(const FakeRegistry& registry, std::string_view method) {
  std::uint64_t largest = 0;
  for (const SeenRequest& request : registry.requests()) {
    if (request.method == method && request.status < 300) largest = std::max(largest, request.body_size);
  }
  return largest;
}

}  // namespace

TEST_CASE("a blob that is too large for one request is sent in chunks, smaller ones in one piece") {
  FakeRegistry registry({.personality = narrow()});
  PushRig rig;
  const TestImage image = make_image(rig.store, {noise(5 * kMegabyte, 1), noise(100'000, 2)});
  rig.push(image.manifest, registry.host() + "/app:1");
  CHECK(registry.problem().empty());
  CHECK(registry.manifest("app", "1").has_value());
  CHECK(registry.count("PATCH", "/uploads/") >= 6);
  CHECK(largest_body(registry, "PATCH") == kMegabyte);
  CHECK(registry.open_uploads() == 0);
}

TEST_CASE("the second large blob is not offered in one piece again") {
  FakeRegistry registry({.personality = narrow()});
  PushRig rig;
  rig.push(make_image(rig.store, {noise(2 * kMegabyte, 1), noise(3 * kMegabyte, 2), noise(4 * kMegabyte, 3)}).manifest,
           registry.host() + "/app:1");
  const auto requests = registry.requests();
  const auto refused = std::count_if(requests.begin(), requests.end(), [](const SeenRequest& seen) {
    return seen.method == "PUT" && seen.status == 413;
  });
  CHECK(refused <= 3);
  CHECK(registry.problem().empty());
}

TEST_CASE("every way in which registries number chunks ends with the blob complete") {
  for (const char* name : {"strict", "ghcr", "ecr", "zot", "distribution2", "gitea"}) {
    CAPTURE(name);
    Personality personality = whittle::testing::personality(name);
    // One that takes a single PATCH has to take large requests.
    if (personality.takes_one_patch) continue;
    personality.longest_upload = kMegabyte;
    FakeRegistry registry({.personality = personality});
    PushRig rig;
    rig.push(make_image(rig.store, {noise(3 * kMegabyte, 1)}).manifest, registry.host() + "/app:1");
    CHECK(registry.problem().empty());
    CHECK(registry.manifest("app", "1").has_value());
  }
}

TEST_CASE("a chunk that breaks off is sent again from where the registry stands") {
  for (const Fault::Kind kind : {Fault::Kind::reset_upload, Fault::Kind::lose_answer, Fault::Kind::status}) {
    CAPTURE(static_cast<int>(kind));
    FakeRegistry registry({.personality = narrow()});
    registry.inject(
        {.method = "PATCH", .part = "/uploads/", .status = 503, .times = 2, .kind = kind, .at = 1000, .skip = 4});
    PushRig rig;
    rig.push(make_image(rig.store, {noise(4 * kMegabyte, 1)}).manifest, registry.host() + "/app:1");
    CHECK(registry.problem().empty());
    CHECK(registry.manifest("app", "1").has_value());
    CHECK(registry.open_uploads() == 0);
  }
}

TEST_CASE("an upload that is given up is cancelled") {
  FakeRegistry registry;
  registry.inject({.method = "PUT", .part = "/uploads/", .status = 400, .times = 100});
  PushRig rig;
  CHECK_THROWS_AS(rig.push(make_image(rig.store, many(3)).manifest, registry.host() + "/app:1"), Error);
  CHECK(registry.open_uploads() == 0);
  CHECK(registry.count("DELETE", "/uploads/") >= 1);
}

TEST_CASE("an upload that is interrupted is cancelled") {
  FakeRegistry registry;
  registry.inject({.method = "PUT", .part = "/uploads/", .kind = Fault::Kind::stall_upload, .at = 1000});
  PushRig rig;
  std::stop_source stop;
  const TestImage image = make_image(rig.store, {noise(2 * kMegabyte, 1)});
  struct StopAtProgress : EventSink {
    std::stop_source& stop;
    explicit StopAtProgress(std::stop_source& source) : stop(source) {}
    void emit(const Event& event) noexcept override {
      const auto* progress = std::get_if<Progress>(&event);
      if (progress != nullptr && progress->done > 0) stop.request_stop();
    }
  } events(stop);
  const auto sink = registry_sink(oci::Reference::parse(registry.host() + "/app:1"), *rig.transport, rig.options(),
                                  events, stop.get_token());
  try {
    deliver(image.manifest, rig.store, *sink, rig.pool, events, stop.get_token());
    FAIL("it was not interrupted");
  } catch (const Error& error) {
    CHECK(error.exit() == Exit::transient);
  }
  CHECK(registry.count("DELETE", "/uploads/") == 1);
}

TEST_CASE("a token that ends in the middle of an upload is renewed") {
  FakeRegistry registry({.auth = FakeRegistry::Auth::token, .token_uses = 3});
  PushRig rig;
  rig.log_in(registry);
  rig.push(make_image(rig.store, many(6, 200'000)).manifest, registry.host() + "/app:1");
  CHECK(registry.problem().empty());
  CHECK(registry.manifest("app", "1").has_value());
}

TEST_CASE("a manifest whose answer was lost is asked for before it is sent again") {
  FakeRegistry registry;
  registry.inject({.method = "PUT", .part = "/manifests/", .kind = Fault::Kind::lose_answer});
  PushRig rig;
  rig.push(make_image(rig.store, many(1)).manifest, registry.host() + "/app:1");
  CHECK(registry.count("PUT", "/manifests/") == 1);
  CHECK(registry.manifest("app", "1").has_value());
}
