#include <doctest/doctest.h>

#include "base/text.hpp"
#include "detectors/cargo_closure.hpp"
#include "detectors/go_closure.hpp"
#include "tests/detectors/support.hpp"

using namespace whittle;
using detectors::cargo_inputs;
using detectors::go_inputs;
using test::Strings;

TEST_CASE("imports are read from any head that Go accepts") {
  CHECK(detectors::go_imports("package a\n").empty());
  CHECK(detectors::go_imports("// x\n/* import \"no\" */\npackage a // y\nimport \"fmt\"\nimport `os`\n") ==
        Strings{"fmt", "os"});
  CHECK(detectors::go_imports("package a; import (\n\t// c\n\t. \"one\"\n\t_ \"two\"; alias \"three/v2\"\n)\n"
                              "import(\"four\")\nfunc f() { x := \"five\" }\n") ==
        Strings{"one", "two", "three/v2", "four"});
  CHECK(detectors::go_imports("package a\nimport (\n\"one\"\n").size() == 1);
  CHECK(detectors::go_imports("package a\nimport \"unfinished\n").empty());
  CHECK(detectors::go_imports("no Go").empty());
}

TEST_CASE("Go packages that no chosen program imports are no inputs, and tests are none") {
  const plan::MemoryTree tree(
      {{"go.mod", "module example.com/fleet // why\n\nreplace example.com/old => ./forks/old\n"},
       {"cmd/a/main.go", "package main\nimport \"example.com/fleet/lib/x\"\n"},
       {"cmd/b/main.go", "package main\nimport \"example.com/fleet/lib/y\"\n"},
       {"lib/x/x.go", "package x\nimport (\"example.com/old/deep\"; \"fmt\")\n"},
       {"lib/x/testdata/t.go", "package t\n"},
       {"lib/y/y.go", "package y\n"},
       {"lib/y/inner/i.go", "package inner\n"},
       {"lib/lib.go", "package lib\n"},
       {"forks/old/go.mod", "module example.com/renamed\n"},
       {"forks/old/deep/d.go", "package deep\n"},
       {"forks/old/other/o.go", "package other\n"}});
  CHECK(go_inputs(tree, {"cmd/a"}) ==
        Strings{"**", "!cmd/b/**/*.go", "!forks/old/other/**/*.go", "!lib/*.go", "!lib/y/**/*.go", "!**/*_test.go"});
  const plan::MemoryTree small(
      {{"go.mod", "module m\n"}, {"main.go", "package main\n"}, {"main_test.go", "package main\n"}});
  CHECK(go_inputs(small, {"."}) == Strings{"**"});
}

TEST_CASE("packages of a workspace that the chosen ones do not need are inputs by their manifests alone") {
  const std::string package = "[package]\nname = \"p\"\n";
  const plan::MemoryTree tree(
      {{"Cargo.toml",
        "[workspace]\nmembers = [\"*\"]\n[workspace.dependencies]\nshared = { path = \"shared\" }\n"
        "[patch.crates-io]\nmended = { path = \"mended\" }\n"},
       {"app/Cargo.toml", cat(package, "[dependencies]\nshared.workspace = true\n[build-dependencies]\n",
                              "make = { path = \"../make\" }\n")},
       {"make/Cargo.toml", cat(package, "[target.'cfg(unix)'.dependencies]\nunix = { path = \"inner\" }\n")},
       {"make/inner/Cargo.toml", package},
       {"mended/Cargo.toml", package},
       {"other/Cargo.toml", package},
       {"other/inner/Cargo.toml", package},
       {"shared/Cargo.toml", cat(package, "[dependencies]\ndeep = { path = \"../other/inner\" }\n")},
       {"broken/Cargo.toml", "["}});
  CHECK(cargo_inputs(tree, ".", {"app"}) ==
        Strings{"**", "!other/**", "other/Cargo.toml", "other/inner/**", "shared/**"});
  CHECK(cargo_inputs(tree, ".", {"app", "other"}) == Strings{"**"});
}

TEST_CASE("a program of a monorepo declares what it is made of, and C may be made of anything") {
  test::Files files = {{"go.mod", "module example.com/fleet\n"},
                       {"cmd/a/main.go", "package main\n"},
                       {"cmd/b/main.go", "package main\n"},
                       {"whittle.toml", "[build]\ntargets = [\"a\"]\n"}};
  const plan::BuildPlan plan = test::Project(files).plan();
  REQUIRE(plan.steps.size() == 2);
  CHECK(plan.steps[0].argv[2] == "-deps");
  for (const plan::Step& step : plan.steps) CHECK(step.inputs == Strings{"**", "!cmd/b/**/*.go", "!**/*_test.go"});
  files["cmd/a/c.go"] = "package main\n\nimport \"C\"\n";
  CHECK(test::Project(files).plan().steps[1].inputs == Strings{"**"});
}
