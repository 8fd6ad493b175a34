#include "server/target.hpp"

#include <doctest/doctest.h>

#include "tests/server/support.hpp"

using namespace whittle;
using server::Target;
using test::string_of;
using test::view;

namespace {

std::string path_of(std::string_view text) {
  Target target;
  REQUIRE(server::parse_target(view(text), target) == 0);
  return string_of(target.path.text()) + (target.names_folder ? "/" : "");
}

int status_of(std::string_view text) {
  Target target;
  return server::parse_target(view(text), target);
}

}  // namespace

TEST_CASE("a target is a path below the site's folder") {
  CHECK(path_of("/") == "/");
  CHECK(path_of("/a/b.html") == "a/b.html");
  CHECK(path_of("/a/") == "a/");
  CHECK(path_of("//a///b") == "a/b");
  CHECK(path_of("/a%20b/%c3%a4?x=/../") == "a b/\xc3\xa4");
  CHECK(path_of("/.well-known/security.txt") == ".well-known/security.txt");
  CHECK(path_of("/a..b/c...") == "a..b/c...");
}

TEST_CASE("the address of a whole server is its path") {
  CHECK(path_of("http://example.com/a") == "a");
  CHECK(path_of("HTTPS://example.com:8080") == "/");
  CHECK(path_of("http://example.com?x") == "/");
  for (const std::string_view text : {"http://", "http:///a", "ftp://example.com/a", "http://user@example.com/a",
                                      "http://a\\b/c", "*", "example.com:80", "a/b", ""}) {
    CAPTURE(text);
    CHECK(status_of(text) == 400);
  }
}

TEST_CASE("what leads out of the folder is refused however it is written") {
  for (const std::string_view text : {"/..", "/../etc/passwd", "/a/../../etc/passwd", "/%2e%2e/etc/passwd", "/%2E./x",
                                      "/.%2e", "/a/./b", "/.", "/..%2fetc", "/a%2f..%2f..", "/..%5cetc", "/..\\etc",
                                      "/a%00.html", "/a%0a", "/a%7f", "/%", "/%2", "/%zz", "/a#b"}) {
    CAPTURE(text);
    CHECK(status_of(text) == 400);
  }
  // Overlong forms of `.` and `/` are bytes like others, and no file's name.
  CHECK(path_of("/%c0%ae%c0%ae%c0%af") == "\xc0\xae\xc0\xae\xc0\xaf");
}

TEST_CASE("hidden files are not there") {
  for (const std::string_view text : {"/.git/config", "/.env", "/a/.htpasswd", "/%2egit/HEAD", "/..."}) {
    CAPTURE(text);
    CHECK(status_of(text) == 404);
  }
  CHECK(status_of("/.git/../../etc") == 400);
}

TEST_CASE("a path that is too long is refused as such") {
  CHECK(status_of("/" + std::string(server::kLongestPath + 1, 'a')) == 414);
}
