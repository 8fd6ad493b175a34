#include "registry/routes.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "registry/session.hpp"
#include "tests/registry/push_rig.hpp"

using namespace whittle;
using namespace whittle::registry;
using whittle::testing::FakeRegistry;
using whittle::testing::make_image;
using whittle::testing::many;
using whittle::testing::PushRig;
using whittle::testing::Scratch;
using whittle::testing::TestImage;

namespace {

struct Machine {
  Scratch scratch;
  fs::path etc = scratch / "etc";

  void write(const std::string& path, std::string_view text) {
    make_folders((scratch.path() / path).parent_path());
    write_file(scratch.path() / path, text);
  }
  Routes read() { return Routes::read({{"HOME", (scratch / "home").native()}}, etc); }
  Route of(const std::string& reference) { return read().of(oci::Reference::parse(reference)); }
  std::string upstream(const std::string& reference) { return of(reference).upstream.reference.str(); }
  Error failed() {
    return test::error_of([&] { read(); });
  }
};

constexpr const char* kConf = "etc/containers/registries.conf";
constexpr const char* kKey = "PEM";

}  // namespace

TEST_CASE("without any file a registry is where its name says") {
  Machine machine;
  const Route route = machine.of("r.example/team/app:1");
  CHECK(route.upstream.reference.str() == "r.example/team/app:1");
  CHECK(route.mirrors.empty());
  CHECK(route.blocked_by.empty());
}

TEST_CASE("the longest prefix decides, at the ends of names only") {
  Machine machine;
  machine.write(kConf, R"(
[[registry]]
prefix = "r.example/team"
location = "other.example:5000/moved"
[[registry]]
prefix = "r.example/team/app"
location = "third.example/x"
)");
  CHECK(machine.upstream("r.example/team/app:1") == "third.example/x:1");
  CHECK(machine.upstream("r.example/team/application:1") == "other.example:5000/moved/application:1");
  CHECK(machine.upstream("r.example/teams/app:1") == "r.example/teams/app:1");
  const std::string digest = digest_of("x").str();
  CHECK(machine.upstream("r.example/team/b@" + digest) == "other.example:5000/moved/b@" + digest);
}

TEST_CASE("a wildcard stands for every host below a domain") {
  Machine machine;
  machine.write(kConf, "[[registry]]\nprefix = \"*.corp.example\"\nblocked = true\n");
  CHECK_FALSE(machine.of("a.corp.example/app").blocked_by.empty());
  CHECK_FALSE(machine.of("a.b.corp.example:5000/app").blocked_by.empty());
  CHECK(machine.of("corp.example/app").blocked_by.empty());
  CHECK(machine.of("corp.example.org/app").blocked_by.empty());
}

TEST_CASE("mirrors come in order, each for what it may serve") {
  Machine machine;
  machine.write(kConf, R"(
[[registry]]
location = "r.example"
[[registry.mirror]]
location = "one.example/cache"
pull-from-mirror = "digest-only"
[[registry.mirror]]
location = "two.example"
insecure = true
pull-from-mirror = "tag-only"
[[registry.mirror]]
location = "three.example"
)");
  const Route route = machine.of("r.example/team/app:1");
  REQUIRE(route.mirrors.size() == 3);
  CHECK(route.mirrors[0].endpoint.reference.str() == "one.example/cache/team/app:1");
  CHECK_FALSE(route.mirrors[0].has_tags);
  CHECK(route.mirrors[1].endpoint.is_insecure);
  CHECK_FALSE(route.mirrors[1].has_digests);
  CHECK(route.mirrors[2].endpoint.reference.str() == "three.example/team/app:1");
  CHECK(route.mirrors[2].has_tags);
  CHECK(machine.read().tls_for(*Url::parse("https://two.example/")).verifies == false);
  CHECK(machine.read().tls_for(*Url::parse("https://one.example/")).verifies);
}

TEST_CASE("the user's own file replaces the machine's, and files beside it add to it") {
  Machine machine;
  machine.write(kConf, "[[registry]]\nlocation = \"a.example\"\nblocked = true\n");
  machine.write("home/.config/containers/registries.conf", "[[registry]]\nlocation = \"b.example\"\nblocked = true\n");
  machine.write("etc/containers/registries.conf.d/10.conf", "[[registry]]\nlocation = \"c.example\"\nblocked = true\n");
  CHECK(machine.of("a.example/x").blocked_by.empty());
  CHECK_FALSE(machine.of("b.example/x").blocked_by.empty());
  CHECK_FALSE(machine.of("c.example/x").blocked_by.empty());
}

TEST_CASE("a file that cannot be understood is an error with its line") {
  Machine machine;
  machine.write(kConf, "[[registry]]\nlocation = \"a.example\"\nblocked = \"yes\"\n");
  CHECK(machine.failed().exit() == Exit::usage);
  CHECK(machine.failed().where() == (machine.scratch.path() / kConf).native() + ":3");
  CHECK(machine.failed().causes() == std::vector<std::string>{"`blocked` must be true or false"});
  machine.write(
      kConf,
      "[[registry]]\nlocation = \"a.example\"\n[[registry.mirror]]\nlocation = \"b\"\npull-from-mirror = \"some\"\n");
  CHECK(machine.failed().causes() == std::vector<std::string>{"`some` is none of `all`, `digest-only` and `tag-only`"});
}

TEST_CASE("hosts.toml names mirrors, in their order, and how they are trusted") {
  Machine machine;
  machine.write("etc/containerd/certs.d/r.example/hosts.toml", R"(
server = "https://r.example"
[host."https://z.example:5000"]
  capabilities = ["pull"]
  ca = "ca.crt"
[host."http://a.example"]
  capabilities = ["pull", "resolve"]
[host."https://path.example/own/path"]
  capabilities = ["pull"]
[host."https://push.example"]
  capabilities = ["push"]
)");
  machine.write("etc/containerd/certs.d/r.example/ca.crt", kKey);
  const Route route = machine.of("r.example/app:1");
  REQUIRE(route.mirrors.size() == 2);
  CHECK(route.mirrors[0].endpoint.reference.str() == "z.example:5000/app:1");
  CHECK_FALSE(route.mirrors[0].has_tags);
  CHECK(route.mirrors[1].endpoint.reference.str() == "a.example/app:1");
  CHECK(route.mirrors[1].endpoint.is_insecure);
  CHECK(machine.read().tls_for(*Url::parse("https://z.example:5000/")).authorities == "PEM\n");
}

TEST_CASE("certificates are for exactly the host and port whose folder they lie in") {
  Machine machine;
  machine.write("home/.config/containers/certs.d/r.example:5000/ca.crt", "ONE");
  machine.write("etc/docker/certs.d/r.example:5000/more.crt", "TWO");
  machine.write("etc/containers/certs.d/r.example:5000/client.cert", "CERT");
  CHECK_THROWS_WITH_AS(machine.read().tls_for(*Url::parse("https://r.example:5000/")), doctest::Contains("has no key"),
                       Error);
  machine.write("etc/containers/certs.d/r.example:5000/client.key", "KEY");
  const TlsSettings found = machine.read().tls_for(*Url::parse("https://r.example:5000/"));
  CHECK(found.authorities == "ONE\nTWO\n");
  CHECK(found.certificate.filename() == "client.cert");
  CHECK(machine.read().tls_for(*Url::parse("https://r.example:5001/")) == TlsSettings{});
  CHECK(machine.read().tls_for(*Url::parse("https://r.example/")) == TlsSettings{});
}

TEST_CASE("an image comes from its mirror, and from the registry when that is of no use") {
  FakeRegistry upstream, mirror;
  PushRig rig;
  const TestImage image = make_image(rig.store, many(2));
  rig.push(image.manifest, mirror.host() + "/cache/app:1");
  rig.push(image.manifest, upstream.host() + "/app:1");
  Machine machine;
  const auto pull_through = [&](const char* which) {
    machine.write(kConf, cat("[[registry]]\nlocation = \"", upstream.host(), "\"\n[[registry.mirror]]\nlocation = \"",
                             mirror.host(), "/cache\"\npull-from-mirror = \"", which, "\"\n"));
    const Routes routes = machine.read();
    ClientOptions options = rig.options();
    options.routes = &routes;
    upstream.forget_requests();
    mirror.forget_requests();
    const Scratch scratch;
    oci::BlobStore back(scratch.path());
    const oci::Descriptor root = pull(oci::Reference::parse(upstream.host() + "/app:1"),
                                      {.platform = {.os = "linux", .architecture = "amd64", .variant = ""}}, back,
                                      *rig.transport, options, rig.pool, rig.events, {});
    CHECK(root.digest == image.manifest.digest);
  };
  pull_through("all");
  CHECK(upstream.requests().empty());
  pull_through("digest-only");
  CHECK(upstream.requests().size() == 1);
  CHECK(mirror.count("GET", "/blobs/") == 3);
  mirror.corrupt(image.layers[0].digest.str());
  pull_through("all");
  CHECK(upstream.count("GET", "/blobs/") >= 1);
}

TEST_CASE("a blocked registry is not asked") {
  FakeRegistry registry;
  PushRig rig;
  Machine machine;
  machine.write(kConf, cat("[[registry]]\nlocation = \"", registry.host(), "\"\nblocked = true\n"));
  const Routes routes = machine.read();
  ClientOptions options = rig.options();
  options.routes = &routes;
  try {
    registry_sink(oci::Reference::parse(registry.host() + "/app:1"), *rig.transport, options, rig.events, {});
    FAIL("it was not refused");
  } catch (const Error& error) {
    CHECK(error.exit() == Exit::budget_exceeded);
    CHECK(error.message() == cat("the registry of `", registry.host(), "/app` is blocked"));
  }
  CHECK(registry.requests().empty());
}

TEST_CASE("a warning of the registry is shown once, made printable") {
  PushRig rig;
  whittle::testing::ScriptedTransport transport;
  const HttpResponse answer{.status = 200,
                            .headers = {{"warning", "299 - \"going away\x1b[2J soon\""}, {"warning", "199 - \"x\""}}};
  transport.then(3, answer);
  Session session(oci::Reference::parse("r.example/app"), Session::Access::pull, transport, rig.options(), rig.events,
                  {});
  for (int i = 0; i < 3; ++i) session.send({.doing = "test", .target = "/v2/"});
  std::vector<std::string> warnings;
  for (const Event& event : rig.events.events()) {
    const auto* note = std::get_if<Note>(&event);
    if (note != nullptr && note->level == Note::Level::warning) warnings.push_back(note->text);
  }
  CHECK(warnings == std::vector<std::string>{"`r.example` says: going away\\x1b[2J soon"});
}
