#include <doctest/doctest.h>

#include "base/text.hpp"
#include "detectors/zig_project.hpp"
#include "tests/detectors/support.hpp"

using namespace whittle;
using namespace whittle::detectors;
using test::Files;
using test::Project;

namespace {

const std::string kBuild = R"(const std = @import("std");
pub fn build(b: *std.Build) void {
    const target = b.standardTargetOptions(.{});
    const exe = b.addExecutable(.{ // "not.name"
        .name = "greet",
        .root_module = b.createModule(.{ .root_source_file = b.path("src/main.zig"), .target = target }),
    });
    b.installArtifact(exe);
    const tool = b.addExecutable(.{ .name = "generate", .root_module = other });
    _ = b.addRunArtifact(tool);
}
)";
const std::string kMain = "const std = @import(\"std\");\npub fn main() void {}\n";

Files project(const Files& more = {}) {
  Files files = {{"build.zig", kBuild}, {"src/main.zig", kMain}};
  files.insert(more.begin(), more.end());
  return files;
}

std::string argv_of(const plan::BuildPlan& plan) {
  std::string text;
  for (const plan::Step& step : plan.steps) text += join(step.argv, " ") + "\n";
  return text;
}

}  // namespace

TEST_CASE("a Zig project promises the programs that it installs") {
  const Project tree(project());
  const plan::BuildPlan plan = tree.plan();
  CHECK(plan.language == "zig");
  CHECK(plan.name == "greet");
  CHECK(tree.processes() == "*greet");
  CHECK(plan.values.at("program greet") == plan::Value{"greet", "build.zig:4"});
  CHECK(argv_of(plan) ==
        "${tool:zig} build --release=safe --prefix ${work}/out -j${jobs} -Dtarget=x86_64-linux-musl -Dcpu=baseline\n");
  CHECK(plan.outputs.at(0).built == "out/bin/");
}

TEST_CASE("a Zig project is built for the platform that is asked for") {
  Project tree(project());
  tree.platform = "linux/arm/v7";
  CHECK(argv_of(tree.plan()).find("-Dtarget=arm-linux-musleabihf") != std::string::npos);
}

TEST_CASE("a program whose name only zig can compute is not promised") {
  const Project tree({{"build.zig", "const exe = b.addExecutable(.{ .name = name() });\nb.installArtifact(exe);\n"},
                      {"main.zig", kMain}});
  const plan::BuildPlan plan = tree.plan();
  CHECK(plan.outputs.at(0).target == "*");
  CHECK(plan.warnings.at(0) ==
        "the programs of build.zig:1 cannot be read: the programs will be those that zig installs");
}

TEST_CASE("dependencies of build.zig.zon are fetched by a step of their own, and its name is the project's") {
  const Project tree(
      project({{"build.zig.zon",
                ".{\n    .name = .salute,\n    .minimum_zig_version = \"0.15.1\",\n"
                "    .dependencies = .{ .clap = .{ .url = \"https://example.org/clap.tar.gz\" } },\n}\n"}}));
  const plan::BuildPlan plan = tree.plan();
  CHECK(plan.name == "salute");
  CHECK(plan.values.at("name").source == "build.zig.zon:2");
  CHECK(plan.steps.at(0).argv == std::vector<std::string>{"${tool:zig}", "build", "--fetch"});
  CHECK(plan.steps.at(0).network);
  CHECK(plan.tools.at(0).constraint == ">=0.15.1");
  CHECK(plan.tools.at(0).source == "build.zig.zon:3");
  CHECK(plan.tools.at(0).pin == "0.15");
}

TEST_CASE("a version file pins zig") {
  for (const char* file : {".zigversion", ".zig-version"}) {
    const plan::BuildPlan plan = Project(project({{file, "0.16.0\n"}})).plan();
    CHECK(plan.tools.at(0).pin == "0.16.0");
    CHECK(plan.values.at("zig") == plan::Value{"0.16.0", cat(file, ":1")});
  }
}

TEST_CASE("a main that only zig 0.16 knows wants that version") {
  const plan::BuildPlan plan = Project(Files{{"main.zig", "pub fn main(init: std.process.Init) !void {}\n"}}).plan();
  CHECK(plan.tools.at(0).constraint == ">=0.16.0");
  CHECK(plan.tools.at(0).source == "main.zig:1");
}

TEST_CASE("zig can be fetched for machines of both kinds, unless only the host's tools may be used") {
  const plan::BuildPlan plan = Project(project()).plan();
  CHECK(plan.tools.at(0).downloads.size() == 4);
  const Project host(project({{"whittle.toml", "[build]\ntoolchain = \"host\"\n"}}));
  CHECK(host.plan().tools.at(0).downloads.empty());
}

TEST_CASE("a Zig file with a main is a program by itself") {
  const Project tree(Files{{"fizz.zig", "// pub fn main()\nconst x = 1;\npub fn main() !void {}\n"}});
  const plan::BuildPlan plan = tree.plan();
  CHECK(plan.name == "fizz");
  CHECK(plan.values.at("program fizz").source == "fizz.zig:3");
  CHECK(plan.steps.at(0).argv.back() == "fizz.zig");
  CHECK(plan.outputs.at(0).built == "out/fizz");
}

TEST_CASE("a Zig library without a program is nothing to build") {
  CHECK(Project(Files{{"lib.zig", "pub fn add(a: i32) i32 { return a; }\n"}}).error().exit() == Exit::nothing_detected);
}

TEST_CASE("in a C project with CMake, build.zig is another way to build it") {
  const Project tree({{"build.zig", kBuild},
                      {"main.c", "int main(void) {}\n"},
                      {"CMakeLists.txt", "project(app C)\nadd_executable(app main.c)\n"}});
  CHECK(tree.plan().detector == "cmake");
}
