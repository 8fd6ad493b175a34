#include "registry/session.hpp"

#include <doctest/doctest.h>

#include "base/text.hpp"
#include "tests/registry/test_images.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/scripted_transport.hpp"

using namespace whittle;
using namespace whittle::registry;
using whittle::testing::FakeClock;
using whittle::testing::ScriptedTransport;

namespace {

constexpr const char* kAuths =
    R"({"auths":{"r.example":{"auth":"Y2ktYm90OnMzY3JldA=="},"localhost:5000":{"auth":"Y2ktYm90OnMzY3JldA=="}}})";

struct Rig {
  explicit Rig(const std::string& reference = "r.example/team/app:1", bool allow_http = false)
      : session(oci::Reference::parse(reference), Session::Access::push, transport,
                {.environment = {{"DOCKER_AUTH_CONFIG", kAuths}}, .allow_http = allow_http, .clock = &clock}, events,
                {}) {}
  ScriptedTransport transport;
  FakeClock clock;
  RecordingEvents events;
  Session session;

  Reply get() { return session.send({.doing = "test", .target = "/v2/team/app/manifests/1"}); }
  Error failed() {
    return test::error_of([&] { get(); });
  }
  std::string authorization(std::size_t request) const {
    for (const auto& [name, value] : transport.sent.at(request).headers) {
      if (name == "Authorization") return value;
    }
    return {};
  }
};

HttpResponse unauthorized(std::string challenge, std::string peer = "93.184.216.34") {
  return {.status = 401, .headers = {{"www-authenticate", std::move(challenge)}}, .peer = std::move(peer)};
}
HttpResponse redirect(std::string location, int status = 307) {
  return {.status = status, .headers = {{"location", std::move(location)}}, .peer = "93.184.216.34"};
}
HttpResponse token(std::string value, int life = 300) {
  return {.status = 200, .body = cat(R"({"token":")", value, R"(","expires_in":)", life, "}")};
}
constexpr const char* kBearer =
    R"(Bearer realm="https://auth.example/token",service="r.example",scope="repository:team/app:pull,push")";
constexpr const char* kBasic = R"(Basic realm="r")";
const HttpResponse kOk{.status = 200};

}  // namespace

TEST_CASE("basic credentials go to the registry after it asks, and at once afterwards") {
  Rig rig;
  rig.transport.then(unauthorized(kBasic));
  rig.transport.then(kOk);
  rig.transport.then(kOk);
  rig.get();
  rig.get();
  CHECK(rig.authorization(0).empty());
  CHECK(rig.authorization(1) == "Basic Y2ktYm90OnMzY3JldA==");
  CHECK(rig.authorization(2) == "Basic Y2ktYm90OnMzY3JldA==");
  CHECK(rig.transport.sent.size() == 3);
}

TEST_CASE("a token is fetched once and used until it is about to expire") {
  Rig rig;
  rig.transport.then(unauthorized(kBearer));
  rig.transport.then(token("t1", 100));
  rig.transport.then(kOk);
  rig.get();
  CHECK(rig.transport.sent[1].url ==
        "https://auth.example/token?service=r.example&scope=repository%3Ateam%2Fapp%3Apull%2Cpush");
  CHECK(rig.authorization(1) == "Basic Y2ktYm90OnMzY3JldA==");
  CHECK(rig.authorization(2) == "Bearer t1");
  rig.transport.then(kOk);
  rig.get();
  CHECK(rig.authorization(3) == "Bearer t1");
  rig.clock.advance(std::chrono::seconds(95));
  rig.transport.then(token("t2"));
  rig.transport.then(kOk);
  rig.get();
  CHECK(rig.authorization(5) == "Bearer t2");
}

TEST_CASE("a token that the registry no longer takes is renewed once, and the request repeated with its body") {
  Rig rig;
  rig.transport.then(unauthorized(kBearer));
  rig.transport.then(token("t1"));
  rig.transport.then(kOk);
  rig.get();
  rig.transport.then(unauthorized(kBearer));
  rig.transport.then(token("t2"));
  rig.transport.then(HttpResponse{.status = 201});
  rig.session.send({.doing = "test",
                    .method = "PUT",
                    .target = "/v2/team/app/blobs/uploads/1",
                    .content = [] { return std::make_unique<StringSource>("content"); },
                    .content_size = 7});
  CHECK(rig.authorization(5) == "Bearer t2");
  CHECK(rig.transport.bodies[3] == "content");
  CHECK(rig.transport.bodies[5] == "content");
  CHECK(rig.transport.is_used_up());
}

TEST_CASE("refused credentials are not sent again and again") {
  Rig rig;
  rig.transport.then(2, unauthorized(kBasic));
  const Error error = rig.failed();
  CHECK(error.exit() == Exit::registry_credentials);
  CHECK(error.message() == "`r.example` refused the test");
  CHECK(error.where() == "GET https://r.example/v2/team/app/manifests/1");
  CHECK(error.causes() == std::vector<std::string>{"401 unauthorized"});
  CHECK(error.hints() ==
        std::vector<std::string>{
            "credentials for `ci-bot` came from `DOCKER_AUTH_CONFIG`; check that they are still valid and allow this"});
  CHECK(rig.transport.sent.size() == 2);
}

TEST_CASE("a registry that takes no token is asked for one twice at most") {
  Rig rig;
  rig.transport.then(unauthorized(kBearer));
  rig.transport.then(token("t1"));
  rig.transport.then(unauthorized(kBearer));
  rig.transport.then(token("t2"));
  rig.transport.then(unauthorized(kBearer));
  CHECK(rig.failed().exit() == Exit::registry_credentials);
  CHECK(rig.transport.is_used_up());
}

TEST_CASE("a token server's refusal says where the credentials came from") {
  Rig rig;
  rig.transport.then(unauthorized(kBearer));
  rig.transport.then(HttpResponse{.status = 401, .body = R"({"details":"incorrect username or password"})"});
  const Error error = rig.failed();
  CHECK(error.exit() == Exit::registry_credentials);
  CHECK(error.message() == "`r.example` refused the request for a token");
  CHECK(error.where() == "GET https://auth.example/token?service=…&scope=…");
  CHECK(error.causes() == std::vector<std::string>{"401 incorrect username or password"});
}

TEST_CASE("without credentials the error says how to log in") {
  Rig rig("unknown.example/team/app:1");
  rig.transport.then(unauthorized(kBasic));
  CHECK(rig.failed().hints() ==
        std::vector<std::string>{"no credentials for `unknown.example` were found; log in with `whittle login "
                                 "unknown.example`"});
}

TEST_CASE("a refusal without a question says that nothing was sent") {
  Rig rig;
  rig.transport.then(HttpResponse{.status = 403});
  CHECK(rig.failed().hints() == std::vector<std::string>{"`r.example` did not ask for credentials, so none were sent"});
}

TEST_CASE("a realm gets the credentials of the registry that named it, and no others") {
  Rig rig("evil.example/team/app:1");
  rig.transport.then(unauthorized(R"(Bearer realm="https://r.example/token",service="r.example")"));
  rig.transport.then(token("anonymous"));
  rig.transport.then(kOk);
  rig.get();
  CHECK(rig.transport.sent[1].url.starts_with("https://r.example/token?"));
  CHECK(rig.authorization(1).empty());
}

TEST_CASE("credentials are not sent to a realm that is unencrypted, here, or no address at all") {
  for (const char* realm :
       {"http://auth.example/token", "http://r.example/token", "http://127.0.0.1/token", "https://localhost/token",
        "https://[::1]/token", "file:///etc/passwd", "/token", "https://a:b@auth.example/"}) {
    CAPTURE(realm);
    Rig rig;
    rig.transport.then(unauthorized(cat("Bearer realm=\"", realm, "\"")));
    CHECK(rig.failed().exit() == Exit::registry_credentials);
    CHECK(rig.transport.sent.size() == 1);
  }
}

TEST_CASE("a realm may lie no further inside the network than its registry") {
  const auto reach = [](std::string peer) {
    Rig rig;
    rig.transport.then(unauthorized(kBearer, std::move(peer)));
    rig.transport.then(token("t"));
    rig.transport.then(kOk);
    rig.get();
    return rig.transport.sent[1].reach;
  };
  CHECK(reach("93.184.216.34") == Reach::public_only);
  CHECK(reach("10.1.2.3") == Reach::private_or_public);
  CHECK(reach("") == Reach::anywhere);
}

TEST_CASE("a token that could forge headers is refused") {
  Rig rig;
  rig.transport.then(unauthorized(kBearer));
  rig.transport.then(HttpResponse{.status = 200, .body = "{\"token\":\"a\\r\\nX-Evil: 1\"}"});
  const Error error = rig.failed();
  CHECK(error.exit() == Exit::registry_content);
  CHECK(error.causes() == std::vector<std::string>{"it has no well-formed token"});
}

TEST_CASE("a redirect to another origin is followed without credentials") {
  Rig rig;
  rig.transport.then(unauthorized(kBasic));
  rig.transport.then(redirect("https://storage.example/blob?X-Signature=secret"));
  rig.transport.then(kOk);
  rig.get();
  CHECK(rig.authorization(1) == "Basic Y2ktYm90OnMzY3JldA==");
  CHECK(rig.transport.sent[2].url == "https://storage.example/blob?X-Signature=secret");
  CHECK(rig.authorization(2).empty());
  CHECK(rig.transport.sent[2].reach == Reach::public_only);
}

TEST_CASE("another port is another origin") {
  Rig rig;
  rig.transport.then(unauthorized(kBasic));
  rig.transport.then(redirect("https://r.example:8443/blob"));
  rig.transport.then(kOk);
  rig.get();
  CHECK(rig.authorization(2).empty());
}

TEST_CASE("a challenge from a foreign origin is not answered") {
  Rig rig;
  rig.transport.then(redirect("https://storage.example/blob"));
  rig.transport.then(unauthorized(kBasic));
  CHECK(rig.failed().exit() == Exit::registry_credentials);
  CHECK(rig.transport.sent.size() == 2);
}

TEST_CASE("credentials return with a redirect that leads home") {
  Rig rig;
  rig.transport.then(unauthorized(kBasic));
  rig.transport.then(redirect("/v2/team/app/manifests/2", 302));
  rig.transport.then(kOk);
  rig.get();
  CHECK(rig.transport.sent[2].url == "https://r.example/v2/team/app/manifests/2");
  CHECK(rig.authorization(2) == "Basic Y2ktYm90OnMzY3JldA==");
}

TEST_CASE("a redirect from https to http is not followed") {
  Rig rig;
  rig.transport.then(redirect("http://storage.example/blob?sig=secret"));
  const Error error = rig.failed();
  CHECK(error.exit() == Exit::registry_content);
  CHECK(error.causes() == std::vector<std::string>{"from https to `http://storage.example/blob?sig=…`"});
  CHECK(rig.transport.sent.size() == 1);
}

TEST_CASE("the sixth redirect is one too many") {
  Rig rig;
  rig.transport.then(6, redirect("/again"));
  const Error error = rig.failed();
  CHECK(error.causes() == std::vector<std::string>{"more than 5 redirects"});
  CHECK(rig.transport.sent.size() == 6);
}

TEST_CASE("a registry that does not answer is a transient error with the effort made") {
  Rig rig;
  rig.transport.then(6, TransportFailure{TransportFailure::Kind::broken, "connection reset by peer"});
  const Error error = rig.failed();
  CHECK(error.exit() == Exit::transient);
  CHECK(error.message() == "`r.example` does not answer: the test failed");
  CHECK(error.where() == "GET https://r.example/v2/team/app/manifests/1");
  CHECK(error.causes() == std::vector<std::string>{"connection reset by peer"});
  REQUIRE(error.details().size() == 1);
  CHECK(error.details()[0].starts_with("6 attempts in "));
  CHECK(error.hints() ==
        std::vector<std::string>{"this is usually temporary (exit status 75); run the same command again"});
}

TEST_CASE("a status that passes is waited out") {
  Rig rig;
  rig.transport.then(5, HttpResponse{.status = 503});
  rig.transport.then(kOk);
  rig.get();
  CHECK(rig.clock.slept.size() == 5);
}

TEST_CASE("a status that does not pass is a transient error") {
  Rig rig;
  rig.transport.then(
      100, HttpResponse{.status = 429, .body = R"({"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]})"});
  const Error error = rig.failed();
  CHECK(error.exit() == Exit::transient);
  CHECK(error.message() == "`r.example` could not do the test");
  CHECK(error.causes() == std::vector<std::string>{"429 TOOMANYREQUESTS: slow down"});
}

TEST_CASE("a rate limit that calls itself forbidden is no matter of credentials") {
  Rig rig;
  rig.transport.then(100, HttpResponse{.status = 403, .body = "You have exceeded a secondary rate limit"});
  CHECK(rig.failed().exit() == Exit::transient);
}

TEST_CASE("the registry's own words are printable and short") {
  Rig rig;
  const std::string text(2000, 'x');
  rig.transport.then(
      HttpResponse{.status = 400, .body = cat(R"({"errors":[{"code":"BAD","message":"\u001b[31m)", text, "\"}]}")});
  const Error error = rig.failed();
  CHECK(error.exit() == Exit::registry_content);
  CHECK(error.causes()[0].starts_with("400 BAD: \\x1b[31mxxx"));
  CHECK(error.causes()[0].size() < 520);
  Rig page;
  page.transport.then(HttpResponse{.status = 404, .body = "<html>nothing</html>"});
  CHECK(page.failed().causes() == std::vector<std::string>{"404 not found"});
}

TEST_CASE("certificate trouble names the variable that helps") {
  Rig rig;
  rig.transport.then(TransportFailure{TransportFailure::Kind::untrusted, "self-signed certificate"});
  const Error error = rig.failed();
  CHECK(error.exit() == Exit::usage);
  CHECK(error.message() == "cannot trust the connection to `r.example`");
  CHECK(error.hints() ==
        std::vector<std::string>{
            "if the registry has a certificate authority of its own, name its file in `SSL_CERT_FILE`"});
}

TEST_CASE("loopback is asked by http, and by https when that is what it speaks") {
  Rig plain("localhost:5000/app");
  plain.transport.then(kOk);
  plain.get();
  CHECK(plain.transport.sent.size() == 1);
  CHECK(plain.transport.sent[0].url == "http://localhost:5000/v2/team/app/manifests/1");

  Rig secure("localhost:5000/app");
  secure.transport.then(HttpResponse{.status = 400, .body = "Client sent an HTTP request to an HTTPS server.\n"});
  secure.transport.then(kOk);
  secure.transport.then(kOk);
  secure.get();
  secure.get();
  CHECK(secure.transport.sent[1].url == "https://localhost:5000/v2/team/app/manifests/1");
  CHECK(secure.transport.sent[2].url == "https://localhost:5000/v2/team/app/manifests/1");
}

TEST_CASE("plain http goes beyond loopback only when allowed") {
  Rig strict("registry.lan/app");
  strict.transport.then(kOk);
  strict.get();
  CHECK(strict.transport.sent[0].url.starts_with("https://"));
  Rig allowed("registry.lan/app", true);
  allowed.transport.then(kOk);
  allowed.get();
  CHECK(allowed.transport.sent[0].url.starts_with("http://"));
}

TEST_CASE("an http realm is right for an http registry on the same host") {
  Rig rig("localhost:5000/app");
  rig.transport.then(unauthorized(R"(Bearer realm="http://localhost:5001/token",service="s")", "127.0.0.1"));
  rig.transport.then(token("t"));
  rig.transport.then(kOk);
  rig.get();
  CHECK(rig.authorization(1) == "Basic Y2ktYm90OnMzY3JldA==");
  CHECK(rig.authorization(2) == "Bearer t");

  Rig other("localhost:5000/app");
  other.transport.then(unauthorized(R"(Bearer realm="http://other.example/token",service="s")", "127.0.0.1"));
  CHECK(other.failed().exit() == Exit::registry_credentials);
}
