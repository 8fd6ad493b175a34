#include "base/xml.hpp"

#include <doctest/doctest.h>

#include "base/text.hpp"
#include "tests/support/errors.hpp"

using namespace whittle;

TEST_CASE("XML becomes elements with texts and lines") {
  const XmlElement root = parse_xml(
      "<?xml version=\"1.0\"?>\n<!-- why -->\n<m:project xmlns:m=\"x\">\n  <name> a &amp; b </name>\n"
      "  <build><plugins>\n    <plugin>one</plugin><plugin><![CDATA[<two>]]></plugin>\n  "
      "</plugins></build>\n</m:project>",
      "pom.xml");
  CHECK(root.name == "project");
  CHECK(root.line == 3);
  CHECK(root.text_of("name") == "a & b");
  REQUIRE(root.child("build/plugins") != nullptr);
  CHECK(root.child("build/plugins")->children.size() == 2);
  CHECK(root.child("build/plugins")->children[1].text == "<two>");
  CHECK(root.child("build/plugins")->children[1].line == 6);
  CHECK(root.descendant("plugin")->text == "one");
  CHECK(root.child("build/nothing") == nullptr);
}

TEST_CASE("an XML file that is cut off names its line") {
  const Error error = test::error_of([] { parse_xml("<project>\n  <name>a</name>\n  <build>", "pom.xml", 22); });
  CHECK(error.message() == "cannot read `pom.xml`");
  CHECK(error.where() == "pom.xml:3");
  CHECK(error.exit() == Exit::detector_failed);
}

TEST_CASE("XML with entities of its own is refused, whatever they would expand to") {
  const Error error = test::error_of([] {
    parse_xml("<?xml version=\"1.0\"?>\n<!DOCTYPE lolz [\n<!ENTITY a \"ha\">\n<!ENTITY b \"&a;&a;\">]>\n<x>&b;</x>",
              "x");
  });
  CHECK(error.where() == "x:3");
  CHECK(error.causes().at(0) == "it declares entities, and none are expanded");
}

TEST_CASE("XML that is nested a million times is refused") {
  std::string text;
  for (int i = 0; i < 1'000'000; ++i) text += "<a>";
  const Error cut = test::error_of([&] { parse_xml(text, "x"); });
  for (int i = 0; i < 1'000'000; ++i) text += "</a>";
  const Error whole = test::error_of([&] { parse_xml(text, "x"); });
  CHECK(whole.causes().at(0) == "its elements are nested too deeply");
}

TEST_CASE("text without an element is no XML document") {
  for (const char* text : {"", "   \n", "just words", "<!-- only this -->"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(parse_xml(text, "x"), Error);
  }
}
