// The laboratory's own promises, where the client does not show them anyway.
#include <doctest/doctest.h>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "registry/http.hpp"
#include "tests/lab/registry.hpp"

using namespace whittle;
using namespace whittle::registry;
using whittle::testing::FakeRegistry;
using whittle::testing::Fault;
using whittle::testing::personality;

namespace {

struct Rig {
  std::unique_ptr<HttpTransport> transport = curl_transport();

  Outcome outcome(const HttpRequest& request) { return transport->send(request, nullptr, {}); }
  HttpResponse ask(const std::string& method, const std::string& url, Headers headers = {}, std::string body = {}) {
    Outcome got = outcome({.method = method, .url = url, .headers = std::move(headers), .body = std::move(body)});
    REQUIRE(std::holds_alternative<HttpResponse>(got));
    return std::get<HttpResponse>(std::move(got));
  }
  std::string open(const FakeRegistry& registry) {
    return ask("POST", registry.url() + "/v2/app/blobs/uploads/").header("location").value();
  }
};

const std::string kHello = "hello, world";
const std::string kDigest = digest_of(kHello).str();

}  // namespace

TEST_CASE("chunks are taken in their order, and the latest location alone goes on") {
  FakeRegistry registry;
  Rig rig;
  const std::string first = rig.open(registry);
  const HttpResponse one = rig.ask("PATCH", first, {{"Content-Range", "0-4"}}, kHello.substr(0, 5));
  CHECK(one.status == 202);
  CHECK(one.header("range") == "0-4");
  CHECK(rig.ask("PATCH", first, {{"Content-Range", "5-11"}}, kHello.substr(5)).status == 400);
  const std::string second = one.header("location").value();
  CHECK(rig.ask("PATCH", second, {{"Content-Range", "6-11"}}, kHello.substr(6)).status == 416);
  CHECK(rig.ask("GET", second).header("range") == "0-4");
  const HttpResponse done =
      rig.ask("PUT", cat(second, "&digest=", kDigest), {{"Content-Range", "5-11"}}, kHello.substr(5));
  CHECK(done.status == 201);
  CHECK(registry.has_blob("app", kDigest));
}

TEST_CASE("a cancelled upload is gone") {
  FakeRegistry registry;
  Rig rig;
  const std::string location = rig.open(registry);
  CHECK(registry.open_uploads() == 1);
  CHECK(rig.ask("DELETE", location).status == 204);
  CHECK(rig.ask("GET", location).status == 404);
  CHECK(registry.open_uploads() == 0);
}

TEST_CASE("ranges of a blob are served, and those beyond it refused") {
  FakeRegistry registry;
  registry.put_blob("app", kDigest, kHello);
  Rig rig;
  const std::string url = cat(registry.url(), "/v2/app/blobs/", kDigest);
  const HttpResponse part = rig.ask("GET", url, {{"Range", "bytes=7-"}});
  CHECK(part.status == 206);
  CHECK(part.body == "world");
  CHECK(part.header("content-range") == "bytes 7-11/12");
  CHECK(rig.ask("GET", url, {{"Range", "bytes=12-"}}).status == 416);
  CHECK(rig.ask("GET", url, {{"Range", "bytes=7-"}, {"If-Range", "\"other\""}}).status == 200);
}

TEST_CASE("tags come in pages, each naming the next") {
  FakeRegistry registry;
  for (const char* tag : {"1", "2", "3"}) registry.put_manifest("app", tag, kDigest, "text/plain", kHello);
  Rig rig;
  const HttpResponse first = rig.ask("GET", registry.url() + "/v2/app/tags/list?n=2");
  CHECK(Json::parse(first.body)["tags"] == Json{"1", "2"});
  CHECK(first.header("link") == "</v2/app/tags/list?n=2&last=2>; rel=\"next\"");
  const HttpResponse second = rig.ask("GET", registry.url() + "/v2/app/tags/list?n=2&last=2");
  CHECK(Json::parse(second.body)["tags"] == Json{"3"});
  CHECK_FALSE(second.header("link"));
}

TEST_CASE("referrers are found by their subject, and by their type") {
  FakeRegistry registry;
  Rig rig;
  const std::string type = "application/vnd.oci.image.manifest.v1+json";
  registry.put_blob("app", digest_of("{}").str(), "{}");
  const std::string manifest =
      canonical_json(Json{{"schemaVersion", 2},
                          {"mediaType", type},
                          {"artifactType", "text/x-note"},
                          {"config", {{"mediaType", "x/y"}, {"digest", digest_of("{}").str()}, {"size", 2}}},
                          {"layers", Json::array()},
                          {"subject", {{"mediaType", type}, {"digest", kDigest}, {"size", 12}}}});
  const HttpResponse put =
      rig.ask("PUT", registry.url() + "/v2/app/manifests/note", {{"Content-Type", type}}, manifest);
  CHECK(put.status == 201);
  CHECK(put.header("oci-subject") == kDigest);
  const std::string url = cat(registry.url(), "/v2/app/referrers/", kDigest);
  CHECK(Json::parse(rig.ask("GET", url).body)["manifests"][0]["artifactType"] == "text/x-note");
  const HttpResponse none = rig.ask("GET", url + "?artifactType=other");
  CHECK(Json::parse(none.body)["manifests"].empty());
  CHECK(none.header("oci-filters-applied") == "artifactType");
}

TEST_CASE("a token is good for so many requests as was said") {
  FakeRegistry registry({.auth = FakeRegistry::Auth::token, .token_uses = 2});
  registry.put_blob("app", kDigest, kHello);
  Rig rig;
  const std::string url = cat(registry.url(), "/v2/app/blobs/", kDigest);
  CHECK(rig.ask("GET", url).status == 401);
  const HttpResponse granted = rig.ask("GET", registry.url() + "/token?service=fake&scope=repository%3Aapp%3Apull",
                                       {{"Authorization", "Basic Y2ktYm90OmNvcnJlY3QgaG9yc2UvYmF0dGVyeTpzdGFwbGU="}});
  const std::string bearer = "Bearer " + Json::parse(granted.body)["token"].get<std::string>();
  for (const int status : {200, 200, 401}) CHECK(rig.ask("GET", url, {{"Authorization", bearer}}).status == status);
  CHECK(registry.requests().back().has_credentials());
}

TEST_CASE("a rule for faults is read back, and others are refused") {
  const auto fault = Fault::parse("reset@1000 GET /blobs/*abc 5 2");
  REQUIRE(fault);
  CHECK(fault->kind == Fault::Kind::reset);
  CHECK(fault->at == 1000);
  CHECK(fault->times == 5);
  CHECK(fault->skip == 2);
  const auto status = Fault::parse("429+2 PUT|PATCH /uploads/");
  REQUIRE(status);
  CHECK(status->status == 429);
  CHECK(status->headers.find("Retry-After")->second == "2");
  for (const char* wrong : {"", "reset GET", "reset@x GET /", "explode GET /", "reset GET / many"}) {
    CAPTURE(wrong);
    CHECK_FALSE(Fault::parse(wrong));
  }
}

TEST_CASE("every fault strikes its occurrence alone, as it is named") {
  using Kind = Fault::Kind;
  for (const Kind kind : {Kind::hang_up, Kind::lose_answer, Kind::reset, Kind::truncate, Kind::lengthen}) {
    CAPTURE(whittle::testing::name_of(kind));
    FakeRegistry registry;
    registry.put_blob("app", kDigest, kHello);
    registry.inject({.method = "GET", .part = "/blobs/", .kind = kind, .at = 5, .skip = 1});
    Rig rig, fresh;
    const std::string url = cat(registry.url(), "/v2/app/blobs/", kDigest);
    CHECK(rig.ask("GET", url).body == kHello);
    // On a connection that has been used, libcurl itself tries once more.
    const Outcome struck = fresh.outcome({.url = url});
    REQUIRE(std::holds_alternative<TransportFailure>(struck));
    CHECK(std::get<TransportFailure>(struck).kind == TransportFailure::Kind::broken);
    CHECK(rig.ask("GET", url).body == kHello);
    CHECK(registry.faults_struck() == 1);
    CHECK(registry.requests()[1].fault == whittle::testing::name_of(kind));
  }
}

TEST_CASE("a corrupt answer differs in one byte, and a dripping one in none") {
  FakeRegistry registry;
  registry.put_blob("app", kDigest, kHello);
  registry.inject({.method = "GET", .part = "/blobs/", .kind = Fault::Kind::corrupt, .at = 3});
  registry.inject({.method = "GET", .part = "/blobs/", .kind = Fault::Kind::drip});
  Rig rig;
  const std::string url = cat(registry.url(), "/v2/app/blobs/", kDigest);
  const std::string corrupt = rig.ask("GET", url).body;
  CHECK(corrupt.size() == kHello.size());
  CHECK(corrupt != kHello);
  CHECK(corrupt.substr(4) == kHello.substr(4));
  CHECK(rig.ask("GET", url).body == kHello);
}

TEST_CASE("a handshake that breaks off is a broken transfer, and the next one is trusted") {
  FakeRegistry registry({.tls = true});
  registry.inject({.kind = Fault::Kind::abort_tls});
  const TemporaryFolder folder(fs::temp_directory_path());
  write_file(folder.path() / "ca.pem", registry.certificate_pem());
  const auto transport = curl_transport(folder.path() / "ca.pem");
  const Outcome broken = transport->send({.url = registry.url() + "/v2/"}, nullptr, {});
  REQUIRE(std::holds_alternative<TransportFailure>(broken));
  CHECK(std::get<TransportFailure>(broken).kind == TransportFailure::Kind::broken);
  const Outcome good = transport->send({.url = registry.url() + "/v2/"}, nullptr, {});
  REQUIRE(std::holds_alternative<HttpResponse>(good));
  CHECK(std::get<HttpResponse>(good).status == 200);
}

TEST_CASE("personalities differ from the core as they are described") {
  Rig rig;
  FakeRegistry ghcr({.personality = personality("ghcr")});
  CHECK(rig.ask("PATCH", rig.open(ghcr), {}, std::string((4 << 20) + 1, 'x')).status == 416);
  FakeRegistry proxy({.personality = personality("proxy")});
  CHECK(rig.ask("PUT", cat(rig.open(proxy), "&digest=", kDigest), {}, std::string(2 << 20, 'x')).status == 413);
  FakeRegistry gitea({.personality = personality("gitea")});
  const HttpResponse chunk = rig.ask("PATCH", rig.open(gitea), {}, "a");
  CHECK(rig.ask("PATCH", chunk.header("location").value(), {}, "b").status == 400);
  FakeRegistry quay({.personality = personality("quay")});
  CHECK(rig.ask("POST", cat(quay.url(), "/v2/app/blobs/uploads/?mount=", kDigest)).status == 400);
  FakeRegistry ecr({.personality = personality("ecr")});
  ecr.put_manifest("app", "1", kDigest, "text/plain", kHello);
  CHECK(rig.ask("GET", ecr.url() + "/v2/app/tags/list?n=1001").status == 400);
  FakeRegistry distribution({.personality = personality("distribution2")});
  const HttpResponse again = rig.ask("PATCH", rig.open(distribution), {{"Content-Range", "0-4"}}, "hello");
  CHECK(rig.ask("PATCH", again.header("location").value(), {{"Content-Range", "0-4"}}, "hello").header("range") ==
        "0-9");
}
