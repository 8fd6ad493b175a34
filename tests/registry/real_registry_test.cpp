#include <doctest/doctest.h>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "oci/layout.hpp"
#include "registry/client.hpp"
#include "tests/registry/real_registry.hpp"
#include "tests/registry/test_images.hpp"

using namespace whittle;
using namespace whittle::registry;
using whittle::testing::make_image;
using whittle::testing::make_index;
using whittle::testing::noise;
using whittle::testing::RealRegistry;
using whittle::testing::run_party;
using whittle::testing::Scratch;
using whittle::testing::TestImage;

namespace {

const oci::Platform kAmd64{.os = "linux", .architecture = "amd64", .variant = ""};

struct Rig {
  Scratch scratch;
  oci::BlobStore store{scratch / "store"};
  ThreadPool pool{4};
  RecordingEvents events;
  ClientOptions options;

  void push(const oci::Descriptor& root, const std::string& reference, HttpTransport& transport) {
    deliver(root, store, *registry_sink(oci::Reference::parse(reference), transport, options, events, {}), pool, events,
            {});
  }
  oci::Descriptor pull(const std::string& reference, oci::BlobStore& into, HttpTransport& transport, bool all = false) {
    return registry::pull(oci::Reference::parse(reference), {.platform = kAmd64, .all_platforms = all}, into, transport,
                          options, pool, events, {});
  }
};

void check_same(const oci::BlobStore& one, const oci::BlobStore& two, const oci::Descriptor& root) {
  const auto below = oci::closure(one, root);
  for (const oci::Descriptor& blob : below) CHECK(one.read(blob, 1 << 30) == two.read(blob, 1 << 30));
}

}  // namespace

TEST_CASE("docker-registry takes an image, skopeo reads it, and it comes back the same") {
  RealRegistry registry;
  Rig rig;
  const auto transport = curl_transport();
  const TestImage image = make_image(rig.store, {noise(3'000'000, 1), noise(20'000, 2), noise(10, 3)});
  const std::string name = registry.host() + "/team/app:1";
  rig.push(image.manifest, name, *transport);

  const Json seen = Json::parse(run_party({"skopeo", "inspect", "--tls-verify=false", "docker://" + name}));
  CHECK(seen["Digest"] == image.manifest.digest.str());
  CHECK(seen["Layers"].size() == 3);
  run_party({"skopeo", "--insecure-policy", "copy", "--preserve-digests", "--src-tls-verify=false", "docker://" + name,
             cat("oci:", (rig.scratch / "copied").native(), ":1")});
  check_same(rig.store, oci::BlobStore(rig.scratch / "copied"), image.manifest);

  oci::BlobStore back(rig.scratch / "back");
  CHECK(rig.pull(name, back, *transport).digest == image.manifest.digest);
  check_same(rig.store, back, image.manifest);
}

TEST_CASE("docker-registry mounts a blob from its own repository, so that a push takes 2N+2 requests") {
  RealRegistry registry;
  Rig rig;
  const auto transport = curl_transport();
  const TestImage image = make_image(rig.store, {noise(1'000, 1), noise(1'000, 2)});
  rig.push(image.manifest, registry.host() + "/app:1", *transport);
  CHECK(registry.count("HEAD", "", 1) == 1);
  CHECK(registry.count("POST", "/blobs/uploads/", 3) == 3);
  CHECK(registry.count("PUT", "/blobs/uploads/", 3) == 3);
  CHECK(registry.count("PUT", "/manifests/", 1) == 1);
  rig.push(image.manifest, registry.host() + "/app:1", *transport);
  CHECK(registry.count("HEAD", "", 2) == 2);
  CHECK(registry.count("POST", "", 3) == 3);
  const TestImage next = make_image(rig.store, {noise(1'000, 1), noise(1'000, 9)});
  rig.push(next.manifest, registry.host() + "/app:2", *transport);
  CHECK(registry.count("PUT", "/blobs/uploads/", 5) == 5);
}

TEST_CASE("docker-registry takes an index, and skopeo copies all of it") {
  RealRegistry registry;
  Rig rig;
  const auto transport = curl_transport();
  const TestImage amd = make_image(rig.store, {noise(1'000, 1), noise(1'000, 2)}, kAmd64);
  const TestImage arm = make_image(rig.store, {noise(1'000, 1), noise(1'000, 3)},
                                   {.os = "linux", .architecture = "arm64", .variant = ""});
  const oci::Descriptor index = make_index(rig.store, {amd, arm});
  const std::string name = registry.host() + "/app:1";
  rig.push(index, name, *transport);
  run_party({"skopeo", "--insecure-policy", "copy", "--all", "--preserve-digests", "--src-tls-verify=false",
             "docker://" + name, cat("oci:", (rig.scratch / "copied").native(), ":1")});
  check_same(rig.store, oci::BlobStore(rig.scratch / "copied"), index);
  oci::BlobStore back(rig.scratch / "back");
  CHECK(rig.pull(name, back, *transport, true).digest == index.digest);
  check_same(rig.store, back, index);
}

TEST_CASE("docker-registry with htpasswd takes the credentials that docker login left") {
  RealRegistry registry(RealRegistry::Kind::basic);
  Rig rig;
  const auto transport = curl_transport();
  const TestImage image = make_image(rig.store, {noise(50'000, 1)});
  const std::string name = registry.host() + "/app:1";
  try {
    rig.push(image.manifest, name, *transport);
    FAIL("pushed without credentials");
  } catch (const Error& error) {
    CHECK(error.exit() == Exit::registry_credentials);
  }
  rig.options.environment["DOCKER_CONFIG"] = rig.scratch.path().native();
  write_file(rig.scratch / "config.json", registry.docker_config());
  rig.push(image.manifest, name, *transport);
  oci::BlobStore back(rig.scratch / "back");
  CHECK(rig.pull(name, back, *transport).digest == image.manifest.digest);
  const Json seen = Json::parse(run_party({"skopeo", "inspect", "--tls-verify=false", "--authfile",
                                           (rig.scratch / "config.json").native(), "docker://" + name}));
  CHECK(seen["Digest"] == image.manifest.digest.str());
}

TEST_CASE("docker-registry over TLS is trusted with its authority and not without") {
  RealRegistry registry(RealRegistry::Kind::tls);
  Rig rig;
  const TestImage image = make_image(rig.store, {noise(50'000, 1)});
  const std::string name = registry.host() + "/app:1";
  const auto trusting = curl_transport(registry.authorities());
  rig.push(image.manifest, name, *trusting);
  oci::BlobStore back(rig.scratch / "back");
  CHECK(rig.pull(name, back, *trusting).digest == image.manifest.digest);

  const auto strict = curl_transport();
  try {
    rig.pull(name, back, *strict);
    FAIL("an unknown authority was trusted");
  } catch (const Error& error) {
    CHECK(error.exit() == Exit::usage);
    CHECK(error.message() == cat("cannot trust the connection to `", registry.host(), "`"));
  }
}
