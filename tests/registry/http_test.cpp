#include "registry/http.hpp"

#include <doctest/doctest.h>

#include "registry/hub.hpp"

using namespace whittle;
using namespace whittle::registry;

TEST_CASE("a URL is taken apart with its port filled in") {
  const auto url = Url::parse("HTTPS://Registry.Example/v2/a/b?x=1&y=2#part");
  REQUIRE(url);
  CHECK(url->scheme == "https");
  CHECK(url->host == "registry.example");
  CHECK(url->port == "443");
  CHECK(url->path_and_query == "/v2/a/b?x=1&y=2");
  CHECK(url->origin() == "https://registry.example:443");
  CHECK(url->str() == "https://registry.example/v2/a/b?x=1&y=2");
  CHECK(Url::parse("http://[::1]:5000")->str() == "http://[::1]:5000/");
  CHECK(Url::parse("http://[::1]")->port == "80");
  CHECK(Url::parse("http://h?q")->path_and_query == "/?q");
}

TEST_CASE("a URL that could mean two things is none") {
  for (const char* text : {"", "registry.example", "ftp://a/", "file:///etc/passwd", "http://", "http:///v2/",
                           "http://user:secret@a/", "http://a b/", "http://a/\r\nX: y", "http://a:0/",
                           "http://a:65536/", "http://a:80:80/", "http://a:/", "http://[::1/", "http://::1/",
                           "http://a\\b/", "http://a%2fb/", "http://[x]/", "https://a.example:443@b.example/"}) {
    CAPTURE(text);
    CHECK_FALSE(Url::parse(text));
  }
}

TEST_CASE("a location is resolved in every form that registries use") {
  const Url base = *Url::parse("https://r.example:5000/v2/a/blobs/uploads/?mount=x");
  const auto resolved = [&](std::string_view location) { return base.resolve(location)->str(); };
  CHECK(resolved("https://other.example/u?_state=a%2Fb") == "https://other.example/u?_state=a%2Fb");
  CHECK(resolved("//other.example/u") == "https://other.example/u");
  CHECK(resolved("/v2/a/u?b=/../c") == "https://r.example:5000/v2/a/u?b=/../c");
  CHECK(resolved("uuid?s=1") == "https://r.example:5000/v2/a/blobs/uploads/uuid?s=1");
  CHECK(resolved("../x/./y") == "https://r.example:5000/v2/a/blobs/x/y");
  CHECK(resolved("../../../../../..") == "https://r.example:5000/");
  CHECK(resolved("?next=2") == "https://r.example:5000/v2/a/blobs/uploads/?next=2");
  for (const char* location : {"", "file:///etc/passwd", "http://a@b/", "/a b", "/a\nb"})
    CHECK_FALSE(base.resolve(location));
}

TEST_CASE("a parameter is added without touching the others") {
  CHECK(Url::parse("http://h/u?_state=a%2Fb+c")->with_parameter("digest", "sha256:0").str() ==
        "http://h/u?_state=a%2Fb+c&digest=sha256%3A0");
  CHECK(Url::parse("http://h/u")->with_parameter("digest", "x").str() == "http://h/u?digest=x");
}

TEST_CASE("a redacted URL shows neither user nor query values") {
  CHECK(redacted("https://me:secret@h/p?token=abc&x#frag") == "https://h/p?token=…&…");
  CHECK(redacted("https://h/v2/a/manifests/1") == "https://h/v2/a/manifests/1");
  CHECK(redacted("https://h/?X-Signature=abc") == "https://h/?X-Signature=…");
  CHECK(redacted("http://h/\x1b[2J") == "http://h/\\x1b[2J");
}

TEST_CASE("addresses are sorted by how far inside they are") {
  for (const char* inner : {"127.0.0.1", "127.9.9.9", "::1", "169.254.169.254", "fe80::1", "0.0.0.0",
                            "::ffff:127.0.0.1", "64:ff9b::a9fe:a9fe"}) {
    CAPTURE(inner);
    CHECK(reach_of(inner) == Reach::anywhere);
    CHECK_FALSE(is_within(inner, Reach::public_only));
    CHECK_FALSE(is_within(inner, Reach::private_or_public));
  }
  for (const char* site : {"10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "::ffff:10.0.0.1"}) {
    CAPTURE(site);
    CHECK(is_within(site, Reach::private_or_public));
    CHECK_FALSE(is_within(site, Reach::public_only));
  }
  for (const char* open : {"8.8.8.8", "172.32.0.1", "2001:4860::8888"}) {
    CAPTURE(open);
    CHECK(is_within(open, Reach::public_only));
  }
}

TEST_CASE("loopback is known by name and by address") {
  for (const char* host : {"localhost", "LOCALHOST", "127.0.0.1", "127.1.2.3", "[::1]", "::1"})
    CHECK(is_loopback(host));
  for (const char* host : {"localhost.example.org", "10.0.0.1", "128.0.0.1", "0.0.0.0", "example.org"})
    CHECK_FALSE(is_loopback(host));
}

TEST_CASE("Docker Hub is asked under its API's name") {
  CHECK(api_host("docker.io") == "registry-1.docker.io");
  CHECK(api_repository("docker.io", "alpine") == "library/alpine");
  CHECK(api_repository("docker.io", "me/app") == "me/app");
  CHECK(api_host("ghcr.io") == "ghcr.io");
  CHECK(api_repository("ghcr.io", "alpine") == "alpine");
}
