#include "builder/toolchain.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/tool_table.hpp"
#include "plan/versions.hpp"
#include "tests/support/fake_runner.hpp"

using namespace whittle;
using namespace whittle::builder;

namespace {

// A machine whose PATH holds nothing but what a test puts there.
struct Bench {
  TemporaryFolder folder{fs::temp_directory_path()};
  fs::path bin = folder.path() / "bin", tree = folder.path() / "tree", home = folder.path() / "home";
  Host host{.environment = {{"PATH", bin.native()}, {"HOME", home.native()}}, .cache = folder.path() / "cache"};
  std::string says = "go version go1.26.8 linux/amd64\n";
  FakeRunner runner{[this](const Command& command) {
    if (command.argv.at(1) == "which") return FakeRunner::Answer{.out = which};
    return FakeRunner::Answer{.out = says};
  }};
  std::string which;

  Bench() {
    for (const fs::path& path : {bin, tree, home}) make_folders(path);
  }
  void install(const std::string& name) const { write_file(bin / name, "#!/bin/sh\n", 0755); }

  std::vector<ProbedTool> probe(const plan::Tool& tool) {
    return probe_tools(std::vector<plan::Tool>{tool}, tree, host, runner, {});
  }
  Error failure(const std::vector<plan::Tool>& tools) {
    try {
      probe_tools(tools, tree, host, runner, {});
    } catch (const Error& error) {
      return error;
    }
    FAIL("nothing was thrown");
    throw;
  }
};

}  // namespace

TEST_CASE("versions are compared number by number") {
  struct Row {
    const char *version, *constraint;
    bool fits;
  };
  for (const Row& row : {Row{"1.26.8", ">=1.25.3", true},
                         {"1.25", ">=1.25.3", false},
                         {"1.100", ">=1.25", true},
                         {"3.25.1", ">=3.20", true},
                         {"3.25.1", "=3.25", true},
                         {"3.26", "=3.25", false},
                         {"1.2", "=1.2", true},
                         {"2.0", ">=1.5, <2", false},
                         {"1.9.9", ">=1.5,<2", true},
                         {"1.9", "<=1.9", true},
                         {"1.9.7", "<=1.9", true},
                         {"1.9", ">1.9", false},
                         {"anything", "", true}}) {
    CAPTURE(row.version);
    CAPTURE(row.constraint);
    CHECK(plan::satisfies(row.version, row.constraint) == row.fits);
  }
}

TEST_CASE("the version is found in what tools say of themselves") {
  struct Row {
    const char *tool, *says, *version;
  };
  for (const Row& row : {Row{"go", "go version go1.26.8 linux/amd64\n", "1.26.8"},
                         {"gcc", "gcc (Debian 12.2.0-14+deb12u1) 12.2.0\nCopyright\n", "12.2.0"},
                         {"musl-gcc", "x86_64-linux-gnu-gcc (Debian 12.2.0-14+deb12u1) 12.2.0\n", "12.2.0"},
                         {"clang", "Debian clang version 14.0.6\n", "14.0.6"},
                         {"cargo", "cargo 1.95.0 (f2d3ce0bd 2026-03-21)\n", "1.95.0"},
                         {"cmake", "cmake version 3.25.1\n\nCMake suite\n", "3.25.1"},
                         {"ninja", "1.11.1\n", "1.11.1"},
                         {"make", "GNU Make 4.3\n", "4.3"},
                         {"strip", "GNU strip (GNU Binutils for Debian) 2.40\n", "2.40"},
                         {"zig", "0.13.0\n", "0.13.0"}}) {
    Bench bench;
    bench.install(row.tool);
    bench.says = row.says;
    CAPTURE(row.tool);
    CHECK(bench.probe({row.tool, "", ""})[0].version == row.version);
  }
}

TEST_CASE("a tool that was probed is not started again until its program changes") {
  Bench bench;
  bench.install("go");
  const ProbedTool first = bench.probe({"go", ">=1.20", "go.mod:3"})[0];
  CHECK(first.path == bench.bin / "go");
  CHECK(first.digest == digest_of("#!/bin/sh\n"));
  CHECK(bench.runner.commands.size() == 1);
  CHECK(bench.probe({"go", "", ""})[0].version == first.version);
  CHECK(bench.runner.commands.size() == 1);
  write_file(bench.bin / "go", "#!/bin/sh\n# newer\n", 0755);
  bench.says = "go version go1.27 linux/amd64\n";
  CHECK(bench.probe({"go", "", ""})[0].version == "1.27");
  CHECK(bench.runner.commands.size() == 2);
}

TEST_CASE("a damaged probe is asked again") {
  Bench bench;
  bench.install("go");
  bench.probe({"go", "", ""});
  for (const fs::directory_entry& entry : fs::directory_iterator(bench.host.cache / "probes")) {
    write_file(entry.path(), "{");
  }
  CHECK(bench.probe({"go", "", ""})[0].version == "1.26.8");
  CHECK(bench.runner.commands.size() == 2);
}

TEST_CASE("missing tools are named together, each with the package to install") {
  Bench bench;
  bench.install("make");
  const Error error = bench.failure({{"go", ">=1.25.3", "go.mod:5"}, {"make", "", ""}, {"cmake", "", ""}});
  CHECK(error.exit() == Exit::input_unavailable);
  CHECK(error.message() == "the build needs `go`, `cmake`, not found on the PATH");
  CHECK(error.details() == std::vector<std::string>{"wanted: go >=1.25.3 (go.mod:5)", "wanted: cmake"});
  CHECK(error.hints() == std::vector<std::string>{"install it with `apt-get install golang-go`",
                                                  "install it with `apt-get install cmake`"});
}

TEST_CASE("a version that does not satisfy says both versions and where the wish is from") {
  Bench bench;
  bench.install("go");
  bench.says = "go version go1.22.1 linux/amd64\n";
  const Error error = bench.failure({{"go", ">=1.25.3", "go.mod:5"}});
  CHECK(error.exit() == Exit::input_unavailable);
  CHECK(error.message() == "`go` is 1.22.1, and the project wants >=1.25.3");
  CHECK(error.where() == "go.mod:5");
  CHECK(error.details()[0] == cat("found: ", (bench.bin / "go").native(), " (go version go1.22.1 linux/amd64)"));
}

TEST_CASE("a probe cannot make Go fetch a toolchain, nor rustup install one") {
  Bench bench;
  bench.install("go");
  bench.host.environment["GOFLAGS"] = "-x";
  bench.probe({"go", "", ""});
  const auto& env = bench.runner.commands[0].env;
  CHECK(env.at("GOTOOLCHAIN") == "local");
  CHECK(env.at("GOENV") == "off");
  CHECK(env.at("RUSTUP_AUTO_INSTALL") == "0");
  CHECK_FALSE(env.contains("GOFLAGS"));
}

TEST_CASE("rustup's proxy stands for the program that the project's toolchain file chooses") {
  Bench bench;
  bench.install("rustup");
  fs::create_symlink("rustup", bench.bin / "cargo");
  const fs::path real = bench.folder.path() / "toolchains/stable/bin/cargo";
  make_folders(real.parent_path());
  write_file(real, "the real one", 0755);
  bench.which = cat(real.native(), "\n");
  bench.says = "cargo 1.95.0 (f2d3ce0bd 2026-03-21)\n";
  const ProbedTool tool = bench.probe({"cargo", "", ""})[0];
  CHECK(tool.path == real);
  CHECK(tool.digest == digest_of("the real one"));
  CHECK(bench.runner.commands.size() == 2);
  CHECK(bench.runner.commands[0].argv[1] == "which");
  CHECK(bench.runner.commands[0].folder == bench.tree);
  bench.probe({"cargo", "", ""});
  CHECK(bench.runner.commands.size() == 2);
  // A toolchain file, in the tree or above it, may choose another.
  write_file(bench.folder.path() / "rust-toolchain.toml", "[toolchain]\nchannel = \"nightly\"\n");
  bench.probe({"cargo", "", ""});
  CHECK(bench.runner.commands.size() == 4);
  bench.host.environment["RUSTUP_TOOLCHAIN"] = "beta";
  bench.probe({"cargo", "", ""});
  CHECK(bench.runner.commands.size() == 6);
}

TEST_CASE("a toolchain that rustup does not have is named in its own words") {
  Bench bench;
  bench.install("rustup");
  fs::create_hard_link(bench.bin / "rustup", bench.bin / "cargo");
  FakeRunner failing([](const Command&) {
    return FakeRunner::Answer{.status = 1, .error = "error: toolchain '1.70.0-x86_64' is not installed\n"};
  });
  try {
    probe_tools(std::vector<plan::Tool>{{"cargo", "", ""}}, bench.tree, bench.host, failing, {});
    FAIL("nothing was thrown");
  } catch (const Error& error) {
    CHECK(error.exit() == Exit::input_unavailable);
    CHECK(error.message() == "rustup has no `cargo` for this project");
    CHECK(error.causes() == std::vector<std::string>{"error: toolchain '1.70.0-x86_64' is not installed"});
  }
}

TEST_CASE("the survey lists every known tool, found or not") {
  Bench bench;
  bench.install("go");
  const std::vector<ToolReport> reports = survey_tools(bench.host, bench.runner);
  CHECK(reports.size() == known_tools().size());
  for (const ToolReport& report : reports) {
    CAPTURE(report.name);
    // JDKs lie beside each other in a folder of the system, whatever the PATH says.
    if (report.name != "javac") CHECK(report.path.empty() == (report.name != "go"));
    CHECK_FALSE(report.purpose.empty());
    CHECK_FALSE(report.install.empty());
  }
}

TEST_CASE("the real tools of this machine tell their versions") {
  const TemporaryFolder cache(fs::temp_directory_path());
  const Host host{.environment = {{"PATH", std::getenv("PATH")}, {"HOME", std::getenv("HOME")}}, .cache = cache.path()};
  SystemProcessRunner runner;
  for (const char* name :
       {"go", "cargo", "rustc", "cmake", "ninja", "make", "cc", "c++", "musl-gcc", "gcc", "g++", "strip"}) {
    CAPTURE(name);
    const auto tool = probe_tool(name, fs::temp_directory_path(), host, runner, {});
    REQUIRE(tool);
    CHECK(plan::satisfies(tool->version, ">=1.0"));
    CHECK(tool->path.filename() != "rustup");
  }
}
