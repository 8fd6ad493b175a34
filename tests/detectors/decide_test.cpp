#include <doctest/doctest.h>

#include <algorithm>

#include "base/text.hpp"
#include "detectors/procfile.hpp"
#include "tests/detectors/support.hpp"
#include "tests/support/golden.hpp"

using namespace whittle;
using test::Files;
using test::Project;
using test::Strings;

namespace {

const Files kGo = {{"go.mod", "module example.com/whoami\n\ngo 1.25.3\n\nrequire example.com/x v1.0.0\n"},
                   {"main.go", "package main\n"}};

Files with(Files files, const std::string& path, const std::string& text) {
  files[path] = text;
  return files;
}

Project configured(const std::string& toml) {
  return Project(with(kGo, "whittle.toml", toml));
}

}  // namespace

TEST_CASE("configuration, hints, inference and defaults each leave their source") {
  Project project = configured(
      "name = \"edge/x\"\n[image]\nuser = \"1000\"\nports = [\"80\"]\nenv = { A = \"1\" }\n[layers]\ncompression = "
      "\"zstd:19\"\n");
  project.options = {.created = "1700000000",
                     .created_source = "git commit 1234",
                     .labels = {{"org.opencontainers.image.revision", "1234"}}};
  const plan::BuildPlan plan = project.plan();
  CHECK(plan.name == "edge/x");
  CHECK(plan.values.at("name") == plan::Value{"edge/x", "whittle.toml:1"});
  CHECK(plan.values.at("user") == plan::Value{"1000", "whittle.toml:3"});
  CHECK(plan.values.at("workdir") == plan::Value{"/", "default"});
  CHECK(plan.values.at("link") == plan::Value{"static", "default"});
  CHECK(plan.values.at("default") == plan::Value{"whoami", "inferred"});
  CHECK(plan.values.at("created") == plan::Value{"1700000000", "git commit 1234"});
  CHECK(plan.values.at("env A") == plan::Value{"1", "whittle.toml:5"});
  CHECK(plan.image.ports == Strings{"80/tcp"});
  CHECK(plan.image.created == "1700000000");
  CHECK(plan.image.labels.at("org.opencontainers.image.revision") == "1234");
  CHECK(plan.layers.level == 19);
  CHECK_FALSE(plan.values.contains("toolchain"));
  for (const auto& [name, value] : plan.values) {
    CAPTURE(name);
    CHECK_FALSE(value.source.empty());
  }
}

TEST_CASE("a program that ships its libraries is linked by the machine's own compiler, without `-static`") {
  const Files c = {{"a.c", "int main(void) { return 0; }"}, {"whittle.toml", "[build]\nlink = \"closure\"\n"}};
  const plan::BuildPlan plan = Project(c).plan();
  CHECK(plan.link == "closure");
  CHECK(plan.values.at("link") == plan::Value{"closure", "whittle.toml:2"});
  REQUIRE(plan.toolchains.size() == 1);
  CHECK(plan.toolchains.front().cc == "gcc");
  const Strings& flags = plan.toolchains.front().link_flags;
  CHECK(std::count(flags.begin(), flags.end(), "-pie") == 1);
  CHECK(std::count_if(flags.begin(), flags.end(), [](const auto& flag) { return flag.starts_with("-static"); }) == 0);
}

TEST_CASE("a toolchain that cannot build the language is refused") {
  const Error musl =
      Project(Files{{"a.cpp", "int main() {}"}, {"whittle.toml", "[build]\ntoolchain = \"musl\"\n"}}).error();
  CHECK(musl.exit() == Exit::usage);
  CHECK(musl.message() == "the toolchain `musl` cannot build C++ for linux/amd64");
  CHECK(musl.where() == "whittle.toml:2");
}

TEST_CASE(
    "a toolchain of the configuration is the only one that is tried, the host's compiler also for a fixed address") {
  const auto tried = [](const std::string& choice, const char* file) {
    const plan::BuildPlan plan =
        Project(Files{{file, "int main() {}"}, {"whittle.toml", "[build]\ntoolchain = \"" + choice + "\"\n"}}).plan();
    std::string names;
    for (const plan::Toolchain& toolchain : plan.toolchains) names += (names.empty() ? "" : " ") + toolchain.name;
    return names;
  };
  CHECK(tried("auto", "a.c") == "musl zig host host-fixed");
  CHECK(tried("auto", "a.cpp") == "zig host host-fixed");
  CHECK(tried("musl", "a.c") == "musl");
  CHECK(tried("host", "a.c") == "host host-fixed");
  CHECK(tried("zig", "a.cpp") == "zig");
}

TEST_CASE("a Procfile gives processes, and web is the one that starts") {
  const Project project(
      with(kGo, "Procfile",
           "# comment\nworker: bin/whoami --worker 'a b'\n\nweb: ./whoami -port \"80\"\nweb: whoami -port 8080\n"));
  const plan::BuildPlan plan = project.plan();
  CHECK(project.processes() == "*web whoami worker");
  CHECK(plan.image.entrypoint == Strings{"/bin/whoami", "-port", "8080"});
  CHECK(plan.image.processes.at("worker") == Strings{"/bin/whoami", "--worker", "a b"});
  CHECK(plan.values.at("process web") == plan::Value{"/bin/whoami -port 8080", "Procfile:5"});
  const plan::BuildPlan other = Project(with(kGo, "Procfile", "release: rake migrate\n")).plan();
  CHECK(other.warnings ==
        Strings{"Procfile:1: `rake` is not a program of this image, so the process `release` is left out"});
  CHECK(Project(with(with(kGo, "Procfile", "web: whoami a\n"), "whittle.toml",
                     "[process.web]\nargv = [\"/bin/whoami\", \"b\"]\n"))
            .plan()
            .image.entrypoint == Strings{"/bin/whoami", "b"});
}

TEST_CASE("a Procfile line that needs a shell is an error that shows the other way") {
  for (const char* command : {"whoami -port $PORT", "whoami && echo", "whoami > log", "PORT=80 whoami",
                              "whoami \"$PORT\"", "whoami `date`", "cd x; whoami", "whoami *.txt"}) {
    CAPTURE(command);
    const Error error = Project(with(kGo, "Procfile", std::string("web: ") + command + "\n")).error();
    CHECK(error.exit() == Exit::usage);
    CHECK(error.message() == "the process `web` needs a shell, and the image has none");
    CHECK(error.where() == "Procfile:1");
    CHECK(error.hints() ==
          Strings{"write it as words in whittle.toml:\n[process.web]\nargv = [\"/bin/PROGRAM\", \"ARGUMENT\"]"});
  }
  CHECK_THROWS_AS(detectors::parse_procfile("no colon here\n", "Procfile"), Error);
  CHECK_THROWS_AS(detectors::parse_procfile("web:\n", "Procfile"), Error);
  CHECK_THROWS_AS(detectors::parse_procfile("web: 'open\n", "Procfile"), Error);
  CHECK(detectors::parse_procfile("web: a 'b;$c' d\\ e\n", "Procfile")[0].argv == Strings{"a", "b;$c", "d e"});
}

TEST_CASE("files and ignores of the configuration are taken over, missing ones are refused") {
  const Files files = with(with(kGo, "config/a.conf", ""), ".dockerignore", "# c\n/docs\n*.md\n!README.md\nout/\n");
  const plan::BuildPlan plan =
      Project(with(files, "whittle.toml",
                   "[image]\nfiles = [{ source = \"config/\", path = \"/etc/x\" }]\nignore = [\"a/**\"]\n"))
          .plan();
  REQUIRE(plan.image.files.size() == 1);
  CHECK(plan.image.files[0].source == "config/");
  CHECK(plan.image.ignore == Strings{"a/**", "/docs", "*.md", "!README.md", "out/"});
  CHECK(plan.warnings.empty());
  const Error missing = configured("[image]\nfiles = [{ source = \"gone/\", path = \"/x\" }]\n").error();
  CHECK(missing.exit() == Exit::usage);
  CHECK(missing.message() == "`gone/` of `image.files` is not in the source tree");
}

TEST_CASE("paths of an application inside a context are those of the context in its plan") {
  const Files files = {{"go.mod", "module example.org/all\n\ngo 1.21\n"},
                       {"svc/main.go", "package main\nfunc main() {}\n"},
                       {"svc/config/a.conf", ""},
                       {"svc/.dockerignore", "/notes\n!*.txt\n"},
                       {"svc/whittle.toml",
                        "[image]\nfiles = [{ source = \"./config/\", path = \"/etc/x\" }]\nignore = [\"**/*.md\"]\n"}};
  const plan::BuildPlan plan = Project(files, test::Inside{"svc"}).plan();
  CHECK(plan.image.files.at(0).source == "svc/config/");
  CHECK(plan.image.ignore == Strings{"svc/**/*.md", "svc//notes", "!svc/*.txt"});
}

TEST_CASE("a default that is no program is refused") {
  const Error error = configured("[image]\ndefault = \"ghost\"\n").error();
  CHECK(error.exit() == Exit::usage);
  CHECK(error.message() == "the default program `ghost` is not one of this image");
  CHECK(error.details() == Strings{"there are `whoami`"});
}

TEST_CASE("equal trees give equal plans, whatever their folder is called") {
  CHECK(Project(kGo, "one").plan() == Project(kGo, "two").plan());
}

TEST_CASE("whole plans are as reviewed, and survive being committed") {
  const std::vector<std::pair<const char*, Files>> trees = {
      {"go", kGo},
      {"rust",
       {{"Cargo.toml",
         "[package]\nname = \"tally\"\nedition = \"2021\"\nrust-version = \"1.63\"\n[dependencies]\nitoa = \"1\"\n"},
        {"Cargo.lock", "[[package]]\nname = \"itoa\"\nsource = \"registry\"\n"},
        {"src/main.rs", ""}}},
      {"cmake",
       {{"CMakeLists.txt",
         "cmake_minimum_required(VERSION 3.20)\nproject(sensor CXX)\nadd_executable(sensor main.cpp)\ninstall(TARGETS "
         "sensor)\n"},
        {"main.cpp", ""}}},
      {"make", {{"Makefile", "sum: main.o\n\t$(CC) -o $@ $^\n"}, {"main.c", ""}}},
      {"single-file", {{"hello.c", "int main(void) {}\n"}}},
      {"prebuilt",
       {{"tool", std::string("\x7f"
                             "ELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02",
                             17) +
                     std::string(64, '\0')}}},
  };
  for (const auto& [name, files] : trees) {
    const plan::BuildPlan plan = Project(files).plan();
    test::check_golden(fs::path(WHITTLE_SOURCE_DIR) / "tests/detectors/golden" / cat(name, ".json"),
                       pretty_json(plan.to_json()));
    CHECK(plan::BuildPlan::from_json(parse_json(plan.canonical(), "plan.json"), "plan.json") == plan);
  }
}
