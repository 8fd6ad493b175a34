// What other registry clients were attacked with, tried on this one: a case a name.
#include <doctest/doctest.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "oci/layout.hpp"
#include "registry/client.hpp"
#include "registry/session.hpp"
#include "tests/registry/pull_rig.hpp"

using namespace whittle;
using namespace whittle::registry;
using whittle::testing::FakeClock;
using whittle::testing::FakeRegistry;
using whittle::testing::kAmd64;
using whittle::testing::make_image;
using whittle::testing::noise;
using whittle::testing::PullRig;
using whittle::testing::ScriptedTransport;
using whittle::testing::TestImage;

namespace {

const std::string kManifestType(oci::media_type::kManifest);
const std::string kIndexType(oci::media_type::kIndex);
constexpr const char* kMetadata = "169.254.169.254";  // where clouds keep a machine's secrets

// Pulls what a registry that means harm holds.
struct Victim : PullRig {
  void log_in(const std::string& host) {
    const Json entry{{"username", FakeRegistry::kUser}, {"password", FakeRegistry::kPassword}};
    environment["DOCKER_AUTH_CONFIG"] = canonical_json(Json{{"auths", {{host, entry}}}});
  }
  Exit pull(const FakeRegistry& registry, const std::string& name) {
    try {
      PullRig::pull(registry, name);
    } catch (const Error& error) {
      return error.exit();
    }
    return Exit::ok;
  }
  void publish(FakeRegistry& registry, const TestImage& image) { PullRig::publish(registry, image, "1"); }
};

void put(FakeRegistry& registry, const std::string& tag, const std::string& type, const Json& document) {
  const std::string text = document.dump();
  registry.put_manifest("app", tag, digest_of(text).str(), type, text);
}

// A conversation with a registry of which every word is written here.
struct Listener {
  explicit Listener(const std::string& host = "r.example")
      : session(oci::Reference::parse(host + "/team/app:1"), Session::Access::push, transport,
                {.environment = {{"DOCKER_AUTH_CONFIG",
                                  cat(R"({"auths":{")", host, R"(":{"auth":"Y2ktYm90OnMzY3JldA=="}}})")}},
                 .clock = &clock},
                events, {}) {}
  ScriptedTransport transport;
  FakeClock clock;
  RecordingEvents events;
  Session session;

  Exit get() {
    try {
      session.send({.doing = "test", .target = "/v2/team/app/manifests/1"});
    } catch (const Error& error) {
      return error.exit();
    }
    return Exit::ok;
  }
  bool sent_credentials_to(std::string_view place) const {
    return std::any_of(transport.sent.begin(), transport.sent.end(), [&](const HttpRequest& request) {
      const bool is_there = request.url.find(place) != std::string::npos;
      return is_there && std::any_of(request.headers.begin(), request.headers.end(),
                                     [](const auto& header) { return header.first == "Authorization"; });
    });
  }
};

HttpResponse answer(int status, std::string name, std::string value, std::string peer = "93.184.216.34") {
  return {.status = status, .headers = {{std::move(name), std::move(value)}}, .peer = std::move(peer)};
}

}  // namespace

TEST_CASE("CVE-2021-41190: a text that is a manifest and an index at once is refused") {
  FakeRegistry registry;
  Victim victim;
  const TestImage image = make_image(victim.origin, {noise(1'000, 1)});
  victim.publish(registry, image);
  Json both = Json::parse(victim.origin.read(image.manifest, 1 << 20));
  both["manifests"] = Json::array();
  put(registry, "manifest", kManifestType, both);
  both["mediaType"] = kIndexType;
  put(registry, "index", kIndexType, both);
  CHECK(victim.pull(registry, ":manifest") == Exit::registry_content);
  CHECK(victim.pull(registry, ":index") == Exit::registry_content);
}

TEST_CASE("CVE-2021-41190: a digest that comes as another type than the last time is refused") {
  FakeRegistry registry;
  Victim victim;
  const TestImage image = make_image(victim.origin, {noise(1'000, 1)});
  victim.publish(registry, image);
  const std::string name = "@" + image.manifest.digest.str();
  CHECK(victim.pull(registry, name) == Exit::ok);
  registry.put_manifest("app", "1", image.manifest.digest.str(), kIndexType,
                        victim.origin.read(image.manifest, 1 << 20));
  CHECK(victim.pull(registry, name) == Exit::registry_content);
}

TEST_CASE("CVE-2024-3727: what is no digest is used in no path and no address") {
  for (const std::string& wrong : {std::string("sha256:../../../../etc/passwd"), "sha256:" + std::string(63, 'a'),
                                   "sha256:" + std::string(65, 'a'), "sha256:" + std::string(64, 'A'),
                                   std::string("../sha256"), std::string("md5:0123"), std::string(),
                                   "sha256:" + std::string(60, 'a') + "/../", "sha512:" + std::string(128, 'a')}) {
    CAPTURE(wrong);
    FakeRegistry registry;
    Victim victim;
    const TestImage image = make_image(victim.origin, {noise(1'000, 1)});
    victim.publish(registry, image);
    Json manifest = Json::parse(victim.origin.read(image.manifest, 1 << 20));
    Json in_config = manifest;
    in_config["config"]["digest"] = wrong;
    manifest["layers"][0]["digest"] = wrong;
    put(registry, "layer", kManifestType, manifest);
    put(registry, "config", kManifestType, in_config);
    const Json child{{"mediaType", kManifestType},
                     {"digest", wrong},
                     {"size", 100},
                     {"platform", {{"os", "linux"}, {"architecture", "amd64"}}}};
    put(registry, "index", kIndexType,
        Json{{"schemaVersion", 2}, {"mediaType", kIndexType}, {"manifests", Json::array({child})}});
    for (const char* tag : {"layer", "config", "index"}) {
      CAPTURE(tag);
      registry.forget_requests();
      CHECK(victim.pull(registry, cat(":", tag)) != Exit::ok);
      CHECK(registry.requests().size() == 1);
    }
  }
}

TEST_CASE("CVE-2024-3727: a digest header that is none is refused") {
  Victim victim;
  for (const char* wrong : {"sha256:../../x", "x", "sha256:0"}) {
    CAPTURE(wrong);
    FakeRegistry registry;
    const TestImage image = make_image(victim.origin, {noise(1'000, 1)});
    victim.publish(registry, image);
    registry.inject({.method = "GET",
                     .part = "/manifests/",
                     .status = 200,
                     .headers = {{"Docker-Content-Digest", wrong}, {"Content-Type", kManifestType}},
                     .body = victim.origin.read(image.manifest, 1 << 20)});
    CHECK(victim.pull(registry, ":1") == Exit::registry_content);
    CHECK(registry.requests().size() == 1);
  }
}

TEST_CASE("CVE-2020-15157: the addresses that a layer brings along are not asked") {
  FakeRegistry registry({.auth = FakeRegistry::Auth::basic}), elsewhere;
  Victim victim;
  victim.log_in(registry.host());
  const TestImage image = make_image(victim.origin, {noise(1'000, 1)});
  victim.publish(registry, image);
  Json manifest = Json::parse(victim.origin.read(image.manifest, 1 << 20));
  manifest["layers"][0]["urls"] = {elsewhere.url() + "/layer"};
  put(registry, "foreign", kManifestType, manifest);
  registry.remove_blob("app", image.layers[0].digest.str());
  CHECK(victim.pull(registry, ":foreign") != Exit::ok);
  CHECK(elsewhere.requests().empty());
}

TEST_CASE("CVE-2020-15157: a challenge from a place that we were sent to is not answered") {
  Listener listener;
  listener.transport.then(answer(307, "location", "https://evil.example/blob"));
  listener.transport.then(answer(401, "www-authenticate", R"(Basic realm="evil")"));
  CHECK(listener.get() == Exit::registry_credentials);
  CHECK_FALSE(listener.sent_credentials_to("evil.example"));
  CHECK(listener.transport.sent.size() == 2);
}

TEST_CASE("CVE-2026-48978: a realm that is not encrypted, or further inside, gets no credentials") {
  for (const char* realm :
       {"http://evil.example/token", "http://127.0.0.1/token", "https://127.0.0.1/token", "https://localhost/token",
        "https://[::1]/token", "ftp://evil.example/", "https://user:word@evil.example/", "//evil.example/token", ""}) {
    CAPTURE(realm);
    Listener listener;
    listener.transport.then(answer(401, "www-authenticate", cat(R"(Bearer realm=")", realm, R"(",service="r")")));
    CHECK(listener.get() == Exit::registry_credentials);
    CHECK(listener.transport.sent.size() == 1);
  }
}

TEST_CASE("go-containerregistry #2193: a realm gets the credentials of the registry that named it alone") {
  FakeRegistry collector({.auth = FakeRegistry::Auth::token});
  FakeRegistry registry({.auth = FakeRegistry::Auth::token, .realm = collector.url() + "/token"});
  Victim victim;
  // Those of the place that the realm belongs to are known, and are not for the asking.
  victim.log_in(collector.host());
  CHECK(victim.pull(registry, ":1") == Exit::registry_credentials);
  for (const auto& seen : collector.requests()) CHECK_FALSE(seen.has_credentials());
}

TEST_CASE("go-containerregistry #2440: a name that leads inside is judged by the address behind it") {
  Listener listener;
  listener.transport.then(
      answer(401, "www-authenticate", R"(Bearer realm="https://innocent.example/token",service="r")"));
  listener.transport.then(HttpResponse{.status = 200, .body = R"({"token":"t"})"});
  listener.transport.then(answer(307, "location", "https://innocent.example/blob"));
  listener.transport.then(HttpResponse{.status = 200});
  CHECK(listener.get() == Exit::ok);
  REQUIRE(listener.transport.sent.size() == 4);
  // What the transport may connect to; curl_transport_test shows that it keeps to it.
  for (const std::size_t foreign : {1, 3}) {
    CHECK(listener.transport.sent[foreign].reach == Reach::public_only);
    CHECK_FALSE(is_within(kMetadata, listener.transport.sent[foreign].reach));
    CHECK_FALSE(is_within("10.0.0.1", listener.transport.sent[foreign].reach));
  }
}

TEST_CASE("go-containerregistry #2440: an upload location inside the network is not sent the content") {
  Listener listener;
  listener.transport.then(answer(200, "x", "y"));
  CHECK(listener.get() == Exit::ok);
  listener.session.attempt({.doing = "upload",
                            .method = "PUT",
                            .target = cat("https://", kMetadata, "/latest?digest=x"),
                            .body = "content"});
  const HttpRequest& upload = listener.transport.sent.back();
  CHECK_FALSE(is_within(kMetadata, upload.reach));
  CHECK_FALSE(listener.sent_credentials_to(kMetadata));
}

TEST_CASE("regclient 746d6cf: a redirect drops the credentials at another port, and at another scheme stops") {
  for (const char* place :
       {"https://r.example:8443/blob", "https://evil.example/blob", "https://r.example.evil.example/"}) {
    CAPTURE(place);
    Listener listener;
    listener.transport.then(answer(401, "www-authenticate", R"(Basic realm="r")"));
    listener.transport.then(answer(307, "location", place));
    listener.transport.then(HttpResponse{.status = 200});
    CHECK(listener.get() == Exit::ok);
    CHECK(listener.sent_credentials_to("https://r.example/"));
    CHECK_FALSE(listener.sent_credentials_to(place));
  }
  Listener plain;
  plain.transport.then(answer(307, "location", "http://r.example/blob"));
  CHECK(plain.get() == Exit::registry_content);
  CHECK(plain.transport.sent.size() == 1);
}

TEST_CASE("CVE-2026-50195: the name that an image brings along names nothing here") {
  FakeRegistry registry;
  Victim victim;
  const TestImage image = make_image(victim.origin, {noise(1'000, 1)});
  victim.publish(registry, image);
  Json named = Json::parse(victim.origin.read(image.manifest, 1 << 20));
  named["annotations"] = {{"org.opencontainers.image.ref.name", "trusted:latest"},
                          {"io.containerd.image.name", "docker.io/library/trusted:latest"}};
  put(registry, "named", kManifestType, named);
  oci::Layout store(victim.scratch / "store", oci::Layout::Open::create, victim.events);
  const oci::Descriptor root =
      registry::pull(oci::Reference::parse(registry.host() + "/app:named"), {kAmd64}, store.blobs(), *victim.transport,
                     {.clock = &victim.clock}, victim.pool, victim.events, {});
  CHECK(root.annotations.empty());
  CHECK(store.entries().empty());
  const auto sink = layout_sink(victim.scratch / "out", "mine", victim.events);
  deliver(root, store.blobs(), *sink, victim.pool, victim.events, {});
  const oci::Layout out(victim.scratch / "out", oci::Layout::Open::existing, victim.events);
  REQUIRE(out.entries().size() == 1);
  CHECK(out.entries()[0].name == "mine");
}

TEST_CASE("endless data: what is longer than was promised is cut off, and nothing of it is kept") {
  FakeRegistry registry;
  Victim victim;
  const TestImage image = make_image(victim.origin, {noise(1'000, 1)});
  victim.publish(registry, image);
  registry.put_blob("app", image.layers[0].digest.str(), std::string(20 << 20, 'x'));
  CHECK(victim.pull(registry, ":1") == Exit::registry_content);
  CHECK_FALSE(victim.into.has(image.layers[0].digest));
  registry.put_manifest("app", "endless", digest_of("x").str(), kManifestType, std::string(5 << 20, ' '));
  CHECK(victim.pull(registry, ":endless") == Exit::registry_content);
  Json nested = Json::array();
  for (int i = 0; i < 200; ++i) nested = Json::array({nested});
  put(registry, "nested", kManifestType, Json{{"schemaVersion", 2}, {"mediaType", kManifestType}, {"layers", nested}});
  CHECK(victim.pull(registry, ":nested") == Exit::registry_content);
}
