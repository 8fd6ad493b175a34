#include "gateway/serve_catalog.hpp"

#include <doctest/doctest.h>

#include "tests/gateway/layouts.hpp"

using namespace whittle;
using namespace whittle::gateway;
using test::put_image;
using test::TemporaryLayout;

namespace {

Catalog catalog_of(TemporaryLayout& at) {
  const oci::Layout* const layouts[] = {&at.layout};
  return {layouts, at.events};
}

}  // namespace

TEST_CASE("a repository is found by its path, its full name, and as a mirror") {
  TemporaryLayout at;
  const oci::Descriptor image = put_image(at.layout.blobs(), "a");
  at.layout.tag("registry.example.org:5000/edge/sensor:1", image);
  at.layout.tag("docker.io/library/nginx:2", image);
  at.layout.tag("local:3", image);
  const Catalog catalog = catalog_of(at);

  REQUIRE(catalog.find({.path = "edge/sensor"}));
  CHECK(catalog.find({.path = "edge/sensor"})->tags.at("1").digest == image.digest);
  CHECK(catalog.find({.path = "edge/sensor", .registry = "registry.example.org:5000"}));
  CHECK_FALSE(catalog.find({.path = "edge/sensor", .registry = "registry.example.org"}));
  CHECK(catalog.find({.path = "library/nginx", .registry = "docker.io"}));
  CHECK(catalog.find({.path = "nginx", .registry = "registry-1.docker.io"}));
  CHECK(catalog.find({.path = "docker.io/library/nginx"}));
  CHECK(catalog.find({.path = "local"}));
  CHECK_FALSE(catalog.find({.path = "local", .registry = "docker.io"}));
  CHECK(catalog.names() == std::vector<std::string>{"edge/sensor", "library/nginx", "local"});
}

TEST_CASE("what two registries call the same needs its registry") {
  TemporaryLayout at;
  const oci::Descriptor one = put_image(at.layout.blobs(), "one"), other = put_image(at.layout.blobs(), "other");
  at.layout.tag("a.example.org/app:1", one);
  at.layout.tag("b.example.org/app:1", other);
  const Catalog catalog = catalog_of(at);
  CHECK_FALSE(catalog.find({.path = "app"}));
  CHECK(catalog.find({.path = "b.example.org/app"})->tags.at("1").digest == other.digest);
  CHECK(catalog.find({.path = "app", .registry = "a.example.org"})->tags.at("1").digest == one.digest);
  CHECK(catalog.names() == std::vector<std::string>{"a.example.org/app", "b.example.org/app"});
}

TEST_CASE("manifests of an index are known, and those that are not carried are not missed") {
  TemporaryLayout at;
  const oci::Descriptor image = put_image(at.layout.blobs(), "layer");
  oci::Index index{.media_type = std::string(oci::media_type::kIndex), .manifests = {image}, .annotations = {}};
  oci::Descriptor absent = image;
  absent.digest = digest_of(bytes_of("of another platform"));
  index.manifests.push_back(absent);
  at.layout.tag("app:1", at.layout.blobs().put(index.encode(), oci::media_type::kIndex));
  const Catalog catalog = catalog_of(at);
  REQUIRE(catalog.manifest(image.digest));
  CHECK(catalog.manifest(image.digest)->media_type == oci::media_type::kManifest);
  CHECK_FALSE(catalog.manifest(absent.digest));
  CHECK(catalog.blob_size(digest_of(bytes_of("layer"))) == 5);
  CHECK(at.events.events().empty());
}

TEST_CASE("what refers to an image is listed with its type and annotations") {
  TemporaryLayout at;
  const oci::Descriptor image = put_image(at.layout.blobs(), "layer");
  at.layout.tag("app:1", image);
  const Json subject = {{"mediaType", image.media_type}, {"digest", image.digest.str()}, {"size", image.size}};
  const oci::Descriptor typed =
      put_image(at.layout.blobs(), "bill",
                {{"subject", subject}, {"artifactType", "application/spdx+json"}, {"annotations", {{"a", "b"}}}});
  const oci::Descriptor plain = put_image(at.layout.blobs(), "signature", {{"subject", subject}});
  at.layout.tag("", typed);
  at.layout.tag("", plain);
  const Catalog catalog = catalog_of(at);
  const auto referrers = catalog.referrers(image.digest);
  REQUIRE(referrers.size() == 2);
  for (const oci::Descriptor& one : referrers) {
    const bool is_typed = one.digest == typed.digest;
    CHECK(one.artifact_type == (is_typed ? "application/spdx+json" : std::string(oci::media_type::kConfig)));
    CHECK(one.annotations.size() == (is_typed ? 1 : 0));
  }
  CHECK(catalog.referrers(typed.digest).empty());
}

TEST_CASE("a damaged manifest costs its own image and no other") {
  TemporaryLayout at;
  const oci::Descriptor good = put_image(at.layout.blobs(), "good"), bad = put_image(at.layout.blobs(), "bad");
  at.layout.tag("good:1", good);
  at.layout.tag("bad:1", bad);
  write_file(at.layout.blobs().path(bad.digest), "torn");
  const Catalog catalog = catalog_of(at);
  CHECK(catalog.manifest(good.digest));
  CHECK_FALSE(catalog.manifest(bad.digest));
  CHECK(at.events.events().size() == 1);
}

TEST_CASE("names of repositories are those of the specification") {
  for (const char* good : {"a", "a/b", "a.b/c_d/e__f/g-h/i---j", "0", "example.org/x"}) {
    CHECK_MESSAGE(is_repository_path(good), good);
  }
  for (const char* bad :
       {"", "/a", "a/", "a//b", "A", "a..b", "a___b", "_a", "a_", "a b", "a:b", "..", "a/../b", "a/."}) {
    CHECK_MESSAGE(!is_repository_path(bad), bad);
  }
  CHECK_FALSE(is_repository_path(std::string(256, 'a')));
}
