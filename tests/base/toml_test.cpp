#include "base/toml.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"

using namespace whittle;

TEST_CASE("every value knows its line") {
  const TomlDocument document = parse_toml(
      "name = \"app\"\n\n[build]\ntargets = [\n  \"a\",\n  \"b\",\n]\n[[bin]]\nname = \"x\"\n", "whittle.toml");
  CHECK(document.root["name"] == "app");
  CHECK(document.root["build"]["targets"] == Json::array({"a", "b"}));
  CHECK(document.line("/name") == 1);
  CHECK(document.line("/build/targets") == 4);
  CHECK(document.line("/build/targets/1") == 6);
  CHECK(document.line("/bin/0/name") == 9);
  CHECK(document.line("/unknown") == 1);
}

TEST_CASE("every kind of value becomes JSON, dates as text") {
  const TomlDocument document =
      parse_toml("i = -3\nf = 1.5\nt = true\nd = 2026-11-22\nm = 2026-11-22T01:02:03Z\nc = 01:02:03\n", "x");
  CHECK(document.root["i"] == -3);
  CHECK(document.root["f"] == 1.5);
  CHECK(document.root["t"] == true);
  CHECK(document.root["d"] == "2026-11-22");
  CHECK(document.root["m"] == "2026-11-22T01:02:03Z");
  CHECK(document.root["c"] == "01:02:03");
}

TEST_CASE("keys with odd characters have pointers as JSON has them") {
  const TomlDocument document = parse_toml("[a]\n\"x/y~z\" = 1\n", "x");
  CHECK(document.line("/a/x~1y~0z") == 2);
}

TEST_CASE("a mistake is shown with file, line and column") {
  try {
    parse_toml("a = 1\nb = = 2\n", "whittle.toml", 22);
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.message() == "cannot read whittle.toml as TOML");
    CHECK(error.where().rfind("whittle.toml:2:", 0) == 0);
    CHECK(error.exit() == Exit::detector_failed);
    CHECK_FALSE(error.causes().at(0).empty());
  }
  CHECK_THROWS_AS(parse_toml("a = \"\xff\"", "x"), Error);
  CHECK_THROWS_AS(parse_toml("a = 1\na = 2\n", "x"), Error);
}
