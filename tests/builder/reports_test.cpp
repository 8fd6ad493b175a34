#include "builder/reports.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "base/text.hpp"

using namespace whittle;
using namespace whittle::builder;

TEST_CASE("go list names the main packages") {
  const auto programs = read_go_list(
      "{\n\t\"ImportPath\": \"example.com/a\",\n\t\"Name\": \"main\"\n}\n"
      "{\n\t\"ImportPath\": \"example.com/a/lib\",\n\t\"Name\": \"lib\",\n\t\"Module\": {\n\t\t\"Path\": "
      "\"x\"\n\t}\n}\n"
      "{\n\t\"ImportPath\": \"example.com/a/cmd/b\",\n\t\"Name\": \"main\"\n}\n");
  REQUIRE(programs.size() == 2);
  CHECK(programs[0].name == "example.com/a");
  CHECK(programs[1].name == "example.com/a/cmd/b");
  CHECK(programs[1].path.empty());
  CHECK(read_go_list("").empty());
}

TEST_CASE("cargo's messages name executables of kind bin, below the work folder by relative path") {
  const auto programs = read_cargo_messages(
      R"({"reason":"compiler-artifact","target":{"kind":["lib"],"name":"l"},"executable":null}
a build script printed this
{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"a"},"executable":"/w/src/target/release/a"}
{"reason":"compiler-artifact","target":{"kind":["example"],"name":"e"},"executable":"/w/target/e"}
{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"b"},"executable":"/kept/release/b"}
{"reason":"build-finished","success":true}
)",
      "/w");
  REQUIRE(programs.size() == 2);
  CHECK(programs[0].path == "src/target/release/a");
  CHECK(programs[1].path == "/kept/release/b");
}

TEST_CASE("a report that is no JSON is an error that says whose") {
  CHECK_THROWS_AS(read_go_list("{\n broken\n}\n"), Error);
  CHECK_THROWS_AS(read_cargo_messages("{\"reason\":", "/w"), Error);
  CHECK_THROWS_AS(read_cargo_messages(R"({"executable":"/x"})", "/w"), Error);
  CHECK_THROWS_AS(read_cargo_messages(R"({"executable":7})", "/w"), Error);
}

TEST_CASE("CMake's reply is read from the newest index, and cannot name files elsewhere") {
  const TemporaryFolder work(fs::temp_directory_path());
  const fs::path reply = work.path() / "build/.cmake/api/v1/reply";
  make_folders(reply);
  CHECK_THROWS_WITH(read_cmake_reply(work.path(), "build"), "CMake left no answer about its targets");
  write_file(reply / "index-1.json", "{}");
  write_file(reply / "index-2.json", R"({"objects":[{"kind":"codemodel","jsonFile":"model.json"}]})");
  write_file(
      reply / "model.json",
      R"({"configurations":[{"targets":[{"jsonFile":"a.json"},{"jsonFile":"lib.json"},{"jsonFile":"b.json"}]}]})");
  write_file(reply / "a.json", R"({"type":"EXECUTABLE","name":"a","artifacts":[{"path":"bin/a"}],"install":{}})");
  write_file(reply / "b.json", R"({"type":"EXECUTABLE","name":"b","artifacts":[{"path":"/elsewhere/b"}]})");
  write_file(reply / "lib.json", R"({"type":"STATIC_LIBRARY","name":"l","artifacts":[{"path":"libl.a"}]})");
  const auto programs = read_cmake_reply(work.path(), "build");
  REQUIRE(programs.size() == 2);
  CHECK(programs[0].path == "build/bin/a");
  CHECK(programs[0].installed);
  CHECK(programs[1].path == "/elsewhere/b");
  CHECK_FALSE(programs[1].installed);
  write_file(reply / "model.json", R"({"configurations":[{"targets":[{"jsonFile":"../../../../secret"}]}]})");
  CHECK_THROWS_WITH(read_cmake_reply(work.path(), "build"), "CMake's reply names a file elsewhere");
}

TEST_CASE("Meson says where its targets lie, and which are installed") {
  const TemporaryFolder work(fs::temp_directory_path());
  make_folders(work.path() / "build/meson-info");
  const std::string built = (work.path() / "build/src/app").native();
  write_file(work.path() / "build/meson-info/intro-targets.json",
             cat(R"([{"name":"l","type":"static library","filename":["/l.a"],"installed":false},)",
                 R"({"name":"app","type":"executable","filename":[")", built, R"("],"installed":true}])"));
  const auto programs = read_meson_targets(work.path(), "build");
  REQUIRE(programs.size() == 1);
  CHECK(programs[0].name == "app");
  CHECK(programs[0].path == "build/src/app");
  CHECK(programs[0].installed);
  write_file(work.path() / "build/meson-info/intro-targets.json", "{\"a\": 1}");
  CHECK_THROWS_AS(read_meson_targets(work.path(), "build"), Error);
}

TEST_CASE("new executables are programs that were not there, or are not what they were") {
  const TemporaryFolder work(fs::temp_directory_path());
  fs::copy_file("/bin/true", work.path() / "old");
  const ProgramSnapshot before = snapshot_of_programs(work.path());
  CHECK(before.size() == 1);
  make_folders(work.path() / "bin");
  make_folders(work.path() / "CMakeFiles");
  fs::copy_file("/bin/true", work.path() / "bin/new");
  fs::copy_file("/bin/true", work.path() / "CMakeFiles/a.out");
  write_file(work.path() / "script", "#!/bin/sh\n", 0755);
  write_file(work.path() / "fake",
             "\x7f"
             "ELF nonsense",
             0755);
  auto programs = new_programs(before, snapshot_of_programs(work.path()));
  REQUIRE(programs.size() == 1);
  CHECK(programs[0].name == "new");
  CHECK(programs[0].path == "bin/new");
  fs::remove(work.path() / "old");
  fs::copy_file("/bin/false", work.path() / "old");
  CHECK(new_programs(before, snapshot_of_programs(work.path())).size() == 2);
}
