#include <doctest/doctest.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "registry/client.hpp"
#include "registry/retry.hpp"
#include "tests/registry/push_rig.hpp"

using namespace whittle;
using namespace whittle::registry;
using whittle::testing::FakeRegistry;
using whittle::testing::make_image;
using whittle::testing::make_index;
using whittle::testing::many;
using whittle::testing::noise;
using whittle::testing::PushRig;
using whittle::testing::SeenRequest;
using whittle::testing::TestImage;

namespace {

// A client that remembers nothing of earlier pushes.
struct Rig : PushRig {
  Rig() { memory.clear(); }
};

// "PUT manifests", "HEAD manifests", …: what happened, without the names.
std::vector<std::string> kinds(const FakeRegistry& registry) {
  std::vector<std::string> out;
  for (const SeenRequest& request : registry.requests()) {
    const char* what = request.path.find("/uploads/") != std::string::npos     ? " uploads"
                       : request.path.find("/manifests/") != std::string::npos ? " manifests"
                                                                               : " blobs";
    out.push_back(cat(request.method, what));
  }
  return out;
}

}  // namespace

TEST_CASE("a first push of N blobs takes 2N+2 requests, and the tag comes last") {
  FakeRegistry registry;
  Rig rig;
  const TestImage image = make_image(rig.store, many(10));
  const Delivery delivery = rig.push(image.manifest, registry.host() + "/team/app:1");
  CHECK(delivery.sent_blobs == 11);
  CHECK(delivery.reused_blobs == 0);
  CHECK_FALSE(delivery.unchanged);
  const auto seen = kinds(registry);
  CHECK(seen.size() == 2 * 11 + 2);
  CHECK(seen.front() == "HEAD manifests");
  CHECK(seen.back() == "PUT manifests");
  CHECK(registry.manifest("team/app", "1") == rig.store.read(image.manifest, 1 << 20));
}

TEST_CASE("the config is uploaded after the layers that it describes") {
  FakeRegistry registry;
  Rig rig;
  const TestImage image = make_image(rig.store, many(5));
  rig.push(image.manifest, registry.host() + "/app:1");
  std::vector<std::string> uploaded;
  for (const SeenRequest& request : registry.requests()) {
    if (request.method == "PUT" && request.path.find("/uploads/") != std::string::npos)
      uploaded.push_back(request.query);
  }
  REQUIRE(uploaded.size() == 6);
  CHECK(uploaded.back().ends_with(image.config.digest.hex()));
}

TEST_CASE("pushing the same image again takes one request") {
  FakeRegistry registry;
  Rig rig;
  const TestImage image = make_image(rig.store, many(3));
  rig.push(image.manifest, registry.host() + "/app:1");
  registry.forget_requests();
  const Delivery delivery = rig.push(image.manifest, registry.host() + "/app:1");
  CHECK(delivery.unchanged);
  CHECK(kinds(registry) == std::vector<std::string>{"HEAD manifests"});
}

TEST_CASE("blobs that the registry has are not sent again") {
  FakeRegistry registry;
  Rig rig;
  const TestImage first = make_image(rig.store, {noise(5'000, 1), noise(5'000, 2)});
  const TestImage second = make_image(rig.store, {noise(5'000, 1), noise(5'000, 3)});
  rig.push(first.manifest, registry.host() + "/app:1");
  registry.forget_requests();
  const Delivery delivery = rig.push(second.manifest, registry.host() + "/app:1");
  CHECK(delivery.sent_blobs == 2);
  CHECK(delivery.reused_blobs == 1);
  CHECK(registry.count("PUT", "/uploads/") == 2);
  // HEAD of the tag, a mount that succeeds, two mounts that open uploads, two uploads, the manifest.
  CHECK(registry.requests().size() == 7);
}

TEST_CASE("a registry that does not mount is not sent a large blob for nothing") {
  FakeRegistry registry({.mounts = false});
  Rig rig;
  const TestImage image = make_image(rig.store, {noise(5'000'000, 1)});
  registry.put_blob("app", image.layers[0].digest.str(), rig.store.read(image.layers[0], 1 << 30));
  const Delivery delivery = rig.push(image.manifest, registry.host() + "/app:1");
  CHECK(delivery.reused_blobs == 1);
  CHECK(registry.count("PUT", "/uploads/") == 1);
  CHECK(registry.manifest("app", "1").has_value());
}

TEST_CASE("a registry that refuses mounts still gets the image") {
  for (const int status : {400, 403, 404, 405}) {
    CAPTURE(status);
    FakeRegistry registry({.mount_refusal = status});
    Rig rig;
    const TestImage image = make_image(rig.store, many(3));
    registry.put_blob("app", image.layers[0].digest.str(), rig.store.read(image.layers[0], 1 << 30));
    const Delivery delivery = rig.push(image.manifest, registry.host() + "/app:1");
    CHECK(delivery.sent_blobs == 3);
    CHECK(registry.manifest("app", "1").has_value());
  }
}

TEST_CASE("upload locations may be relative, and their state is kept as it is") {
  FakeRegistry registry({.relative_locations = true});
  Rig rig;
  const TestImage image = make_image(rig.store, many(2));
  rig.push(image.manifest, registry.host() + "/team/app:1");
  CHECK(registry.blob_count("team/app") == 3);
}

TEST_CASE("an index is pushed with its manifests before it, and shared blobs once") {
  FakeRegistry registry;
  Rig rig;
  const TestImage one = make_image(rig.store, {noise(3'000, 1), noise(3'000, 2)});
  const TestImage two = make_image(rig.store, {noise(3'000, 1), noise(3'000, 3)},
                                   {.os = "linux", .architecture = "arm64", .variant = ""});
  const oci::Descriptor index = make_index(rig.store, {one, two});
  rig.push(index, registry.host() + "/app:1");
  CHECK(registry.blob_count("app") == 5);
  std::vector<std::string> names;
  for (const SeenRequest& request : registry.requests()) {
    if (request.method == "PUT" && request.path.starts_with("/v2/app/manifests/"))
      names.push_back(request.path.substr(18));
  }
  CHECK(names == std::vector<std::string>{one.manifest.digest.str(), two.manifest.digest.str(), "1"});
}

TEST_CASE("basic credentials are sent to the registry that asks") {
  FakeRegistry registry({.auth = FakeRegistry::Auth::basic});
  Rig rig;
  rig.log_in(registry);
  const TestImage image = make_image(rig.store, many(2));
  rig.push(image.manifest, registry.host() + "/app:1");
  CHECK(registry.manifest("app", "1").has_value());
  CHECK(registry.requests().size() == 2 * 3 + 2 + 1);
}

TEST_CASE("one token serves a whole push") {
  for (const bool with_identity : {false, true}) {
    FakeRegistry registry({.auth = FakeRegistry::Auth::token});
    Rig rig;
    rig.log_in(registry, with_identity);
    const TestImage image = make_image(rig.store, many(5));
    rig.push(image.manifest, registry.host() + "/app:1");
    CHECK(registry.manifest("app", "1").has_value());
    CHECK(registry.count("GET", "/token") + registry.count("POST", "/token") == 1);
    CHECK(registry.requests().size() == 2 * 6 + 2 + 2);
  }
}

TEST_CASE("a token that is revoked in the middle is renewed") {
  FakeRegistry registry({.auth = FakeRegistry::Auth::token});
  Rig rig;
  rig.log_in(registry);
  const TestImage image = make_image(rig.store, many(3));
  const auto sink = registry_sink(oci::Reference::parse(registry.host() + "/app:1"), *rig.transport,
                                  {.environment = rig.environment, .clock = &rig.clock}, rig.events, {});
  REQUIRE_FALSE(sink->has_manifest(image.manifest));
  registry.expire_tokens();
  for (const oci::Descriptor& layer : image.layers) CHECK(sink->put_blob(layer, rig.store));
  registry.expire_tokens();
  CHECK(sink->put_blob(image.config, rig.store));
  registry.expire_tokens();
  sink->tag(image.manifest, rig.store.read(image.manifest, 1 << 20));
  CHECK(registry.manifest("app", "1").has_value());
  CHECK(registry.count("GET", "/token") == 4);
}

TEST_CASE("a push without the right to it ends with exit 65 and says what is left") {
  FakeRegistry registry({.auth = FakeRegistry::Auth::basic}), forbidding;
  Rig rig;
  const TestImage image = make_image(rig.store, many(2));
  const Error error = rig.failed(image.manifest, registry.host() + "/app:1");
  CHECK(error.exit() == Exit::registry_credentials);
  CHECK(error.where() == cat("HEAD http://", registry.host(), "/v2/app/manifests/1"));
  CHECK(registry.blob_count("app") == 0);

  forbidding.inject({.method = "POST",
                     .part = "/uploads/",
                     .status = 403,
                     .body = R"({"errors":[{"code":"DENIED","message":"permission_denied: write_package"}]})",
                     .times = 100});
  forbidding.inject({.method = "HEAD", .part = "/blobs/", .status = 404, .times = 100});
  const Error denied = rig.failed(image.manifest, forbidding.host() + "/app:1");
  CHECK(denied.exit() == Exit::registry_credentials);
  CHECK(denied.where() == cat("POST http://", forbidding.host(), "/v2/app/blobs/uploads/"));
  CHECK(denied.causes() == std::vector<std::string>{"403 DENIED: permission_denied: write_package"});
  CHECK(denied.notes() ==
        std::vector<std::string>{"0 of 2 layers are uploaded and will be reused; no tag was changed"});
}

TEST_CASE("an upload at another host gets the content and no credentials") {
  FakeRegistry elsewhere;
  FakeRegistry registry({.auth = FakeRegistry::Auth::token, .uploads = &elsewhere});
  Rig rig;
  rig.log_in(registry);
  const TestImage image = make_image(rig.store, many(3));
  rig.push(image.manifest, registry.host() + "/app:1");
  CHECK(registry.manifest("app", "1").has_value());
  const auto seen = elsewhere.requests();
  CHECK(seen.size() == 4);
  for (const SeenRequest& request : seen) {
    CHECK(request.method == "PUT");
    CHECK_FALSE(request.has("authorization"));
    CHECK_FALSE(request.has("cookie"));
  }
}

TEST_CASE("a registry that is in trouble for a moment gets the image all the same") {
  FakeRegistry registry;
  Rig rig;
  for (const int status : {500, 502, 503, 504, 408}) {
    registry.inject({.method = "PUT", .part = "/uploads/", .status = status});
    registry.inject({.method = "POST", .part = "/uploads/", .status = status});
  }
  registry.inject({.method = "HEAD", .part = "/manifests/", .status = 500});
  registry.inject({.method = "PUT", .part = "/manifests/", .status = 429, .headers = {{"Retry-After", "3"}}});
  const TestImage image = make_image(rig.store, many(3));
  rig.push(image.manifest, registry.host() + "/app:1");
  CHECK(registry.manifest("app", "1").has_value());
  CHECK(std::any_of(rig.clock.slept.begin(), rig.clock.slept.end(),
                    [](auto pause) { return pause >= std::chrono::seconds(3) && pause <= std::chrono::seconds(6); }));
}

TEST_CASE("an upload whose answer was lost is found to be there") {
  FakeRegistry registry;
  Rig rig;
  const TestImage image = make_image(rig.store, many(1));
  registry.put_blob("app", image.config.digest.str(), rig.store.read(image.config, 1 << 20));
  registry.inject({.method = "POST",
                   .part = "/uploads/",
                   .status = 202,
                   .headers = {{"Location", "/v2/app/blobs/uploads/gone?_state=x"}}});
  registry.inject({.method = "PUT", .part = "/uploads/", .status = 502});
  registry.put_blob("app", image.layers[0].digest.str(), rig.store.read(image.layers[0], 1 << 20));
  rig.push(image.manifest, registry.host() + "/app:1");
  CHECK(registry.count("PUT", "/uploads/") == 1);
  CHECK(registry.manifest("app", "1").has_value());
}

TEST_CASE("a registry that stays in trouble is exit 75, and the tag has not moved") {
  FakeRegistry registry;
  Rig rig;
  const TestImage image = make_image(rig.store, many(2));
  registry.inject({.method = "PUT", .part = "/manifests/", .status = 503, .times = 100});
  const Error error = rig.failed(image.manifest, registry.host() + "/app:1");
  CHECK(error.exit() == Exit::transient);
  CHECK(error.notes() == std::vector<std::string>{"2 of 2 layers are uploaded and will be reused; no tag was changed"});
  CHECK_FALSE(registry.manifest("app", "1").has_value());
}

TEST_CASE("a registry that is not there is exit 75") {
  std::string host;
  {
    const FakeRegistry gone;
    host = gone.host();
  }
  Rig rig;
  const TestImage image = make_image(rig.store, many(1));
  const Error error = rig.failed(image.manifest, host + "/app:1");
  CHECK(error.exit() == Exit::transient);
  CHECK(error.where() == cat("HEAD http://", host, "/v2/app/manifests/1"));
}

TEST_CASE("a refused manifest is exit 66 in the registry's own words") {
  FakeRegistry registry;
  Rig rig;
  const TestImage image = make_image(rig.store, many(1));
  registry.inject({.method = "PUT",
                   .part = "/manifests/",
                   .status = 400,
                   .body = R"({"errors":[{"code":"MANIFEST_INVALID","message":"manifest invalid"}]})"});
  const Error error = rig.failed(image.manifest, registry.host() + "/app:1");
  CHECK(error.exit() == Exit::registry_content);
  CHECK(error.causes() == std::vector<std::string>{"400 MANIFEST_INVALID: manifest invalid"});
}

TEST_CASE("a registry that stores something else is caught") {
  FakeRegistry registry;
  Rig rig;
  const TestImage image = make_image(rig.store, many(1));
  registry.inject({.method = "PUT",
                   .part = "/manifests/",
                   .status = 201,
                   .headers = {{"Docker-Content-Digest", digest_of("other").str()}}});
  const Error error = rig.failed(image.manifest, registry.host() + "/app:1");
  CHECK(error.exit() == Exit::registry_content);
  CHECK(error.message().find("stored something else") != std::string::npos);
}

TEST_CASE("a damaged blob is not pushed") {
  FakeRegistry registry;
  Rig rig;
  const TestImage image = make_image(rig.store, many(2));
  const fs::path victim = rig.store.path(image.layers[1].digest);
  std::string content = read_file(victim);
  content[content.size() / 2] ^= 0x10;
  fs::permissions(victim, fs::perms::owner_all);
  write_file(victim, content);
  const Error error = rig.failed(image.manifest, registry.host() + "/app:1");
  CHECK(error.exit() != Exit::transient);
  CHECK_FALSE(registry.has_blob("app", image.layers[1].digest.str()));
  CHECK_FALSE(registry.manifest("app", "1").has_value());
}

TEST_CASE("a push that was cancelled sends nothing more") {
  FakeRegistry registry;
  Rig rig;
  const TestImage image = make_image(rig.store, many(2));
  std::stop_source stop;
  stop.request_stop();
  CHECK_THROWS_AS(rig.push(image.manifest, registry.host() + "/app:1", stop.get_token()), Error);
  CHECK(registry.requests().empty());
}

TEST_CASE("an image is pushed by its digest alone, and never under another's") {
  FakeRegistry registry;
  Rig rig;
  const TestImage image = make_image(rig.store, many(1));
  rig.push(image.manifest, cat(registry.host(), "/app@", image.manifest.digest.str()));
  CHECK(registry.manifest("app", image.manifest.digest.str()).has_value());
  const Error error = rig.failed(image.manifest, cat(registry.host(), "/app@", digest_of("x").str()));
  CHECK(error.exit() == Exit::usage);
}

TEST_CASE("each upload is reported to its end, and never goes back") {
  FakeRegistry registry;
  Rig rig;
  registry.inject({.method = "PUT", .part = "/uploads/", .status = 503});
  const TestImage image = make_image(rig.store, {noise(2'000'000, 1)});
  rig.push(image.manifest, registry.host() + "/app:1");
  std::uint64_t done = 0;
  for (const Event& event : rig.events.events()) {
    const auto* progress = std::get_if<Progress>(&event);
    if (progress == nullptr || progress->total != image.layers[0].size) continue;
    CHECK(progress->done > done);
    done = progress->done;
  }
  CHECK(done == image.layers[0].size);
}
