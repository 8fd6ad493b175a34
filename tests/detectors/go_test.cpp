#include <doctest/doctest.h>

#include "detectors/go_module.hpp"
#include "detectors/go_packages.hpp"
#include "tests/detectors/support.hpp"

using namespace whittle;
using test::Files;
using test::Project;
using test::Strings;

namespace {

const std::string kMain = "package main\n\nfunc main() {}\n";
const std::string kModule = "module example.com/whoami\n\ngo 1.25.3\n";

const plan::Step& step(const plan::BuildPlan& plan, std::string_view name) {
  for (const plan::Step& one : plan.steps) {
    if (one.name == name) return one;
  }
  FAIL("no step " << std::string(name));
  return plan.steps.front();
}

}  // namespace

TEST_CASE("a module with a main package at its root is named like the module") {
  const Project project(Files{{"go.mod", kModule}, {"main.go", kMain}});
  const plan::BuildPlan plan = project.plan();
  CHECK(plan.name == "whoami");
  CHECK(plan.values.at("name").source == "go.mod:1");
  CHECK(plan.values.at("go") == plan::Value{"1.25.3", "go.mod:3"});
  CHECK(plan.values.at("program whoami") == plan::Value{".", "main.go:1"});
  REQUIRE(plan.tools.size() == 1);
  CHECK(plan.tools[0].constraint == ">=1.25.3");
  CHECK(plan.tools[0].source == "go.mod:3");
  CHECK(plan.leaves_source_alone);
  CHECK(plan.outputs[0].built == "out/whoami");
  CHECK(plan.outputs[0].target == "example.com/whoami");
  CHECK(plan.image.entrypoint == Strings{"/bin/whoami"});
  CHECK(project.survey().chosen == "go");
}

TEST_CASE("the flags of a Go build make it static, small and the same everywhere") {
  const plan::BuildPlan plan = Project(Files{{"go.mod", kModule}, {"main.go", kMain}}).plan();
  const plan::Step& compile = step(plan, "compile whoami");
  CHECK(compile.argv == Strings{"go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o",
                                "${work}/out/whoami", "."});
  CHECK(compile.env.at("CGO_ENABLED") == "0");
  CHECK(compile.env.at("GOTOOLCHAIN") == "local");
  CHECK(compile.env.at("GOENV") == "off");
  CHECK(compile.env.at("GOPROXY") == "off");
  CHECK(compile.env.at("GOCACHE") == "${cache:go-build}");
  CHECK(compile.env.at("GOMODCACHE") == "${cache:go-mod}");
  CHECK(compile.env.at("GOARCH") == "amd64");
  CHECK_FALSE(compile.network);
  CHECK(step(plan, "list programs").report == plan::Report::go_list);
}

TEST_CASE("modules are fetched by a step of their own, unless there are none or they are vendored") {
  const std::string required = kModule + "require (\n\tgolang.org/x/net v0.1.0 // indirect\n)\n";
  const plan::BuildPlan fetched = Project(Files{{"go.mod", required}, {"main.go", kMain}}).plan();
  const plan::Step& fetch = step(fetched, "fetch modules");
  CHECK(fetch.network);
  CHECK(fetch.argv == Strings{"go", "mod", "download"});
  CHECK_FALSE(fetch.env.contains("GOPROXY"));
  CHECK(fetch.inputs == Strings{"**/go.mod", "**/go.sum", "**/go.work", "**/go.work.sum"});
  CHECK(Project(Files{{"go.mod", kModule}, {"main.go", kMain}}).plan().steps.size() == 2);
  const Files vendored = {{"go.mod", required},
                          {"main.go", kMain},
                          {"vendor/modules.txt", ""},
                          {"vendor/golang.org/x/net/a.go", "package a\n"}};
  CHECK(Project(Files(vendored)).plan().steps.size() == 2);
}

TEST_CASE("a vendor folder that Go itself would not use does not replace the download") {
  const std::string requirement = "require golang.org/x/net v0.1.0\n";
  const Files list_alone = {{"go.mod", kModule + requirement}, {"main.go", kMain}, {"vendor/modules.txt", ""}};
  CHECK(step(Project(Files(list_alone)).plan(), "fetch modules").network);
  const Files old = {{"go.mod", "module example.com/whoami\n\ngo 1.13\n\n" + requirement},
                     {"main.go", kMain},
                     {"vendor/modules.txt", ""},
                     {"vendor/golang.org/x/net/a.go", "package a\n"}};
  CHECK(step(Project(Files(old)).plan(), "fetch modules").network);
}

TEST_CASE("every main below cmd goes into one image, and the one named like the module starts") {
  const Project project(Files{{"go.mod", kModule},
                              {"cmd/whoami/main.go", kMain},
                              {"cmd/helper/main.go", kMain},
                              {"lib.go", "package whoami\n"}});
  CHECK(project.processes() == "helper *whoami");
  CHECK(step(project.plan(), "compile").argv.back() == "./cmd/whoami");
  CHECK(step(project.plan(), "compile").outputs == Strings{"out/helper", "out/whoami"});
}

TEST_CASE("several mains without a default are ambiguous until the configuration says which") {
  const Files files = {{"go.mod", kModule}, {"cmd/a/main.go", kMain}, {"cmd/b/main.go", kMain}};
  const Error error = Project(files).error();
  CHECK(error.exit() == Exit::ambiguous);
  CHECK(error.details() == Strings{"there are `a`, `b`"});
  CHECK(error.hints() == Strings{"say which one starts: `default = \"a\"` under `[image]` in whittle.toml"});
  Files configured = files;
  configured["whittle.toml"] = "[image]\ndefault = \"b\"\n";
  CHECK(Project(configured).processes() == "a *b");
  configured["whittle.toml"] = "[build]\ntargets = [\"a\"]\n";
  CHECK(Project(configured).processes() == "*a");
  configured["whittle.toml"] = "[build]\ntargets = [\"./cmd/b\"]\n";
  CHECK(Project(configured).processes() == "*b");
  configured["whittle.toml"] = "[build]\ntargets = [\"bb\"]\n";
  const Error unknown = Project(configured).error();
  CHECK(unknown.exit() == Exit::usage);
  CHECK(unknown.message() == "there is no program `bb` to build");
  CHECK(unknown.where() == "whittle.toml:2");
  CHECK(unknown.details() == Strings{"there is a, b"});
}

TEST_CASE("tests, examples, other people's code and the developers' tools are no programs of the image") {
  const Project project(Files{{"go.mod", kModule},
                              {"main.go", kMain},
                              {"examples/hello/main.go", kMain},
                              {"testdata/x/main.go", kMain},
                              {"vendor/example.com/x/main.go", kMain},
                              {"_old/main.go", kMain},
                              {".hidden/main.go", kMain},
                              {"hack/gen/main.go", kMain},
                              {"internal/cmd/gen/main.go", kMain},
                              {"tools/main.go", kMain},
                              {"main_test.go", "package main_test\n"}});
  CHECK(project.processes() == "*whoami");
  // Not hidden: they can still be asked for.
  const auto apps = project.survey().candidates.front().apps;
  CHECK(apps.size() == 5);
  Files asked = {{"go.mod", kModule},
                 {"main.go", kMain},
                 {"hack/gen/main.go", kMain},
                 {"whittle.toml", "[build]\ntargets = [\"gen\"]\n"}};
  CHECK(Project(asked).processes() == "*gen");
}

TEST_CASE("files for other systems and ignored files make no program") {
  const Project project(Files{{"go.mod", kModule},
                              {"cmd/whoami/main.go", kMain},
                              {"cmd/win/main_windows.go", kMain},
                              {"cmd/arm/main_linux_arm64.go", kMain},
                              {"cmd/gen/gen.go", "//go:build ignore\n\npackage main\n"},
                              {"cmd/old/gen.go", "// +build ignore\n\npackage main\n"},
                              {"cmd/mac/main.go", "//go:build darwin || (windows && !linux)\n\npackage main\n"},
                              {"cmd/lib/lib.go", "// Package lib.\n/* package main\n*/ package lib // main\n"}});
  CHECK(project.processes() == "*whoami");
}

TEST_CASE("build constraints are asked for linux, the architecture and the tags of the user") {
  const detectors::GoTarget target{"linux", "arm64", {"netgo"}};
  const auto is_built = [&](std::string_view name, std::string_view head) {
    return detectors::read_go_file(name, std::string(head) + "\npackage main\n", target).is_built;
  };
  CHECK(is_built("a.go", "//go:build linux && arm64"));
  CHECK(is_built("a.go", "//go:build unix && go1.18 && gc"));
  CHECK(is_built("a.go", "//go:build netgo"));
  CHECK(is_built("a.go", "//go:build !(windows || amd64)"));
  CHECK_FALSE(is_built("a.go", "//go:build amd64"));
  CHECK_FALSE(is_built("a.go", "//go:build cgo"));
  CHECK_FALSE(is_built("a.go", "//go:build !go1.18"));
  CHECK(is_built("a.go", "// +build linux darwin\n// +build arm64,!cgo"));
  CHECK_FALSE(is_built("a.go", "// +build linux\n// +build amd64"));
  CHECK(is_built("a.go", "//go:build linux\n// +build windows"));
  CHECK(is_built("a_arm64.go", ""));
  CHECK(is_built("a_linux_arm64.go", ""));
  CHECK_FALSE(is_built("a_amd64.go", ""));
  CHECK_FALSE(is_built("a_darwin_arm64.go", ""));
  CHECK(is_built("linux.go", ""));
  CHECK(is_built("windows.go", ""));
  CHECK(is_built("a.go", "//go:build ((((((((("));
  CHECK(detectors::read_go_file("a.go", "\xEF\xBB\xBFpackage main;\n", target).package == "main");
  CHECK(detectors::read_go_file("a.go", "int main() {}\npackage main\n", target).package.empty());
}

TEST_CASE("a program that imports C is built without it first, and with cgo when that fails") {
  const plan::BuildPlan plan =
      Project(Files{{"go.mod", kModule}, {"main.go", "package main\n\nimport \"C\"\n"}}).plan();
  CHECK(plan.values.at("cgo") == plan::Value{"when needed", "main.go:3"});
  CHECK(plan.toolchains.at(0).name == "musl");
  CHECK(plan.toolchains.at(0).link_flags.at(0) == "-static");
  CHECK(plan.steps[0].env.at("CGO_ENABLED") == "1");  // or Go would not see the program
  CHECK(plan.steps[1].env.at("CGO_ENABLED") == "0");
  REQUIRE(plan.steps[1].fallbacks.size() == 1);
  const plan::Fallback& fallback = plan.steps[1].fallbacks[0];
  CHECK(fallback.env.at("CGO_ENABLED") == "1");
  CHECK(fallback.env.at("CC") == "${cc}");
  CHECK(fallback.argv[2] == "-tags=osusergo,netgo,sqlite_omit_load_extension");
}

TEST_CASE("a module that compiles without C and then does not work gets cgo at once") {
  const plan::BuildPlan plan = Project(Files{{"go.mod", kModule + "require github.com/mattn/go-sqlite3 v1.14.24\n"},
                                             {"main.go", "package main\n"},
                                             {"whittle.toml", "[build]\nargs = [\"-tags=fts5\"]\n"}})
                                   .plan();
  CHECK(plan.values.at("cgo").value == "always");
  const plan::Step& step = plan.steps.back();
  CHECK(step.env.at("CGO_ENABLED") == "1");
  CHECK(step.fallbacks.empty());
  CHECK(step.argv[2] == "-tags=osusergo,netgo,sqlite_omit_load_extension,fts5");
  CHECK(std::find(step.argv.begin(), step.argv.end(),
                  "-ldflags=-s -w -buildid= -linkmode external -extldflags '${link_flags}'") != step.argv.end());
}

TEST_CASE("what imports C in tests alone, or is forbidden to, needs no compiler") {
  const Files tree = {
      {"go.mod", kModule}, {"main.go", "package main\n"}, {"a_test.go", "package main\nimport \"C\"\n"}};
  CHECK(Project(tree).plan().toolchains.empty());
  Files off = {{"go.mod", kModule}, {"main.go", "package main\nimport \"C\"\n"}};
  off["whittle.toml"] = "[build]\nenv = { CGO_ENABLED = \"0\" }\n";
  CHECK(Project(off).plan().toolchains.empty());
}

TEST_CASE("names follow Go: the last element, without a major version") {
  CHECK(detectors::go_program_name("example.com/whoami/v2") == "whoami");
  CHECK(detectors::go_program_name("example.com/whoami") == "whoami");
  CHECK(detectors::go_program_name("example.com/v1") == "v1");
  CHECK(detectors::go_program_name("whoami") == "whoami");
  CHECK(detectors::go_program_name("v2") == "v2");
  const Files files = {{"go.mod", "module example.com/yq/v4\n"}, {"main.go", kMain}};
  CHECK(Project(files).plan().name == "yq");
}

TEST_CASE("two programs of one name get theirs from their folders") {
  const Project project(Files{{"go.mod", kModule},
                              {"services/api/cmd/server/main.go", kMain},
                              {"services/web/cmd/server/main.go", kMain},
                              {"whittle.toml", "[image]\ndefault = \"services-web-cmd-server\"\n"}});
  CHECK(project.processes() == "services-api-cmd-server *services-web-cmd-server");
  CHECK(project.plan().steps.size() == 3);
}

TEST_CASE("a workspace builds the programs of all its members, nested modules stay apart") {
  const Files files = {{"go.work", "go 1.24\n\nuse (\n\t./api\n\t./web\n)\n"},
                       {"api/go.mod", "module example.com/api\ngo 1.22\nrequire example.com/x v1.0.0\n"},
                       {"api/main.go", kMain},
                       {"web/go.mod", "module example.com/web\n"},
                       {"web/cmd/web/main.go", kMain},
                       {"other/go.mod", "module example.com/other\n"},
                       {"other/main.go", kMain}};
  const Project project(files);
  CHECK(project.processes() == "api *web");
  const plan::BuildPlan plan = project.plan();
  CHECK(plan.values.at("go") == plan::Value{"1.24", "go.work:1"});
  CHECK(step(plan, "compile").argv.back() == "./web/cmd/web");
  CHECK(plan.outputs[0].target == "example.com/api");
  CHECK(project.survey().candidates[0].evidence[0].file == "go.work");

  Files nested = {{"go.mod", kModule},
                  {"main.go", kMain},
                  {"sub/go.mod", "module example.com/sub\n"},
                  {"sub/cmd/x/main.go", kMain}};
  CHECK(Project(nested).processes() == "*whoami");
}

TEST_CASE("an application inside a workspace or module is built in its own folder of the context") {
  const Files files = {{"go.work", "go 1.24\nuse ./services/api\n"},
                       {"services/api/go.mod", "module example.com/api\ngo 1.22\nrequire example.com/x v1.0.0\n"},
                       {"services/api/main.go", kMain}};
  const plan::BuildPlan plan = Project(files, test::Inside{"services/api"}).plan();
  CHECK(plan.app_root == "services/api");
  CHECK(plan.context_root == ".");
  CHECK(step(plan, "compile api").folder == "src/services/api");

  const Files folder = {{"go.mod", kModule}, {"cmd/tool/main.go", kMain}};
  const plan::BuildPlan inner = Project(folder, test::Inside{"cmd/tool"}).plan();
  CHECK(inner.values.at("go").source == "../../go.mod:3");
  CHECK(inner.outputs[0].target == "example.com/whoami/cmd/tool");
  CHECK(inner.outputs[0].installed == "/bin/tool");
}

TEST_CASE("a broken go.mod or go.work fails with file and line") {
  struct Case {
    Files files;
    const char* where;
    const char* cause;
  };
  for (
      const Case& one : std::vector<Case>{
          {{{"go.mod", "module example.com/x\n\ngo one\n"}}, "go.mod:3", "`one` is no version of Go"},
          {{{"go.mod", "module example.com/x\nrequire (\n\ta v1\n"}}, "go.mod:2", "the block `require (` does not end"},
          {{{"go.mod", "module example.com/x\nrequires a v1\n"}}, "go.mod:2", "unknown directive `requires`"},
          {{{"go.mod", "module example.com/x\nmodule example.com/y\n"}}, "go.mod:2", "a second `module` line"},
          {{{"go.mod", "module \"example.com/x\n"}}, "go.mod:1", "a quoted text does not end"},
          {{{"go.mod", "go 1.22\n"}}, "go.mod", "it has no `module` line"},
          {{{"go.mod", ""}}, "go.mod", "it has no `module` line"},
          {{{"go.mod", kModule}, {"lib.go", "package lib\n"}},
           "go.mod",
           "the module has no main package: it is a library"},
          {{{"go.mod", kModule}, {"examples/x/main.go", kMain}},
           "go.mod",
           "no main package outside examples, tests and tools; there is `./examples/x`"},
          {{{"main.go", kMain}}, "main.go", "there is no go.mod; `go mod init NAME` writes one"},
          {{{"go.work", "use ../outside\n"}}, "go.work:1", "the module `../outside` is outside the source tree"},
          {{{"go.work", "go 1.22\nuse ./gone\n"}},
           "go.work:2",
           "there is no module in `./gone`; `env = { GOWORK = \"off\" }` under `[build]` builds without the workspace"},
      }) {
    const Error error = Project(one.files).error();
    CHECK(error.exit() == Exit::detector_failed);
    CHECK(error.message() == "the go detector cannot read this tree");
    CHECK(error.where() == one.where);
    CHECK(error.causes() == Strings{one.cause});
  }
}

TEST_CASE("arguments of the user reach the compiler, and -ldflags joins ours") {
  const plan::BuildPlan plan = Project(Files{{"go.mod", kModule},
                                             {"main.go", "//go:build special\npackage main\n"},
                                             {"whittle.toml",
                                              "[build]\nargs = [\"-tags=special\", \"-ldflags=-X "
                                              "main.version=1\"]\nenv = { CGO_ENABLED = \"0\", GOAMD64 = \"v3\" }\n"}})
                                   .plan();
  const Strings& argv = step(plan, "compile whoami").argv;
  CHECK(argv[4] == "-ldflags=-s -w -buildid= -X main.version=1");
  CHECK(argv[5] == "-tags=special");
  CHECK(step(plan, "compile whoami").env.at("GOAMD64") == "v3");
  CHECK(plan.values.at("build env GOAMD64") == plan::Value{"v3", "whittle.toml:3"});
  CHECK(step(plan, "list programs").argv[4] == "-tags=special");
}

TEST_CASE("the toolchain line is a preference and no floor") {
  const plan::BuildPlan plan = Project(Files{{"go.mod", kModule + "toolchain go1.26.8\n"}, {"main.go", kMain}}).plan();
  CHECK(plan.tools[0].constraint == ">=1.25.3");
  CHECK(plan.values.at("go toolchain") == plan::Value{"go1.26.8", "go.mod:4"});
  CHECK(
      Project(Files{{"go.mod", "module example.com/x\ngo 1.21rc2\n"}, {"main.go", kMain}}).plan().tools[0].constraint ==
      ">=1.21");
}
