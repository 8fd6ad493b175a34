#include <doctest/doctest.h>

#include "plan/build_plan.hpp"
#include "tests/support/errors.hpp"

using namespace whittle;
using plan::BuildPlan;
using plan::default_process;
using plan::Output;
using plan::settle;
using test::error_of;

namespace {

Output output(std::string built, std::string name, std::string target) {
  Output output;
  output.built = std::move(built);
  output.installed = "/bin/" + name;
  output.process = std::move(name);
  output.target = std::move(target);
  return output;
}

BuildPlan plan_of(std::vector<Output> outputs, std::string name = "app") {
  BuildPlan plan;
  plan.name = std::move(name);
  plan.outputs = std::move(outputs);
  for (const Output& one : plan.outputs) plan.values["program " + one.process] = {one.process, "CMakeLists.txt:4"};
  return plan;
}

}  // namespace

TEST_CASE("the default is the configured process, then web, then the application's name, then the only one") {
  CHECK(default_process({"a", "web", "app"}, "a", "app") == "a");
  CHECK(default_process({"a", "web", "app"}, "", "app") == "web");
  CHECK(default_process({"a", "app"}, "", "app") == "app");
  CHECK(default_process({"a"}, "", "app") == "a");
  CHECK_FALSE(default_process({"a", "b"}, "", "app").has_value());
  CHECK_FALSE(default_process({}, "", "app").has_value());
}

TEST_CASE("the report of the tool settles where a program lies") {
  const BuildPlan settled = settle(plan_of({output("build/", "sensor", "sensor")}),
                                   {{"sensor", "build/src/sensor", false}, {"other", "build/other", false}});
  REQUIRE(settled.outputs.size() == 1);
  CHECK(settled.outputs[0].built == "build/src/sensor");
  CHECK(settled.outputs[0].installed == "/bin/sensor");
  CHECK(settled.outputs[0].target.empty());
  CHECK(settled.image.entrypoint == std::vector<std::string>{"/bin/sensor"});
  CHECK(settled.image.default_process == "sensor");
}

TEST_CASE("an exact path stays, and the report only confirms the name") {
  const BuildPlan plan = plan_of({output("out/whoami", "whoami", "example.com/whoami/v2")});
  const BuildPlan settled = settle(plan, {{"example.com/whoami/v2", "", false}});
  CHECK(settled.outputs[0].built == "out/whoami");
  CHECK_THROWS_AS(settle(plan, {{"example.com/other", "", false}}), Error);
}

TEST_CASE("a program that the tool did not make is an error that names both sides") {
  const Error error = error_of([&] {
    settle(plan_of({output("build/", "sensor", "sensor")}), {{"gauge", "build/gauge", false}});
  });
  CHECK(error.exit() == Exit::build_failed);
  CHECK(error.message() == "the build did not make the program `sensor`");
  CHECK(error.details() == std::vector<std::string>{"the plan has it from CMakeLists.txt:4", "the build made `gauge`"});
}

TEST_CASE("a star stands for every program, or for the installed ones when there are any") {
  Output star = output("build/", "", "*");
  const BuildPlan all = settle(plan_of({star}), {{"app", "build/app", false}, {"tool", "build/tool", false}});
  CHECK(all.outputs.size() == 2);
  CHECK(all.image.processes.size() == 2);
  CHECK(all.image.default_process == "app");
  const BuildPlan installed = settle(plan_of({star}), {{"app_test", "build/app_test", false}, {"x", "build/x", true}});
  REQUIRE(installed.outputs.size() == 1);
  CHECK(installed.outputs[0].installed == "/bin/x");
  CHECK(installed.outputs[0].process == "x");
  CHECK(error_of([&] { settle(plan_of({star}), {}); }).message() == "the build succeeded but made no program");
}

TEST_CASE("a star leaves tests and examples out, unless nothing else was made") {
  Output star = output("build/", "", "*");
  const BuildPlan settled =
      settle(plan_of({star}),
             {{"app", "build/app", false}, {"t", "build/tests/t", false}, {"app_test", "build/app_test", false}});
  REQUIRE(settled.outputs.size() == 1);
  CHECK(settled.outputs[0].process == "app");
  CHECK(settle(plan_of({star}), {{"t", "src/examples/t", false}}).outputs[0].process == "t");
}

TEST_CASE("of two files with one name the installed one counts, then the one nearest to the root") {
  Output star = output("src/", "", "*");
  CHECK(settle(plan_of({star}), {{"x", "src/a/b/x", false}, {"x", "src/x", false}}).outputs[0].built == "src/x");
  CHECK(settle(plan_of({star}), {{"x", "src/a/b/x", true}, {"x", "src/x", false}}).outputs[0].built == "src/a/b/x");
}

TEST_CASE("several programs without a default are ambiguous, with the line that settles it") {
  const Error error = error_of([&] {
    settle(plan_of({output("", "a", "a"), output("", "b", "b")}), {{"a", "x/a", false}, {"b", "x/b", false}});
  });
  CHECK(error.exit() == Exit::ambiguous);
  CHECK(error.message() == "2 programs, and none of them is the default");
  CHECK(error.details() == std::vector<std::string>{"there are `a`, `b`"});
  CHECK(error.hints() ==
        std::vector<std::string>{"say which one starts: `default = \"a\"` under `[image]` in whittle.toml"});
}

TEST_CASE("a configured default that does not exist is refused once the programs are known") {
  BuildPlan plan = plan_of({output("build/", "", "*")});
  plan.image.default_process = "ghost";
  const Error error = error_of([&] { settle(plan, {{"app", "build/app", false}}); });
  CHECK(error.exit() == Exit::usage);
  CHECK(error.message() == "the default program `ghost` is not one of this image");
}

TEST_CASE("processes that the plan has already stay, and settling again changes nothing") {
  BuildPlan plan = plan_of({output("build/", "sensor", "sensor")}, "edge/sensor");
  plan.image.processes["worker"] = {"/bin/sensor", "--worker"};
  const BuildPlan once = settle(plan, {{"sensor", "build/sensor", false}});
  CHECK(once.image.default_process == "sensor");
  CHECK(once.image.processes.at("worker") == std::vector<std::string>{"/bin/sensor", "--worker"});
  CHECK(settle(once, {}) == once);
}
