#include "registry/whereabouts.hpp"

#include <doctest/doctest.h>

#include <thread>

#include "base/error.hpp"
#include "tests/registry/push_rig.hpp"

using namespace whittle;
using namespace whittle::registry;
using whittle::testing::FakeRegistry;
using whittle::testing::make_image;
using whittle::testing::make_index;
using whittle::testing::many;
using whittle::testing::noise;
using whittle::testing::PushRig;
using whittle::testing::Scratch;
using whittle::testing::TestImage;

namespace {

const Digest kOne = digest_of("one"), kTwo = digest_of("two");

fs::path only_file(const fs::path& folder) {
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename() != ".lock") return entry.path();
  }
  return {};
}

}  // namespace

TEST_CASE("what was seen where is known in the next run, and only for that host") {
  const Scratch scratch;
  {
    Whereabouts places(scratch.path(), "r.example:5000");
    places.learn(kOne, "team/app");
    places.learn(kOne, "team/app:1");
    places.learn(kTwo, "team/app");
    places.forget(kTwo, "team/app");
  }
  const Whereabouts places(scratch.path(), "r.example:5000");
  CHECK(places.has(kOne, "team/app"));
  CHECK(places.has(kOne, "team/app:1"));
  CHECK_FALSE(places.has(kTwo, "team/app"));
  CHECK(places.elsewhere(kOne, "other") == "team/app");
  CHECK_FALSE(places.elsewhere(kOne, "team/app").has_value());
  CHECK_FALSE(Whereabouts(scratch.path(), "r.example_5000").has(kOne, "team/app"));
}

TEST_CASE("several at once lose nothing of what each has seen") {
  const Scratch scratch;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&, i] {
        Whereabouts places(scratch.path(), "r.example");
        for (int j = 0; j < 50; ++j) places.learn(digest_of(cat(i, "/", j)), "app");
      });
    }
  }
  const Whereabouts places(scratch.path(), "r.example");
  for (int i = 0; i < 8; ++i) {
    for (int j = 0; j < 50; ++j) CHECK(places.has(digest_of(cat(i, "/", j)), "app"));
  }
}

TEST_CASE("the memory is bounded, and what was seen last is kept") {
  const Scratch scratch;
  {
    Whereabouts places(scratch.path(), "r.example");
    for (int i = 0; i < 20'010; ++i) places.learn(digest_of(std::to_string(i)), "app");
  }
  const Whereabouts places(scratch.path(), "r.example");
  CHECK_FALSE(places.has(digest_of("9"), "app"));
  CHECK(places.has(digest_of("10"), "app"));
  CHECK(places.has(digest_of("20009"), "app"));
}

TEST_CASE("a memory that is damaged counts for what can be read of it") {
  const Scratch scratch;
  { Whereabouts(scratch.path(), "r.example").learn(kOne, "app"); }
  const fs::path file = only_file(scratch.path());
  const std::string good = read_file(file);
  write_file(file, cat("sha256:../.. app\n\x01\x02\n", kTwo.str(), "\n", kTwo.str(), " a\rb\n", good, "sha256:"));
  const Whereabouts places(scratch.path(), "r.example");
  CHECK(places.has(kOne, "app"));
  CHECK_FALSE(places.elsewhere(kTwo, "x").has_value());
}

TEST_CASE("a memory that cannot be kept is no error") {
  const Scratch scratch;
  write_file(scratch / "file", "");
  Whereabouts places(scratch / "file" / "folder", "r.example");
  places.learn(kOne, "app");
  CHECK(places.has(kOne, "app"));
}

TEST_CASE("a new tag for an image that is in the repository takes two requests") {
  FakeRegistry registry;
  PushRig rig;
  const TestImage image = make_image(rig.store, many(10));
  rig.push(image.manifest, registry.host() + "/app:1");
  registry.forget_requests();
  rig.push(image.manifest, registry.host() + "/app:2");
  CHECK(registry.requests().size() == 2);
  CHECK(registry.manifest("app", "2") == rig.store.read(image.manifest, 1 << 20));
  registry.forget_requests();
  rig.push(image.manifest, registry.host() + "/app:2");
  CHECK(registry.requests().size() == 1);
}

TEST_CASE("an image for another repository of the registry is mounted with N+2 requests") {
  FakeRegistry registry;
  PushRig rig;
  const TestImage image = make_image(rig.store, many(10));
  rig.push(image.manifest, registry.host() + "/app:1");
  registry.forget_requests();
  const Delivery delivery = rig.push(image.manifest, registry.host() + "/team/other:1");
  CHECK(registry.requests().size() == 11 + 2);
  CHECK(delivery.sent_blobs == 0);
  CHECK(registry.problem().empty());
  CHECK(registry.manifest("team/other", "1").has_value());
}

TEST_CASE("a mount asks for a token that may read the source") {
  FakeRegistry registry({.auth = FakeRegistry::Auth::token});
  PushRig rig;
  rig.log_in(registry);
  const TestImage image = make_image(rig.store, many(4));
  rig.push(image.manifest, registry.host() + "/app:1");
  registry.forget_requests();
  rig.push(image.manifest, registry.host() + "/other:1");
  CHECK(registry.count("PUT", "/uploads/") == 0);
  CHECK(registry.count("GET", "/token") <= 2);
  CHECK(registry.problem().empty());
}

TEST_CASE("a source that may not be read costs a question, not the push") {
  for (const char* name : {"harbor", "gitlab", "ghcr", "quay"}) {
    CAPTURE(name);
    FakeRegistry registry({.auth = FakeRegistry::Auth::token, .personality = whittle::testing::personality(name)});
    PushRig rig;
    rig.log_in(registry);
    const TestImage image = make_image(rig.store, many(4));
    rig.push(image.manifest, registry.host() + "/app:1");
    rig.push(image.manifest, registry.host() + "/other:1");
    CHECK(registry.manifest("other", "1").has_value());
    CHECK(registry.problem().empty());
  }
}

TEST_CASE("what the memory believes and the registry has lost is sent again") {
  FakeRegistry registry;
  PushRig rig;
  const TestImage image = make_image(rig.store, many(3));
  rig.push(image.manifest, registry.host() + "/app:1");
  // Its blobs are gone, the manifest is not: only the registry can tell, when the new tag is put.
  registry.remove_blob("app", image.layers[1].digest.str());
  const Delivery delivery = rig.push(image.manifest, registry.host() + "/app:2");
  CHECK(delivery.sent_blobs == 1);
  CHECK(registry.manifest("app", "2").has_value());
  CHECK(registry.problem().empty());
}

TEST_CASE("what the memory believes of another registry at the same address is found out") {
  PushRig rig;
  const TestImage image = make_image(rig.store, many(3));
  int port = 0;
  {
    FakeRegistry registry;
    port = std::stoi(registry.host().substr(registry.host().find(':') + 1));
    PushRig first;
    first.memory = rig.memory;
    make_image(first.store, many(3));
    first.push(image.manifest, registry.host() + "/app:1");
  }
  FakeRegistry registry({.port = port});
  rig.transport = curl_transport();
  rig.push(image.manifest, registry.host() + "/other:1");
  rig.push(image.manifest, registry.host() + "/app:2");
  CHECK(registry.manifest("other", "1").has_value());
  CHECK(registry.manifest("app", "2").has_value());
  CHECK(registry.problem().empty());
  rig.transport.reset();
}

TEST_CASE("a child of an index that seems to be there and is not is sent again") {
  FakeRegistry registry;
  PushRig rig;
  const TestImage one = make_image(rig.store, many(2)), two = make_image(rig.store, {noise(100, 9)});
  rig.push(make_index(rig.store, {one, two}), registry.host() + "/app:1");
  registry.remove_blob("app", one.config.digest.str());
  const TestImage three = make_image(rig.store, {noise(100, 10)});
  rig.push(make_index(rig.store, {one, two, three}), registry.host() + "/app:2");
  CHECK(registry.manifest("app", "2").has_value());
}
