#include <doctest/doctest.h>

#include "tests/detectors/support.hpp"

using namespace whittle;
using test::Files;
using test::Project;
using test::Strings;

namespace {

const Files kGo = {{"go.mod", "module example.com/whoami\n\ngo 1.25.3\n"}, {"main.go", "package main\n"}};

Files with(Files files, const Files& more) {
  for (const auto& [path, text] : more) files[path] = text;
  return files;
}

const Files kRust = {{"Cargo.toml", "[package]\nname = \"x\"\nedition = \"2021\"\n"}, {"src/main.rs", ""}};

}  // namespace

TEST_CASE("detection is reported as the contract shows it") {
  const Json json = Project(kGo).survey().to_json();
  CHECK(json == parse_json(R"({"schema":"whittle.detect/v1","root":".","chosen":"go",
    "candidates":[{"detector":"go","language":"go","score":100,
      "evidence":[{"file":"go.mod","line":1,"rule":"module file"}],
      "apps":[{"name":"whoami","path":".","default":true}],"warnings":[]}],
    "failures":[],"unsupported":[],"warnings":[]})",
                           "expected"));
}

TEST_CASE("two manifests of equal rank are a tie, with the lines that settle it") {
  const Error error = Project(with(kGo, kRust)).error();
  CHECK(error.exit() == Exit::ambiguous);
  CHECK(error.message() == "both go and rust could build this tree");
  CHECK(error.details() ==
        Strings{"go: go.mod:1 (module file, score 100)", "rust: Cargo.toml:1 (package manifest, score 100)"});
  CHECK(error.hints() == Strings{"say which one in whittle.toml:\n[build]\ndetector = \"go\""});
  CHECK(Project(with(kGo, kRust)).survey().chosen.empty());
  const Files settled = with(with(kGo, kRust), {{"whittle.toml", "[build]\ndetector = \"rust\"\n"}});
  CHECK(Project(settled).plan().language == "rust");
  CHECK(Project(settled).plan().values.at("detector") == plan::Value{"rust", "whittle.toml:2"});
}

TEST_CASE("a language's own manifest outranks CMake, CMake outranks make, make outranks single files") {
  const Files cmake = {{"CMakeLists.txt", "project(x C)\nadd_executable(x main.c)\n"}};
  const Files make = {{"Makefile", "x: main.o\n\t$(CC) -o $@ $^\n"}};
  const Files c = {{"main.c", "int main(void) {}"}};
  CHECK(Project(with(with(with(kRust, cmake), make), c)).survey().chosen == "rust");
  CHECK(Project(with(with(cmake, make), c)).survey().chosen == "cmake");
  CHECK(Project(with(make, c)).survey().chosen == "make");
  CHECK(Project(c).survey().chosen == "single-file");
  CHECK(Project(with(kRust, with(cmake, c))).survey().warnings ==
        Strings{"`CMakeLists.txt` was passed over: cmake scores 80, rust 100"});
  std::vector<int> scores;
  for (const auto& detection : Project(with(with(with(kRust, cmake), make), c)).survey().candidates)
    scores.push_back(detection.score);
  CHECK(scores == std::vector<int>{100, 80, 40, 20});
}

TEST_CASE("nothing detected says what was looked for, what is there, and in which language") {
  const Error empty = Project(Files{}).error();
  CHECK(empty.exit() == Exit::nothing_detected);
  CHECK(empty.message() == "no detector recognises `folder`");
  CHECK(empty.details() ==
        Strings{"looked for: go.work, go.mod, Cargo.toml, build.zig, *.zig, package.json, pyproject.toml, "
                "requirements.txt, Pipfile, setup.py, *.py, pom.xml, build.gradle, CMakeLists.txt, meson.build, "
                "configure.ac, Makefile, *.c, *.cc, "
                "*.cpp, *.java, one jar, index.html, Staticfile, static.json, one executable ELF file",
                "found: nothing: the folder is empty"});
  const Error ruby = Project(Files{{"Gemfile", ""}, {"lib/x.rb", ""}}).error();
  CHECK(ruby.details()[1] == "found: Gemfile, lib/");
  CHECK(ruby.details()[2] == "this tree is in a language that whittle does not build: Ruby");
  const Error script = Project(Files{{"x.js", ""}}).error();
  CHECK(script.details()[2] ==
        "this tree is in a language that whittle does not build: JavaScript without a package.json");
  Files many;
  for (char c = 'a'; c <= 'l'; ++c) many[std::string(1, c)] = "";
  CHECK(Project(many).error().details()[1] == "found: a, b, c, d, e, f, g, h and 4 more");
  CHECK(Project(Files{{"a\nb\xff", ""}}).error().details()[1] == "found: a\\nb\\xff");
}

TEST_CASE("languages are known by their marker files") {
  const std::vector<std::pair<const char*, const char*>> markers = {
      {"composer.json", "PHP"},   {"app.csproj", ".NET"},   {"mix.exs", "Elixir"},
      {"Package.swift", "Swift"}, {"x.cabal", "Haskell"},   {"deno.json", "Deno"},
      {"build.sbt", "Scala"},     {"pubspec.yaml", "Dart"}, {"build.xml", "Java by Ant"}};
  for (const auto& [file, language] : markers)
    CHECK(Project(Files{{file, ""}}).survey().unsupported == Strings{language});
}

TEST_CASE("a broken manifest is not passed over for something lesser") {
  const Files broken = {
      {"go.mod", "modul x\n"}, {"Makefile", "x: x.o\n\t$(CC) -o $@ $^\n"}, {"x.c", "int main(void) {}"}};
  const Error error = Project(broken).error();
  CHECK(error.exit() == Exit::detector_failed);
  CHECK(error.message() == "the go detector cannot read this tree");
  CHECK(error.where() == "go.mod:1");
  const auto survey = Project(broken).survey();
  CHECK(survey.to_json()["failures"] ==
        Json::array({{{"detector", "go"}, {"message", "go.mod:1: unknown directive `modul`"}}}));
  // What scores as much or more stands.
  const Files beside = with(kRust, {{"go.mod", "modul x\n"}});
  CHECK(Project(beside).survey().chosen == "rust");
  CHECK(Project(beside).survey().warnings == Strings{"go was passed over: go.mod:1: unknown directive `modul`"});
}

TEST_CASE("a forced detector is the only one that counts") {
  const auto forced = [](Files files, const std::string& name) {
    files["whittle.toml"] = "[build]\ndetector = \"" + name + "\"\n";
    return Project(files);
  };
  CHECK(forced(with(kGo, {{"main.c", "int main(void) {}"}}), "single-file").plan().detector == "single-file");
  const Error missing = forced(kGo, "cmake").error();
  CHECK(missing.exit() == Exit::nothing_detected);
  CHECK(missing.message() == "the cmake detector finds nothing here");
  CHECK(missing.where() == "whittle.toml:2");
  const Error unknown = forced(kGo, "cmak").error();
  CHECK(unknown.exit() == Exit::usage);
  CHECK(unknown.message() == "there is no detector `cmak`");
  CHECK(unknown.hints() == Strings{"did you mean `cmake`?"});
  CHECK(forced({{"Cargo.toml", "["}}, "rust").error().exit() == Exit::detector_failed);
}
