#include <doctest/doctest.h>

#include "gateway/serve_route.hpp"

using namespace whittle;
using namespace whittle::gateway;

namespace {

Route route_of(std::string_view target) {
  const auto parsed = parse_route(target);
  REQUIRE_MESSAGE(std::holds_alternative<Route>(parsed), target);
  return std::get<Route>(parsed);
}

RouteError error_of(std::string_view target) {
  const auto parsed = parse_route(target);
  REQUIRE_MESSAGE(std::holds_alternative<RouteError>(parsed), target);
  return std::get<RouteError>(parsed);
}

const std::string kDigest = "sha256:" + std::string(64, 'a');

}  // namespace

TEST_CASE("the paths of the distribution specification are known") {
  CHECK(route_of("/v2/").kind == Route::Kind::base);
  CHECK(route_of("/v2").kind == Route::Kind::base);
  CHECK(route_of("/metrics").kind == Route::Kind::metrics);
  CHECK(route_of("/v2/_catalog?n=3&last=a").count == 3);

  const Route manifest = route_of("/v2/edge/sensor/manifests/1.4");
  CHECK(manifest.kind == Route::Kind::manifest);
  CHECK(manifest.repository.path == "edge/sensor");
  CHECK(manifest.tag == "1.4");
  CHECK_FALSE(manifest.digest);

  const Route blob = route_of("/v2/sensor/blobs/" + kDigest);
  CHECK(blob.kind == Route::Kind::blob);
  CHECK(blob.digest->str() == kDigest);
  CHECK(route_of("/v2/sensor/manifests/" + kDigest).digest->str() == kDigest);
  CHECK(route_of("/v2/sensor/manifests/sha256%3A" + std::string(64, 'a')).digest->str() == kDigest);

  const Route referrers = route_of("/v2/sensor/referrers/" + kDigest + "?artifactType=application%2Fspdx%2Bjson");
  CHECK(referrers.kind == Route::Kind::referrers);
  CHECK(referrers.artifact_type == "application/spdx+json");
  CHECK(route_of("/v2/sensor/tags/list").kind == Route::Kind::tags);
}

TEST_CASE("a repository may be called like a part of a path") {
  CHECK(route_of("/v2/tags/manifests/blobs/manifests/1").repository.path == "tags/manifests/blobs");
  CHECK(route_of("/v2/a/tags/list/manifests/list").repository.path == "a/tags/list");
}

TEST_CASE("the registry that a mirror stands for is named by ns") {
  const Route route = route_of("/v2/edge/sensor/manifests/1?ns=registry.example.org%3A5000");
  CHECK(route.repository.image().name() == "registry.example.org:5000/edge/sensor");
  CHECK(route_of("/v2/nginx/manifests/1?ns=docker.io").repository.image().name() == "docker.io/library/nginx");
  CHECK(route_of("/v2/registry.example.org/edge/sensor/manifests/1").repository.image().host == "registry.example.org");
  CHECK(route_of("/v2/edge/sensor/manifests/1").repository.image().host.empty());
  CHECK(error_of("/v2/a/manifests/1?ns=a%20b").status == 400);
}

TEST_CASE("no request leads out of the store") {
  for (const char* target : {
           "/v2/../etc/passwd/manifests/1",
           "/v2/a/../../b/blobs/sha256:" /* too short */,
           "/v2/a/blobs/../../../../etc/passwd",
           "/v2/a/blobs/sha256:..%2f..%2f..%2f..%2fetc%2fpasswd",
           "/v2/%2e%2e/manifests/1",
           "/v2//manifests/1",
           "/v2/A/manifests/1",
           "/v2/a/manifests/..",
           "/v2/a/manifests/%00",
           "/v2/a/manifests/a%0d%0aX:y",
           "/v2/a/manifests/%zz",
           "/v2/a/manifests/%",
           "/v2/a/manifests/",
           "/v2/a/blobs/sha512:00",
           "/v2/a/blobs/uploads/",
           "/v2/-a/manifests/1",
           "/v2/a_/manifests/1",
           "/v2/a..b/manifests/1",
           "/v2/a/tags/other",
           "/etc/passwd",
           "v2/",
           "*",
           "",
       }) {
    const int status = error_of(target).status;
    CHECK_MESSAGE((status == 400 || status == 404), target);
  }
}

TEST_CASE("a number of entries that is none is refused") {
  CHECK(std::string(error_of("/v2/_catalog?n=x").code) == "PAGINATION_NUMBER_INVALID");
  CHECK(std::string(error_of("/v2/a/tags/list?n=-1").code) == "PAGINATION_NUMBER_INVALID");
  CHECK(route_of("/v2/a/tags/list?n=0").count == 0);
}

TEST_CASE("as many parts as Podman asks for are given, and what only attackers ask for is not") {
  std::string header = "bytes=";
  for (int i = 0; i < 1024; ++i) header += std::to_string(i * 10) + "-" + std::to_string(i * 10 + 4) + ",";
  const WantedParts many = wanted_parts(header, 20'000);
  CHECK(many.answer == WantedParts::Answer::parts);
  CHECK(many.list.size() == 1024);
  CHECK(wanted_parts(header + "19000-19001", 20'000).answer == WantedParts::Answer::whole);
  CHECK(wanted_parts("bytes=0-9,5-6", 100).answer == WantedParts::Answer::whole);
  CHECK(wanted_parts("bytes=50-,0-49", 100).list.size() == 2);
  CHECK(wanted_parts("bytes=-1", 100).list.front().first == 99);
  CHECK(wanted_parts("bytes=100-", 100).answer == WantedParts::Answer::unsatisfiable);
  CHECK(wanted_parts("bytes=0-", 0).answer == WantedParts::Answer::unsatisfiable);
  CHECK(wanted_parts("lines=0-1", 100).answer == WantedParts::Answer::whole);
  CHECK(wanted_parts("bytes=", 100).answer == WantedParts::Answer::whole);
  CHECK(wanted_parts("", 100).answer == WantedParts::Answer::whole);
}
