#include "oci/image.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

using namespace whittle;
using namespace whittle::oci;

namespace {

const std::string kDigest = cat("sha256:", std::string(64, 'a'));

Json descriptor(std::string_view type = media_type::kConfig) {
  return {{"mediaType", type}, {"digest", kDigest}, {"size", 5}};
}

Json manifest() {
  return {{"schemaVersion", 2},
          {"mediaType", media_type::kManifest},
          {"config", descriptor()},
          {"layers", Json::array({descriptor(media_type::kLayerZstd)})}};
}

std::string refusal(const Json& json) {
  try {
    Manifest::decode(json.dump(), "the manifest");
  } catch (const Error& error) {
    CHECK(error.exit() == Exit::registry_content);
    return cat(error.message(), error.causes().empty() ? "" : ": " + error.causes()[0]);
  }
  return "none";
}

}  // namespace

TEST_CASE("a manifest comes back as it was") {
  Manifest before = Manifest::decode(manifest().dump(), "m");
  before.annotations["a"] = "ü";
  before.layers[0].annotations["b"] = "c";
  before.layers[0].platform = Platform{.architecture = "arm", .variant = "v7"};
  before.config.artifact_type = "x/y";
  const Manifest after = Manifest::decode(before.encode(), "m");
  CHECK(after.encode() == before.encode());
  CHECK(after.layers == before.layers);
  CHECK(after.config == before.config);
  CHECK(after.annotations == before.annotations);
}

TEST_CASE("an index comes back as it was, and neither is taken for the other") {
  Index before{.media_type = std::string(media_type::kIndex), .manifests = {}, .annotations = {{"k", "v"}}};
  before.manifests.push_back({.media_type = std::string(media_type::kManifest),
                              .digest = *Digest::parse(kDigest),
                              .size = 7,
                              .platform = Platform{.architecture = "amd64", .variant = ""}});
  const Index after = Index::decode(before.encode(), "i");
  CHECK(after.manifests == before.manifests);
  CHECK(after.annotations == before.annotations);
  CHECK_THROWS_AS(Manifest::decode(before.encode(), "m"), Error);
  CHECK_THROWS_AS(Index::decode(manifest().dump(), "i"), Error);
}

TEST_CASE("a document that could be read two ways is refused") {
  Json both = manifest();
  both["manifests"] = Json::array();
  CHECK(refusal(both) == "cannot use the manifest: it also has `manifests`");
  Json other = manifest();
  other["mediaType"] = media_type::kIndex;
  CHECK(refusal(other) == "cannot use the manifest: its media type is `application/vnd.oci.image.index.v1+json`");
  Json old = manifest();
  old["schemaVersion"] = 1;
  CHECK(refusal(old) == "cannot use the manifest: its schemaVersion is not 2");
  CHECK_THROWS_AS(Manifest::decode(R"({"schemaVersion":2,"schemaVersion":2})", "m"), Error);
}

TEST_CASE("hostile descriptors are refused") {
  const auto with = [](const char* key, const Json& value) {
    Json json = manifest();
    json["config"][key] = value;
    return refusal(json);
  };
  CHECK(with("digest", "sha256:../../etc/passwd") ==
        "cannot use the manifest: `sha256:../../etc/passwd` is not a SHA-256 digest");
  CHECK(with("digest", cat("sha512:", std::string(128, 'a'))).find("is not a SHA-256 digest") != std::string::npos);
  CHECK(with("digest", 7) == "`digest` in the manifest must be another type");
  CHECK(with("size", -1).find("must be a number from 0") != std::string::npos);
  CHECK(with("size", 1.5).find("must be a number from 0") != std::string::npos);
  CHECK(with("size", "5").find("must be a number from 0") != std::string::npos);
  CHECK(with("size", 18446744073709551615ULL).find("must be a number from 0") != std::string::npos);
  CHECK(with("annotations", Json::array()) != "none");
  CHECK(with("platform", "linux") != "none");
  CHECK(with("urls", Json::array({"http://169.254.169.254/"})) == "none");  // never followed
}

TEST_CASE("sizes and counts are capped") {
  Json many = manifest();
  many["layers"] = Json::array();
  for (int i = 0; i < 1001; ++i) many["layers"].push_back(descriptor());
  CHECK(refusal(many) == "cannot use the manifest: `layers` has more than 1000 entries");
  CHECK_THROWS_AS(Manifest::decode(std::string((4 << 20) + 1, ' '), "m"), Error);
  CHECK_THROWS_AS(Manifest::decode(std::string(100'000, '['), "m"), Error);
  for (const std::string_view text :
       {"", "null", "[]", "7", "\"x\"", "{}", "{\"schemaVersion\":2}", "{\"a\":\"\xff\"}"}) {
    CHECK_THROWS_AS(Manifest::decode(text, "m"), Error);
    CHECK_THROWS_AS(Index::decode(text, "i"), Error);
  }
}

TEST_CASE("a configuration comes back as it was") {
  const Config before{.platform = {.architecture = "arm64", .variant = ""},
                      .created = "2026-11-22T00:00:00Z",
                      .entrypoint = {"/bin/app", "--x"},
                      .command = {"y"},
                      .env = {"A=1", "B="},
                      .user = "65532:65532",
                      .working_directory = "/srv",
                      .stop_signal = "SIGINT",
                      .exposed_ports = {"53/udp", "8080/tcp"},
                      .volumes = {"/data"},
                      .labels = {{"k", "v"}},
                      .diff_ids = {{*Digest::parse(kDigest)}},
                      .history = {{.created_by = "whittle: base", .comment = "c"}}};
  const Config after = Config::decode(before.encode(), "c");
  CHECK(after.encode() == before.encode());
  CHECK(after.entrypoint == before.entrypoint);
  CHECK(after.exposed_ports == before.exposed_ports);
  CHECK(after.volumes == before.volumes);
  CHECK(after.labels == before.labels);
  CHECK(after.diff_ids == before.diff_ids);
  CHECK(after.history[0].created_by == "whittle: base");
  CHECK(after.platform == before.platform);
  CHECK(before.encode().find("\"Entrypoint\":[\"/bin/app\",\"--x\"]") != std::string::npos);
}

TEST_CASE("a configuration as Docker writes it, with nulls, is read") {
  const std::string text =
      cat(R"({"architecture":"amd64","os":"linux","config":{"Entrypoint":null,"Cmd":["sh"],"Env":null,"Labels":null},)",
          R"("rootfs":{"type":"layers","diff_ids":[")", kDigest,
          R"("]},"history":[{"created":"x","empty_layer":true}],"extra":1})");
  const Config config = Config::decode(text, "c");
  CHECK(config.command == std::vector<std::string>{"sh"});
  CHECK(config.entrypoint.empty());
  CHECK(config.history[0].empty_layer);
  CHECK_THROWS_AS(Config::decode(R"({"rootfs":{"diff_ids":["sha256:zz"]}})", "c"), Error);
  CHECK_THROWS_AS(Config::decode(R"({"rootfs":[]})", "c"), Error);
}

TEST_CASE("times are written as RFC 3339 has them") {
  CHECK(rfc3339(0) == "1970-01-01T00:00:00Z");
  CHECK(rfc3339(1'795'305'600) == "2026-11-22T00:00:00Z");
  CHECK(rfc3339(951'782'399) == "2000-02-28T23:59:59Z");
  CHECK(rfc3339(-1) == "1969-12-31T23:59:59Z");
  CHECK(rfc3339(253'402'300'799) == "9999-12-31T23:59:59Z");
  CHECK_THROWS_WITH_AS(rfc3339(253'402'300'800), "the time 253402300800 is outside the years 0 to 9999", Error);
}
