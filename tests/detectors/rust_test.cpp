#include <doctest/doctest.h>

#include <algorithm>

#include "tests/detectors/support.hpp"

using namespace whittle;
using test::Files;
using test::Project;
using test::Strings;

namespace {

const std::string kPackage = "[package]\nname = \"tally\"\nversion = \"1.0.0\"\nedition = \"2021\"\n";
const std::string kLock =
    "[[package]]\nname = \"itoa\"\nversion = \"1.0.0\"\nsource = \"registry+https://example.org\"\n";

bool holds(const Strings& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

TEST_CASE("a package with src/main.rs is one program named like the package") {
  const Project project(Files{{"Cargo.toml", kPackage}, {"src/main.rs", ""}, {"Cargo.lock", "version = 3\n"}});
  const plan::BuildPlan plan = project.plan();
  CHECK(plan.name == "tally");
  CHECK(plan.values.at("name").source == "Cargo.toml:2");
  CHECK(plan.values.at("program tally").source == "src/main.rs");
  CHECK_FALSE(plan.leaves_source_alone);
  REQUIRE(plan.steps.size() == 1);
  CHECK(plan.steps[0].report == plan::Report::cargo_messages);
  for (const char* word :
       {"--release", "--offline", "--locked", "x86_64-unknown-linux-gnu", "--message-format=json-render-diagnostics"}) {
    CHECK(holds(plan.steps[0].argv, word));
  }
  CHECK(plan.outputs[0].target == "tally");
  CHECK(plan.image.entrypoint == Strings{"/bin/tally"});
}

TEST_CASE("the flags link statically and keep folders of this machine out of the program") {
  const plan::BuildPlan plan =
      Project(Files{{"Cargo.toml", kPackage},
                    {"src/main.rs", ""},
                    {".cargo/config.toml", "[build]\nrustflags = [\"--cfg\", \"tokio_unstable\"]\n"}})
          .plan();
  CHECK(plan.steps[0].env.at("CARGO_ENCODED_RUSTFLAGS") ==
        "--cfg\x1ftokio_unstable\x1f-Ctarget-feature=+crt-static\x1f-Cstrip=symbols\x1f"
        "--remap-path-prefix=${cache:cargo}=/cargo\x1f--remap-path-prefix=${keep}=/keep");
  CHECK(plan.steps[0].env.at("CARGO_HOME") == "${cache:cargo}");
}

TEST_CASE("programs are found as cargo finds them") {
  const Project project(
      Files{{"Cargo.toml", kPackage +
                               "default-run = \"two\"\n\n[[bin]]\nname = \"one\"\npath = \"src/main.rs\"\n\n"
                               "[[bin]]\nname = \"gated\"\npath = \"src/gated.rs\"\nrequired-features = [\"extra\"]\n\n"
                               "[[bin]]\nname = \"on\"\npath = \"src/on.rs\"\nrequired-features = [\"std\"]\n\n"
                               "[features]\ndefault = [\"std\"]\nstd = []\nextra = []\n"},
            {"src/main.rs", ""},
            {"src/gated.rs", ""},
            {"src/on.rs", ""},
            {"src/bin/two.rs", ""},
            {"src/bin/three/main.rs", ""},
            {"src/bin/three/part.rs", ""},
            {"examples/four.rs", ""}});
  CHECK(project.processes() == "on one three *two");
  CHECK(project.plan().values.at("program one").source == "Cargo.toml:8");
}

TEST_CASE("required features can be asked for, autobins can be off, the first edition looks less") {
  const Files gated = {
      {"Cargo.toml",
       kPackage +
           "[[bin]]\nname = \"gated\"\npath = \"src/g.rs\"\nrequired-features = [\"extra\"]\n[features]\nextra = []\n"},
      {"src/g.rs", ""},
      {"whittle.toml", "[build]\nargs = [\"--features\", \"extra\"]\n"}};
  CHECK(Project(gated).processes() == "*gated");
  const Files off = {{"Cargo.toml", kPackage + "autobins = false\n[[bin]]\nname = \"a\"\npath = \"src/a.rs\"\n"},
                     {"src/a.rs", ""},
                     {"src/main.rs", ""}};
  CHECK(Project(off).processes() == "*a");
  const Files first = {{"Cargo.toml", "[package]\nname = \"x\"\n[[bin]]\nname = \"a\"\npath = \"src/a.rs\"\n"},
                       {"src/a.rs", ""},
                       {"src/main.rs", ""}};
  CHECK(Project(first).processes() == "*a");
}

TEST_CASE("a workspace builds its default members, else the root package, else every member") {
  Files files = {
      {"Cargo.toml",
       "[workspace]\nmembers = [\"crates/*\"]\nexclude = [\"crates/old\"]\n[workspace.package]\nrust-version = "
       "\"1.80\"\n"},
      {"crates/app/Cargo.toml", "[package]\nname = \"app\"\nedition = \"2021\"\nrust-version.workspace = true\n"},
      {"crates/app/src/main.rs", ""},
      {"crates/lib/Cargo.toml", "[package]\nname = \"lib\"\nedition = \"2021\"\nrust-version = \"1.70\"\n"},
      {"crates/lib/src/lib.rs", ""},
      {"crates/old/Cargo.toml", "[package]\nname = \"old\"\n"},
      {"crates/old/src/main.rs", ""},
      {"crates/tool/Cargo.toml", "[package]\nname = \"tool\"\nedition = \"2021\"\n"},
      {"crates/tool/src/main.rs", ""},
      {"whittle.toml", "[image]\ndefault = \"app\"\n"}};
  CHECK(Project(files).processes() == "*app tool");
  CHECK(Project(files).plan().tools[0] == plan::Tool{"cargo", ">=1.80", "Cargo.toml:5"});
  files["Cargo.toml"] = "[workspace]\nmembers = [\"crates/*\"]\ndefault-members = [\"crates/tool\"]\n";
  files.erase("whittle.toml");
  CHECK(Project(files).processes() == "*tool");
  files["Cargo.toml"] = kPackage + "[workspace]\nmembers = [\"crates/*\"]\n";
  files["src/main.rs"] = "";
  CHECK(Project(files).processes() == "*tally");
}

TEST_CASE("a package inside a workspace takes its lock file and inherited values from there") {
  const Files files = {
      {"Cargo.toml", "[workspace]\nmembers = [\"app\"]\n[workspace.package]\nrust-version = \"1.80\"\n"},
      {"Cargo.lock", kLock},
      {"app/Cargo.toml",
       "[package]\nname = \"app\"\nedition = \"2021\"\nrust-version.workspace = true\n[dependencies]\nitoa = \"1\"\n"},
      {"app/src/main.rs", ""}};
  const plan::BuildPlan plan = Project(files, test::Inside{"app"}).plan();
  REQUIRE(plan.steps.size() == 2);
  CHECK(plan.steps[0].network);
  CHECK(plan.steps[0].argv == Strings{"cargo", "fetch", "--locked", "--target", "x86_64-unknown-linux-gnu"});
  CHECK(plan.steps[1].folder == "src/app");
  CHECK(plan.values.at("rust") == plan::Value{"1.80", "../Cargo.toml:4"});
}

TEST_CASE("crates are fetched only when there are some and they are not vendored") {
  Files files = {
      {"Cargo.toml", kPackage + "[dependencies]\nitoa = \"1\"\n"}, {"src/main.rs", ""}, {"Cargo.lock", kLock}};
  CHECK(Project(files).plan().steps[0].name == "fetch crates");
  files[".cargo/config.toml"] =
      "[source.crates-io]\nreplace-with = \"vendored\"\n[source.vendored]\ndirectory = \"vendor\"\n";
  CHECK(Project(files).plan().steps.size() == 1);
  files.erase(".cargo/config.toml");
  files.erase("Cargo.lock");
  const plan::BuildPlan unlocked = Project(files).plan();
  CHECK(unlocked.steps[0].argv == Strings{"cargo", "fetch", "--target", "x86_64-unknown-linux-gnu"});
  CHECK(unlocked.steps[0].outputs == Strings{"src/Cargo.lock"});
  CHECK_FALSE(holds(unlocked.steps[1].argv, "--locked"));
  REQUIRE(unlocked.warnings.size() == 1);
  CHECK(unlocked.warnings[0].starts_with("there is no Cargo.lock"));
}

TEST_CASE("a pinned toolchain is written down with its place") {
  const Files files = {
      {"Cargo.toml", kPackage}, {"src/main.rs", ""}, {"rust-toolchain.toml", "[toolchain]\nchannel = \"1.78.0\"\n"}};
  CHECK(Project(files).plan().values.at("rust toolchain") == plan::Value{"1.78.0", "rust-toolchain.toml:2"});
  const Files old = {{"Cargo.toml", kPackage}, {"src/main.rs", ""}, {"rust-toolchain", "nightly\n"}};
  CHECK(Project(old).plan().values.at("rust toolchain") == plan::Value{"nightly", "rust-toolchain:1"});
}

TEST_CASE("a broken Cargo.toml fails with file and line") {
  struct Case {
    Files files;
    const char* where;
  };
  for (const Case& one : std::vector<Case>{
           {{{"Cargo.toml", "[package]\nname = \n"}}, "Cargo.toml:2"},
           {{{"Cargo.toml", "[dependencies]\n"}}, "Cargo.toml"},
           {{{"Cargo.toml", "[package]\nversion = \"1\"\n"}}, "Cargo.toml:1"},
           {{{"Cargo.toml", kPackage + "[[bin]]\nname = \"a\"\npath = \"src/gone.rs\"\n"}}, "Cargo.toml:7"},
           {{{"Cargo.toml", kPackage}, {"src/lib.rs", ""}}, "Cargo.toml"},
           {{{"Cargo.toml", "[workspace]\nmembers = [\"a\"]\n"}, {"a/Cargo.toml", "[package\n"}}, "a/Cargo.toml:1"},
       }) {
    const Error error = Project(one.files).error();
    CHECK(error.exit() == Exit::detector_failed);
    CHECK(error.message() == "the rust detector cannot read this tree");
    CHECK(error.where().starts_with(one.where));
  }
  CHECK(Project(Files{{"Cargo.toml", "[dependencies]\n"}}).error().causes() ==
        Strings{"it has neither `[package]` nor `[workspace]`"});
}
