#include "registry/auth.hpp"

#include <doctest/doctest.h>

#include <thread>

#include "base/error.hpp"
#include "base/text.hpp"
#include "tests/support/scripted_transport.hpp"

using namespace whittle;
using namespace whittle::registry;
using whittle::testing::FakeClock;
using whittle::testing::ScriptedTransport;

namespace {

const Url kRegistry = *Url::parse("https://r.example/v2/");
const std::vector<std::string> kScopes = {"repository:a:pull,push"};

HttpResponse challenge(const std::string& more = "") {
  return {.status = 401,
          .headers = {{"www-authenticate", cat(R"(Bearer realm="https://r.example/token",service="s")", more)}},
          .peer = "93.184.216.34"};
}

struct Rig {
  explicit Rig(std::optional<Credentials> given) : credentials(std::move(given)) {}
  std::optional<Credentials> credentials;
  int lookups = 0;
  ScriptedTransport transport;
  FakeClock clock;
  RecordingEvents events;
  Retrying retrying{.policy = {}, .clock = clock, .events = events, .stop = {}};
  Authenticator authenticator{"r.example",
                              [this] {
                                ++lookups;
                                return credentials;
                              },
                              transport, retrying};
};

Credentials identity() {
  return {.user = {}, .password = {}, .identity_token = "id&1", .registry_token = {}, .source = "`test`"};
}

}  // namespace

TEST_CASE("an identity token is exchanged by POST") {
  Rig rig(identity());
  rig.transport.then(HttpResponse{.status = 200, .body = R"({"access_token":"t"})"});
  CHECK(rig.authenticator.renew(kRegistry, challenge(), kScopes, std::nullopt));
  CHECK(rig.transport.sent[0].method == "POST");
  CHECK(rig.transport.sent[0].url == "https://r.example/token");
  CHECK(rig.transport.bodies[0] ==
        "grant_type=refresh_token&service=s&client_id=whittle&scope=repository%3Aa%3Apull%2Cpush&refresh_token=id%261");
  CHECK(rig.authenticator.authorization(kScopes) == "Bearer t");
}

TEST_CASE("a token server without OAuth 2 gets the identity token as a password") {
  Rig rig(identity());
  rig.transport.then(HttpResponse{.status = 404});
  rig.transport.then(HttpResponse{.status = 200, .body = R"({"token":"t"})"});
  CHECK(rig.authenticator.renew(kRegistry, challenge(), kScopes, std::nullopt));
  CHECK(rig.transport.sent[1].method == "GET");
  CHECK(rig.authenticator.authorization(kScopes) == "Bearer t");
}

TEST_CASE("a scope that the second challenge names goes first") {
  Rig rig(std::nullopt);
  rig.transport.then(HttpResponse{.status = 200, .body = R"({"token":"t1"})"});
  rig.transport.then(HttpResponse{.status = 200, .body = R"({"token":"t2"})"});
  CHECK(rig.authenticator.renew(kRegistry, challenge(), kScopes, std::nullopt));
  CHECK(rig.authenticator.renew(kRegistry, challenge(R"(,scope="repository:b:pull")"), kScopes, "Bearer t1"));
  CHECK(rig.transport.sent[1].url ==
        "https://r.example/token?service=s&scope=repository%3Ab%3Apull&scope=repository%3Aa%3Apull%2Cpush");
}

TEST_CASE("threads that were refused with the same token share one renewal") {
  Rig rig(std::nullopt);
  rig.transport.then(HttpResponse{.status = 200, .body = R"({"token":"t1"})"});
  rig.transport.then(HttpResponse{.status = 200, .body = R"({"token":"t2"})"});
  REQUIRE(rig.authenticator.renew(kRegistry, challenge(), kScopes, std::nullopt));
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { rig.authenticator.renew(kRegistry, challenge(), kScopes, "Bearer t1"); });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(rig.transport.sent.size() == 2);
  CHECK(rig.authenticator.authorization(kScopes) == "Bearer t2");
  CHECK(rig.lookups == 1);
}

TEST_CASE("a token without a lifetime lives for a minute, and none is shorter") {
  for (const char* body :
       {R"({"token":"t"})", R"({"token":"t","expires_in":1})", R"({"token":"t","expires_in":-9e99})"}) {
    Rig rig(std::nullopt);
    rig.transport.then(HttpResponse{.status = 200, .body = body});
    rig.transport.then(HttpResponse{.status = 200, .body = R"({"token":"next"})"});
    REQUIRE(rig.authenticator.renew(kRegistry, challenge(), kScopes, std::nullopt));
    rig.clock.advance(std::chrono::seconds(49));
    CHECK(rig.authenticator.authorization(kScopes) == "Bearer t");
    rig.clock.advance(std::chrono::seconds(2));
    CHECK(rig.authenticator.authorization(kScopes) == "Bearer next");
  }
}

TEST_CASE("a token server that stumbles is asked again") {
  Rig rig(std::nullopt);
  rig.transport.then(3, HttpResponse{.status = 503});
  rig.transport.then(HttpResponse{.status = 200, .body = R"({"token":"t"})"});
  CHECK(rig.authenticator.renew(kRegistry, challenge(), kScopes, std::nullopt));
  CHECK(rig.clock.slept.size() == 3);
}

TEST_CASE("an endless token answer is refused") {
  Rig rig(std::nullopt);
  rig.transport.then(HttpResponse{.status = 200, .body = cat(R"({"token":")", std::string(200'000, 'a'), "\"}")});
  CHECK_THROWS_AS(rig.authenticator.renew(kRegistry, challenge(), kScopes, std::nullopt), Error);
}
