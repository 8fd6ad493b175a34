#include "builder/environment.hpp"

#include <doctest/doctest.h>

#include "base/text.hpp"
#include "base/toml.hpp"
#include "builder/placeholders.hpp"

using namespace whittle;
using namespace whittle::builder;

namespace {

struct Home {
  TemporaryFolder folder{fs::temp_directory_path()};
  Host host{.environment = {{"HOME", folder.path().native()}, {"PATH", "/usr/bin"}}, .cache = folder.path() / "cache"};
  void write(const std::string& path, std::string_view text) const {
    make_folders((folder.path() / path).parent_path());
    write_file(folder.path() / path, text);
  }
};

}  // namespace

TEST_CASE("a step's environment is what is listed, and nothing of the caller's") {
  plan::BuildPlan plan;
  plan.image.created = "1700000000";
  const std::vector<ProbedTool> tools = {
      {.name = "go", .path = "/opt/go/bin/go", .version = {}, .describes = {}, .digest = {}},
      {.name = "cc", .path = "/usr/bin/cc", .version = {}, .describes = {}, .digest = {}}};
  CHECK(clean_environment(tools, "/w", plan) == Environment{{"GOENV", "off"},
                                                            {"HOME", "/w/home"},
                                                            {"LANG", "C.UTF-8"},
                                                            {"PATH", "/opt/go/bin:/usr/bin:/usr/local/bin:/bin"},
                                                            {"SOURCE_DATE_EPOCH", "1700000000"},
                                                            {"TMPDIR", "/w/tmp"},
                                                            {"TZ", "UTC"}});
}

TEST_CASE("fetching sees proxies and registries of the environment and of Go's settings, not flags") {
  Home home;
  home.write(".config/go/env", "GOPROXY=https://proxy.example\nGOFLAGS=-tags=wrong\nGOSUMDB=off\nGOROOT=/x\nHOME=/x\n");
  home.write(".netrc", "machine example login x");
  for (const auto& [name, value] : Environment{{"HTTPS_PROXY", "http://proxy:3128"},
                                               {"GOSUMDB", "sum.example"},
                                               {"GOFLAGS", "-tags=wrong"},
                                               {"RUSTFLAGS", "wrong"},
                                               {"CARGO_REGISTRIES_OWN_INDEX", "sparse+https://example/"},
                                               {"CARGO_BUILD_RUSTFLAGS", "wrong"},
                                               {"AWS_SECRET", "x"}}) {
    home.host.environment[name] = value;
  }
  CHECK(network_environment(home.host) == Environment{{"CARGO_REGISTRIES_OWN_INDEX", "sparse+https://example/"},
                                                      {"GIT_TERMINAL_PROMPT", "0"},
                                                      {"GOPROXY", "https://proxy.example"},
                                                      {"GOSUMDB", "sum.example"},
                                                      {"HTTPS_PROXY", "http://proxy:3128"},
                                                      {"NETRC", cat(home.folder.path().native(), "/.netrc")}});
  home.host.environment["GOENV"] = "off";
  CHECK_FALSE(network_environment(home.host).contains("GOPROXY"));
}

TEST_CASE("a private cargo home has the user's registries and no other setting, and no secret") {
  Home home;
  home.write(".cargo/config.toml",
             "[build]\nrustflags = [\"-Cwrong\"]\n[alias]\nb = \"build\"\n[source.crates-io]\nreplace-with = \"own\"\n"
             "[source.own]\nregistry = \"sparse+https://example/index/\"\n[source.vendored]\ndirectory = \"crates\"\n"
             "[registries.team]\nindex = \"https://example/\\\"git\\\"\"\ntoken = \"secret\"\n[net]\nretry = 3\n");
  home.write(".cargo/credentials.toml", "[registry]\ntoken = \"secret\"\n");
  const fs::path own = home.folder.path() / "own";
  prepare_cargo_home(own, home.host, true);
  const Json written = parse_toml(read_file(own / "config.toml"), "config.toml").root;
  CHECK(written == Json{{"net", {{"retry", 3}}},
                        {"registries", {{"team", {{"index", "https://example/\"git\""}}}}},
                        {"source",
                         {{"crates-io", {{"replace-with", "own"}}},
                          {"own", {{"registry", "sparse+https://example/index/"}}},
                          {"vendored", {{"directory", (home.folder.path() / "crates").native()}}}}}});
  CHECK(fs::is_symlink(own / "credentials.toml"));
  prepare_cargo_home(own, home.host, false);
  CHECK_FALSE(fs::exists(fs::symlink_status(own / "credentials.toml")));
}

TEST_CASE("placeholders are filled in; unknown ones are other people's") {
  const Places places{.work = "/w", .source = "/s", .keep = "/k", .tools = "/cache/tools", .jobs = 3};
  const std::vector<ProbedTool> tools = {
      {.name = "go", .path = "/opt/go", .version = {}, .describes = {}, .digest = {}}};
  const FoundToolchain toolchain{.toolchain = {.name = "zig",
                                               .cc = "zig cc",
                                               .cxx = "",
                                               .compile_flags = {"-Os", "-ffile-prefix-map=${work}=."},
                                               .link_flags = {}},
                                 .cc = {"/opt/zig", "cc"},
                                 .cxx = {},
                                 .tools = {}};
  const Placeholders all(places, tools, &toolchain);
  CHECK(all.filled("${work}/a:${source}:${keep}:${jobs}") == "/w/a:/s:/k:3");
  CHECK(all.filled("${cache:go-mod} ${tool:go}") == "/cache/tools/go-mod /opt/go");
  CHECK(all.filled("${CMAKE_X} ${tool:rm} ${cache:../x} ${ $") == "${CMAKE_X} ${tool:rm} ${cache:../x} ${ $");
  CHECK(all.filled("CC=${cc} ${compile_flags}") == "CC=/opt/zig cc -Os -ffile-prefix-map=/w=.");
  const std::vector<std::string> argv = {"${cc}", "${compile_flags}", "x.c", "${link_flags}"};
  CHECK(all.filled(argv) == std::vector<std::string>{"/opt/zig", "cc", "-Os", "-ffile-prefix-map=/w=.", "x.c"});
  CHECK(Placeholders(places, tools, nullptr).filled("${cc}") == "${cc}");
}
