#include "registry/repository.hpp"

#include <doctest/doctest.h>

#include <thread>

#include "base/error.hpp"
#include "registry/courtesy.hpp"
#include "registry/link.hpp"
#include "registry/referrers.hpp"
#include "tests/registry/push_rig.hpp"

using namespace whittle;
using namespace whittle::registry;
using whittle::testing::FakeRegistry;
using whittle::testing::make_image;
using whittle::testing::many;
using whittle::testing::Personality;
using whittle::testing::PushRig;
using whittle::testing::ScriptedTransport;
using whittle::testing::TestImage;

namespace {

Client client_of(PushRig& rig) {
  return {*rig.transport, rig.options(), rig.events, {}};
}

oci::Descriptor attached(PushRig& rig, const FakeRegistry& registry, const oci::Descriptor& subject,
                         const std::string& content, const Client& client) {
  const oci::Descriptor referrer = make_referrer(
      subject, {.artifact_type = "application/x", .content = content, .annotations = {{"note", content}}}, rig.store);
  rig.push(referrer, cat(registry.host(), "/app@", referrer.digest.str()));
  Referrers(oci::Reference::parse(registry.host() + "/app"), true, client).add(subject.digest, referrer);
  return referrer;
}

}  // namespace

TEST_CASE("the next page is the link that says so") {
  CHECK(next_link({"</v2/a/tags/list?last=b&n=2>; rel=\"next\""}) == "/v2/a/tags/list?last=b&n=2");
  CHECK(next_link({"</x>; rel=\"prev\", </y>; rel=next"}) == "/y");
  CHECK(next_link({"</x>; rel=\"prev\"", "</z>;REL=\"next\""}) == "/z");
  CHECK(next_link({"<unfinished; rel=next", "", "<>"}).empty());
}

TEST_CASE("a list of tags goes over pages, and leaves out what is none") {
  PushRig rig;
  ScriptedTransport transport;
  transport.then(HttpResponse{.status = 200,
                              .headers = {{"link", "</v2/app/tags/list?last=1>; rel=\"next\""}},
                              .body = R"({"name":"app","tags":["1",null,"sha256:abc",7,"1"]})"});
  transport.then(HttpResponse{.status = 200, .body = R"({"tags":["2"]})"});
  transport.then(HttpResponse{.status = 200, .body = R"({"tags":null})"});
  Repository repository(oci::Reference::parse("r.example/app"), Repository::For::reading,
                        {transport, rig.options(), rig.events, {}});
  CHECK(repository.tags() == std::vector<std::string>{"1", "2"});
  CHECK(transport.sent[1].url == "https://r.example/v2/app/tags/list?last=1");
  CHECK(repository.tags().empty());
}

TEST_CASE("GHSA-h7vf-4x9w-h99v: a page at another address, or without end, is refused") {
  PushRig rig;
  for (const char* link : {"<https://evil.example/v2/app/tags/list>; rel=next", "<//evil.example/>; rel=next",
                           "<http://r.example/v2/>; rel=next", "<https://r.example:444/v2/>; rel=next"}) {
    ScriptedTransport transport;
    transport.then(HttpResponse{.status = 200, .headers = {{"link", link}}, .body = R"({"tags":[]})"});
    Repository repository(oci::Reference::parse("r.example/app"), Repository::For::reading,
                          {transport, rig.options(), rig.events, {}});
    CHECK_THROWS_AS(repository.tags(), Error);
    CHECK(transport.sent.size() == 1);
  }
  ScriptedTransport endless;
  endless.then(
      9, HttpResponse{.status = 200, .headers = {{"link", "</v2/app/tags/list?n=1000>; rel=next"}}, .body = "{}"});
  Repository repository(oci::Reference::parse("r.example/app"), Repository::For::reading,
                        {endless, rig.options(), rig.events, {}});
  CHECK_THROWS_AS(repository.tags(), Error);
  CHECK(endless.sent.size() <= 2);
}

TEST_CASE("referrers are listed by the registry, or by an index that we keep up") {
  for (const bool has_list : {true, false}) {
    CAPTURE(has_list);
    Personality personality;
    personality.has_referrers = has_list;
    FakeRegistry registry({.personality = personality});
    PushRig rig;
    const TestImage image = make_image(rig.store, many(1));
    rig.push(image.manifest, registry.host() + "/app:1");
    const Client client = client_of(rig);
    const oci::Descriptor one = attached(rig, registry, image.manifest, "one", client);
    const oci::Descriptor two = attached(rig, registry, image.manifest, "two", client);
    Referrers referrers(oci::Reference::parse(registry.host() + "/app"), true, client);
    const auto found = referrers.list(image.manifest.digest);
    REQUIRE(found.size() == 2);
    CHECK(found[0].artifact_type == "application/x");
    CHECK(found[0].annotations.count("note") == 1);
    CHECK(referrers.list(image.manifest.digest, "application/y").empty());
    CHECK(referrers.remove(image.manifest.digest, one.digest));
    const auto left = referrers.list(image.manifest.digest);
    REQUIRE(left.size() == 1);
    CHECK(left[0].digest == two.digest);
  }
}

TEST_CASE("several who attach at once lose nothing of each other's") {
  Personality personality;
  personality.has_referrers = false;
  FakeRegistry registry({.personality = personality});
  PushRig rig;
  const TestImage image = make_image(rig.store, many(1));
  rig.push(image.manifest, registry.host() + "/app:1");
  const Client client = client_of(rig);
  std::vector<oci::Descriptor> all;
  for (int i = 0; i < 4; ++i) {
    all.push_back(
        make_referrer(image.manifest, {.artifact_type = "application/x", .content = std::to_string(i)}, rig.store));
    rig.push(all.back(), cat(registry.host(), "/app@", all.back().digest.str()));
  }
  {
    std::vector<std::jthread> threads;
    for (const oci::Descriptor& one : all) {
      threads.emplace_back([&] {
        Referrers(oci::Reference::parse(registry.host() + "/app"), true, client).add(image.manifest.digest, one);
      });
    }
  }
  CHECK(Referrers(oci::Reference::parse(registry.host() + "/app"), false, client).list(image.manifest.digest).size() ==
        4);
}

TEST_CASE("an index that claims referrers which deny it is not believed") {
  Personality personality;
  personality.has_referrers = false;
  FakeRegistry registry({.personality = personality});
  PushRig rig;
  const TestImage image = make_image(rig.store, many(1)), other = make_image(rig.store, {"x"});
  rig.push(image.manifest, registry.host() + "/app:1");
  rig.push(other.manifest, registry.host() + "/app:2");
  const Client client = client_of(rig);
  Referrers referrers(oci::Reference::parse(registry.host() + "/app"), true, client);
  referrers.add(image.manifest.digest, other.manifest);
  CHECK(referrers.list(image.manifest.digest).empty());
}

TEST_CASE("an overloaded registry is asked less at a time, and more again later") {
  struct Counting : HttpTransport {
    std::atomic<int> inside = 0, most = 0, left = 0;
    std::atomic<int> status = 200;
    Outcome send(const HttpRequest&, const BodySink&, std::stop_token) override {
      const int now = ++inside;
      for (int known = most; now > known && !most.compare_exchange_weak(known, now);) {
      }
      std::this_thread::yield();
      --inside;
      return HttpResponse{.status = status};
    }
  } inner;
  const auto transport = courteous(inner, 6);
  const auto burst = [&] {
    inner.most = 0;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 24; ++i) {
      threads.emplace_back([&] { transport->send({.url = "https://r.example/"}, {}, {}); });
    }
    threads.clear();
    return inner.most.load();
  };
  CHECK(burst() <= 6);
  inner.status = 429;
  for (int i = 0; i < 5; ++i) burst();
  CHECK(burst() == 1);
  inner.status = 200;
  for (int i = 0; i < 5; ++i) burst();
  CHECK(burst() <= 6);
}

TEST_CASE("who waits for a turn stops when asked to") {
  struct Stuck : HttpTransport {
    std::stop_source* stop = nullptr;
    HttpTransport* outer = nullptr;
    Outcome second = HttpResponse{};
    Outcome send(const HttpRequest& request, const BodySink&, std::stop_token) override {
      stop->request_stop();
      second = outer->send(request, {}, stop->get_token());
      return HttpResponse{.status = 200};
    }
  } inner;
  std::stop_source stop;
  const auto transport = courteous(inner, 1);
  inner.stop = &stop;
  inner.outer = transport.get();
  transport->send({.url = "https://r.example/"}, {}, {});
  CHECK(std::get<TransportFailure>(inner.second).kind == TransportFailure::Kind::cancelled);
}
