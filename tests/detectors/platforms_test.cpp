// What a plan says when it is for another machine than the one that builds.
#include <doctest/doctest.h>

#include <algorithm>

#include "base/text.hpp"
#include "tests/detectors/support.hpp"

using namespace whittle;
using test::Files;
using test::Project;

namespace {

plan::BuildPlan plan_for(const std::string& platform, const Files& files) {
  Project project(files);
  project.platform = platform;
  project.host = "linux/amd64";
  return project.plan();
}

std::string toolchains(const plan::BuildPlan& plan) {
  std::string names;
  for (const plan::Toolchain& toolchain : plan.toolchains) names += cat(toolchain.name, ": ", toolchain.cc, "\n");
  return names;
}

bool has(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

const std::string kMain = "int main(void) { return 0; }\n";

}  // namespace

TEST_CASE("for another machine C is built by zig, which can be fetched, or by Debian's cross compiler") {
  const plan::BuildPlan plan = plan_for("linux/arm/v7", {{"a.c", kMain}});
  CHECK(toolchains(plan) == "zig: zig cc -target arm-linux-musleabihf\nhost: arm-linux-gnueabihf-gcc\n");
  CHECK(plan.toolchains[0].ar == "zig ar");
  CHECK(plan.toolchains[0].downloads.size() == 2);
  CHECK(plan.toolchains[0].env.at("ZIG_GLOBAL_CACHE_DIR") == "${cache:zig}");
}

TEST_CASE("at home zig comes before the host's compiler, and only where nothing else is there it is fetched") {
  const plan::BuildPlan plan = plan_for("linux/amd64", {{"a.c", kMain}});
  CHECK(toolchains(plan) == "musl: musl-gcc\nzig: zig cc -target x86_64-linux-musl\nhost: gcc\nhost-fixed: gcc\n");
  CHECK(plan.toolchains[0].downloads.empty());
  CHECK_FALSE(plan.toolchains[1].downloads.empty());
}

TEST_CASE("a toolchain that cannot build for the platform is refused") {
  Project project({{"a.c", kMain}, {"whittle.toml", "[build]\ntoolchain = \"musl\"\n"}});
  project.platform = "linux/arm64";
  project.host = "linux/amd64";
  CHECK(project.error().message() == "the toolchain `musl` cannot build C for linux/arm64");
}

TEST_CASE("CMake is told the system, and archives with the compiler's own archiver") {
  const plan::BuildPlan plan =
      plan_for("linux/riscv64", {{"CMakeLists.txt", "project(a C)\nadd_executable(a a.c)\n"}, {"a.c", kMain}});
  CHECK(has(plan.steps[0].argv, "-DCMAKE_SYSTEM_NAME=Linux"));
  CHECK(has(plan.steps[0].argv, "-DCMAKE_SYSTEM_PROCESSOR=riscv64"));
  CHECK(has(plan.steps[0].argv, "-DCMAKE_C_ARCHIVE_CREATE=${ar} qc <TARGET> <LINK_FLAGS> <OBJECTS>"));
}

TEST_CASE("Meson gets a cross file") {
  const plan::BuildPlan plan =
      plan_for("linux/arm64", {{"meson.build", "project('a', 'c')\nexecutable('a', 'a.c')\n"}, {"a.c", kMain}});
  CHECK(has(plan.steps[0].argv, "--cross-file"));
  CHECK(plan.steps[0].files.at("platform.ini") ==
        "[host_machine]\nsystem = 'linux'\ncpu_family = 'aarch64'\ncpu = 'aarch64'\nendian = 'little'\n");
}

TEST_CASE("configure is told both machines") {
  const plan::BuildPlan plan = plan_for(
      "linux/arm64", {{"configure.ac", "AC_INIT([a],[1])\n"}, {"Makefile.am", "bin_PROGRAMS = a\n"}, {"a.c", kMain}});
  const auto configure = std::find_if(plan.steps.begin(), plan.steps.end(),
                                      [](const plan::Step& step) { return step.name == "configure"; });
  REQUIRE(configure != plan.steps.end());
  CHECK(has(configure->argv, "--build=x86_64-linux-gnu"));
  CHECK(has(configure->argv, "--host=aarch64-linux-gnu"));
}

TEST_CASE("make gets the archiver too") {
  const plan::BuildPlan plan = plan_for("linux/arm64", {{"Makefile", "a: a.c\n\t$(CC) -o a a.c\n"}, {"a.c", kMain}});
  CHECK(has(plan.steps[0].argv, "AR=${ar}"));
  CHECK(has(plan.steps[0].argv, "STRIP=true"));
}

TEST_CASE("Rust for another machine needs its own standard library for it and no compiler of C") {
  const plan::BuildPlan plan =
      plan_for("linux/arm64", {{"Cargo.toml", "[package]\nname = \"a\"\nversion = \"1.0.0\"\n"}, {"src/main.rs", ""}});
  REQUIRE(plan.tools.size() == 1);
  CHECK(plan.tools[0].library == "lib/rustlib/aarch64-unknown-linux-musl/lib");
  CHECK(has(plan.steps.back().argv, "aarch64-unknown-linux-musl"));
}

TEST_CASE("the versions that a project pins travel in the plan") {
  const Files go = {{"go.mod", "module a\n\ngo 1.21\n"},
                    {"main.go", "package main\n\nfunc main() {}\n"},
                    {".go-version", "1.27.3\n"}};
  const plan::Tool tool = plan_for("linux/amd64", go).tools.at(0);
  CHECK(tool.constraint == ">=1.21");
  CHECK(tool.pin == "1.27.3");
  CHECK(tool.pin_source == ".go-version:1");
  CHECK(tool.downloads.front().by.empty());
  CHECK(tool.downloads.at(1).by == "go");
  CHECK(tool.downloads.at(1).version == "1.27.3");
  Files strict = go;
  strict["whittle.toml"] = "[build]\nstrict-versions = \"always\"\n";
  CHECK(plan_for("linux/amd64", strict).tools.at(0).constraint == ">=1.21,=1.27.3");
}

TEST_CASE("the toolchain line of go.mod comes before its go line and before version files") {
  const Files go = {{"go.mod", "module a\n\ngo 1.21\n\ntoolchain go1.27.1\n"},
                    {"main.go", "package main\n\nfunc main() {}\n"},
                    {".go-version", "1.27.3\n"}};
  const plan::Tool tool = plan_for("linux/amd64", go).tools.at(0);
  CHECK(tool.constraint == ">=1.21");
  CHECK(tool.pin == ">=1.27.1");
  CHECK(tool.pin_source == "go.mod:5");
}
