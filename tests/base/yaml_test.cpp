#include "base/yaml.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"

using namespace whittle;

namespace {

Json read(std::string_view text) {
  return parse_yaml(text, "x").root;
}

std::string why_not(std::string_view text) {
  try {
    parse_yaml(text, "x");
  } catch (const Error& error) {
    return error.causes().at(0);
  }
  return "it was read";
}

}  // namespace

TEST_CASE("values of YAML become JSON by the core schema") {
  CHECK(read("a: 1\nb: -0x1\n") == Json{{"a", 1}, {"b", "-0x1"}});
  CHECK(read("[0o17, 0xff, 1.5, .5, 1e3, +7, 12345678901234567890123]") ==
        Json::array({15, 255, 1.5, 0.5, 1000.0, 7, 12345678901234567890123.0}));
  CHECK(read("[true, False, null, ~, '', \"true\", 'null', .inf, .nan, 1.2.3, 1-2]") ==
        Json::array({true, false, nullptr, nullptr, "", "true", "null", ".inf", ".nan", "1.2.3", "1-2"}));
  CHECK(read("country: no\nanswer: yes\n") == Json{{"country", "no"}, {"answer", "yes"}});
  CHECK(read("text: |\n  one\n  two\nfolded: >-\n  a\n  b\n") == Json{{"text", "one\ntwo\n"}, {"folded", "a b"}});
  CHECK(read("[!!str 1, !!int \"3\", !!float 2, ! 5]") == Json::array({"1", 3, 2, "5"}));
  CHECK(read("") == nullptr);
  CHECK(read("# nothing\n") == nullptr);
  CHECK(read("---\na: {b: [c, {d: e}]}\n...\n")["a"]["b"][1]["d"] == "e");
}

TEST_CASE("every value of YAML knows its line") {
  const YamlDocument document = parse_yaml("registry:\n  address: a\n\n  tls/x: true\nlist:\n  - one\n  - b: c\n", "x");
  CHECK(document.line("/registry") == 1);
  CHECK(document.line("/registry/address") == 2);
  CHECK(document.line("/registry/tls~1x") == 4);
  CHECK(document.line("/list/0") == 6);
  CHECK(document.line("/list/1/b") == 7);
}

TEST_CASE("an alias is what it stands for") {
  CHECK(read("a: &x {b: [1, 2]}\nc: *x\n")["c"]["b"] == Json::array({1, 2}));
  CHECK(why_not("a: *x\n").find("alias") != std::string::npos);
  CHECK(why_not("a: &x [*x]\n").find("alias") != std::string::npos);
}

TEST_CASE("YAML that grows without end is refused") {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 30; ++i) {
    const std::string before = std::to_string(i - 1), now = std::to_string(i);
    bomb += "a" + now + ": &a" + now + " [";
    for (int copy = 0; copy < 10; ++copy) bomb += (copy == 0 ? "*a" : ", *a") + before;
    bomb += "]\n";
  }
  CHECK(why_not(bomb).find("values") != std::string::npos);
  CHECK(why_not(std::string(70, '[') + std::string(70, ']')).find("nested") != std::string::npos);
  CHECK(why_not(std::string(100'000, '[')) != "it was read");
  CHECK(why_not(std::string(kLongestYaml + 1, ' ')).find("more than") != std::string::npos);
}

TEST_CASE("what two readers could take for different things is refused") {
  CHECK(why_not("a: 1\na: 2\n") == "the key `a` is there twice");
  CHECK(why_not("a: 1\n---\nb: 2\n").find("more than one document") != std::string::npos);
  CHECK(why_not("? [a]\n: b\n") == "a key must be a text");
  CHECK(why_not("a: !python/object x\n").find("tag") != std::string::npos);
  CHECK(why_not("a: !!int x\n").find("tag") != std::string::npos);
  CHECK(why_not("a: \xff\n") == "it is not UTF-8");
  CHECK(why_not("\ta: 1\n") != "it was read");
  try {
    parse_yaml("a: 1\nb: [\n", "registry.yaml", 22);
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.message() == "cannot read registry.yaml as YAML");
    CHECK(error.where().starts_with("registry.yaml:3:"));
    CHECK(error.exit() == Exit::detector_failed);
  }
}

TEST_CASE("what is written as YAML is read as the same") {
  const auto json = OrderedJson::parse(R"({"z":1,"a":[],"b":{},"c":[[1,2],{"d":"e","f":[{"g":null}]},"x"],"t":true,
    "texts":["plain","with space","1","1.5","true","no","on","~","","a: b","a:","-x","#c","0x1","12:30","2026-11-22",
    "10m","64Mi","0.0.0.0:80","registry.example.org/a@sha256:00","*","&a","\"q\"","line\nend","tab\t","ü","{","1e3"],
    "key with space":1,"yes":2,"1":3})");
  const std::string text = yaml_text(json);
  CHECK(read(text) == Json::parse(json.dump()));
  CHECK(text.starts_with("z: 1\na: []\nb: {}\nc:\n- - 1\n  - 2\n- d: e\n  f:\n  - g: null\n- x\n"));
  CHECK(text.find("- plain\n") != std::string::npos);
  CHECK(text.find("- \"no\"\n") != std::string::npos);
  CHECK(text.find("- \"12:30\"\n") != std::string::npos);
  CHECK(text.find("- registry.example.org/a@sha256:00\n") != std::string::npos);
  CHECK(text.find("\"yes\": 2\n") != std::string::npos);
}
