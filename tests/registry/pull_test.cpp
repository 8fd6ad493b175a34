#include <doctest/doctest.h>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "oci/layout.hpp"
#include "registry/client.hpp"
#include "registry/retry.hpp"
#include "tests/registry/pull_rig.hpp"

using namespace whittle;
using namespace whittle::registry;
using whittle::testing::FakeRegistry;
using whittle::testing::kAmd64;
using whittle::testing::make_image;
using whittle::testing::make_index;
using whittle::testing::noise;
using whittle::testing::PullRig;
using whittle::testing::SeenRequest;
using whittle::testing::TestImage;

namespace {

const oci::Platform kArm64{.os = "linux", .architecture = "arm64", .variant = ""};

struct Rig : PullRig {
  std::size_t stored() const {
    std::size_t files = 0;
    if (!fs::exists(into.root())) return 0;
    for (const auto& entry : fs::recursive_directory_iterator(into.root())) files += entry.is_regular_file() ? 1 : 0;
    return files;
  }
};

}  // namespace

TEST_CASE("an image of N blobs is pulled with N+1 requests and complete") {
  FakeRegistry registry;
  Rig rig;
  const TestImage image = make_image(rig.origin, {noise(300'000, 1), noise(1'000, 2), ""});
  rig.publish(registry, image, "1");
  const oci::Descriptor root = rig.pull(registry);
  CHECK(root.digest == image.manifest.digest);
  CHECK(registry.requests().size() == 4 + 1);
  for (const oci::Descriptor& blob : oci::closure(rig.into, root)) CHECK(rig.into.has(blob.digest, blob.size));
  CHECK(rig.into.read(image.layers[0], 1 << 30) == rig.origin.read(image.layers[0], 1 << 30));
}

TEST_CASE("what is there already is not fetched again") {
  FakeRegistry registry;
  Rig rig;
  const TestImage image = make_image(rig.origin, {noise(3'000, 1), noise(1'000, 2)});
  rig.publish(registry, image, "1");
  rig.pull(registry);
  registry.forget_requests();
  rig.pull(registry);
  CHECK(registry.requests().size() == 1);
}

TEST_CASE("of an index the platform asked for is fetched, and nothing else") {
  FakeRegistry registry;
  Rig rig;
  const TestImage amd = make_image(rig.origin, {noise(3'000, 1)}, kAmd64);
  const TestImage arm = make_image(rig.origin, {noise(3'000, 2)}, kArm64);
  const oci::Descriptor index = make_index(rig.origin, {amd, arm});
  rig.publish(registry, amd, "amd");
  rig.publish(registry, arm, "arm");
  rig.publish(registry, index, "1");
  const oci::Descriptor root = rig.pull(registry, ":1", {kArm64});
  CHECK(root.digest == arm.manifest.digest);
  CHECK(root.platform == kArm64);
  CHECK_FALSE(rig.into.has(amd.layers[0].digest));
  const oci::Descriptor all = rig.pull(registry, ":1", {.platform = kArm64, .all_platforms = true});
  CHECK(all.digest == index.digest);
  CHECK(rig.into.has(amd.layers[0].digest));
}

TEST_CASE("a platform that is missing is an error that lists those that are there") {
  FakeRegistry registry;
  Rig rig;
  const TestImage amd = make_image(rig.origin, {noise(3'000, 1)}, kAmd64);
  const TestImage arm = make_image(rig.origin, {noise(3'000, 2)}, kArm64);
  rig.publish(registry, make_index(rig.origin, {amd, arm}), "1");
  const Error error = rig.failed(registry, ":1", {{.os = "linux", .architecture = "riscv64", .variant = ""}});
  CHECK(error.exit() == Exit::registry_content);
  CHECK(error.message() == cat("`", registry.host(), "/app:1` has no image for linux/riscv64"));
  CHECK(error.details() == std::vector<std::string>{"it has: linux/amd64", "it has: linux/arm64"});
}

TEST_CASE("a blob with the wrong bytes is exit 66 and leaves nothing in the store") {
  FakeRegistry registry;
  Rig rig;
  const TestImage image = make_image(rig.origin, {noise(300'000, 1)});
  rig.publish(registry, image, "1");
  registry.corrupt(image.layers[0].digest.str());
  const Error error = rig.failed(registry);
  CHECK(error.exit() == Exit::registry_content);
  CHECK(error.message() == cat("`", registry.host(), "` sent something else than layer sha256:",
                               image.layers[0].digest.hex().substr(0, 12), "…"));
  CHECK_FALSE(rig.into.has(image.layers[0].digest));
  CHECK_FALSE(rig.into.has(image.manifest.digest));
}

TEST_CASE("a manifest with the wrong bytes is exit 66, by tag too") {
  FakeRegistry registry;
  Rig rig;
  const TestImage image = make_image(rig.origin, {noise(3'000, 1)});
  rig.publish(registry, image, "1");
  registry.corrupt(image.manifest.digest.str());
  CHECK(rig.failed(registry).exit() == Exit::registry_content);
  CHECK(rig.failed(registry, "@" + image.manifest.digest.str()).exit() == Exit::registry_content);
  CHECK(rig.stored() == 0);
}

TEST_CASE("a blob that is longer than its manifest says is cut off") {
  FakeRegistry registry;
  Rig rig;
  const TestImage image = make_image(rig.origin, {noise(3'000, 1)});
  rig.publish(registry, image, "1");
  registry.put_blob("app", image.layers[0].digest.str(), std::string(8'000'000, 'x'));
  const Error error = rig.failed(registry);
  CHECK(error.exit() == Exit::registry_content);
  CHECK(rig.stored() <= 1);
}

TEST_CASE("a manifest that is an index too, or is sent as something else, is refused") {
  FakeRegistry registry;
  Rig rig;
  const TestImage image = make_image(rig.origin, {noise(3'000, 1)});
  rig.publish(registry, image, "1");
  Json both = Json::parse(rig.origin.read(image.manifest, 1 << 20));
  registry.put_manifest("app", "swapped", image.manifest.digest.str(), std::string(oci::media_type::kIndex),
                        both.dump());
  both["manifests"] = Json::array();
  const std::string text = both.dump();
  registry.put_manifest("app", "both", digest_of(text).str(), std::string(oci::media_type::kManifest), text);
  CHECK(rig.failed(registry, ":both").causes() == std::vector<std::string>{"it is a manifest and an index at once"});
  CHECK(rig.failed(registry, ":swapped").exit() == Exit::registry_content);
}

TEST_CASE("an image that is not there is exit 30 in the registry's own words") {
  FakeRegistry registry;
  Rig rig;
  const Error error = rig.failed(registry, ":nothing");
  CHECK(error.exit() == Exit::input_unavailable);
  CHECK(error.where() == cat("GET http://", registry.host(), "/v2/app/manifests/nothing"));
  CHECK(error.causes() == std::vector<std::string>{"404 NAME_UNKNOWN: repository name not known to registry"});
  CHECK(error.hints() == std::vector<std::string>{"check the name and the tag"});
}

TEST_CASE("a blob that its manifest promises and the registry lacks is exit 66") {
  FakeRegistry registry;
  Rig rig;
  const TestImage image = make_image(rig.origin, {noise(3'000, 1)});
  rig.publish(registry, image.manifest, "1");
  CHECK(rig.failed(registry).exit() == Exit::registry_content);
  CHECK_FALSE(rig.into.has(image.manifest.digest));
}

TEST_CASE("blobs are followed to another host, where no credentials go") {
  FakeRegistry storage;
  FakeRegistry registry({.auth = FakeRegistry::Auth::basic, .storage = &storage});
  Rig rig;
  rig.environment["DOCKER_AUTH_CONFIG"] = canonical_json(
      Json{{"auths", {{registry.host(), {{"username", FakeRegistry::kUser}, {"password", FakeRegistry::kPassword}}}}}});
  const TestImage image = make_image(rig.origin, {noise(3'000, 1), noise(3'000, 2)});
  rig.publish(registry, image, "1");
  rig.pull(registry);
  CHECK(rig.into.has(image.layers[1].digest));
  const auto seen = storage.requests();
  CHECK(seen.size() == 3);
  for (const SeenRequest& request : seen) {
    CHECK(request.status == 200);
    CHECK_FALSE(request.has("authorization"));
  }
}

TEST_CASE("a registry that stumbles is asked again") {
  FakeRegistry registry;
  Rig rig;
  const TestImage image = make_image(rig.origin, {noise(3'000, 1)});
  rig.publish(registry, image, "1");
  registry.inject({.method = "GET", .part = "/blobs/", .status = 503, .times = 4});
  registry.inject({.method = "GET", .part = "/manifests/", .status = 429, .headers = {{"Retry-After", "2"}}});
  CHECK(rig.pull(registry).digest == image.manifest.digest);
}
