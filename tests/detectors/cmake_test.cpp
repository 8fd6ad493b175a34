#include <doctest/doctest.h>

#include <algorithm>

#include "detectors/cmake_script.hpp"
#include "tests/detectors/support.hpp"

using namespace whittle;
using test::Files;
using test::Project;
using test::Strings;
using test::targets;

namespace {

const std::string kHead = "cmake_minimum_required(VERSION 3.20...3.28)\nproject(demo C)\n";

plan::BuildPlan plan_of(const std::string& script) {
  return Project(Files{{"CMakeLists.txt", kHead + script},
                       {"main.c", ""},
                       {"whittle.toml", "[image]\ndefault = \"app\"\n"}})
      .plan();
}

}  // namespace

TEST_CASE("the language of CMake: comments, brackets, quotes, escapes, line numbers") {
  const auto commands = detectors::parse_cmake(
      "# a comment ( \n#[[ a\n longer ) one ]] set(A b;c \"d e\" [=[f ${g} ]] ]=] \\#h\\ i)\nIF((A AND B) # c\n)\n",
      "f");
  REQUIRE(commands.size() == 2);
  CHECK(commands[0].name == "set");
  CHECK(commands[0].line == 3);
  REQUIRE(commands[0].arguments.size() == 5);
  CHECK(commands[0].arguments[1].text == "b;c");
  CHECK(commands[0].arguments[2].text == "d e");
  CHECK(commands[0].arguments[3].text == "f ${g} ]] ");
  CHECK(commands[0].arguments[3].is_literal);
  CHECK(commands[0].arguments[4].text == "#h i");
  CHECK(commands[1].name == "if");
  CHECK(commands[1].line == 4);
  CHECK(commands[1].arguments.size() == 5);
}

TEST_CASE("a CMake project's programs are read with their places") {
  const plan::BuildPlan plan =
      Project(Files{{"CMakeLists.txt", kHead + "set(NAME ${PROJECT_NAME}-tool)\nadd_executable(${NAME} main.c)\n"},
                    {"main.c", ""}})
          .plan();
  CHECK(targets(plan) == Strings{"demo-tool"});
  CHECK(plan.values.at("program demo-tool").source == "CMakeLists.txt:4");
  CHECK(plan.name == "demo");
  CHECK(plan.values.at("name").source == "CMakeLists.txt:2");
  CHECK(plan.tools == std::vector<plan::Tool>{{"cmake", ">=3.20", "CMakeLists.txt:1"}, {"ninja", "", ""}});
  CHECK(plan.image.entrypoint == Strings{"/bin/demo-tool"});
  CHECK(plan.warnings.empty());
}

TEST_CASE("CMake is configured for static programs and asked for its model") {
  const plan::BuildPlan plan = plan_of("add_executable(app main.c)\n");
  REQUIRE(plan.steps.size() == 2);
  CHECK(plan.steps[0].argv == Strings{"cmake", "-S", "${source}", "-B", "${work}/build", "-G", "Ninja",
                                      "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=OFF", "-DBUILD_TESTING=OFF",
                                      "-DCMAKE_C_FLAGS=${compile_flags}", "-DCMAKE_CXX_FLAGS=${compile_flags}",
                                      "-DCMAKE_EXE_LINKER_FLAGS=${link_flags}",
                                      "-DCMAKE_PROJECT_INCLUDE=${work}/whittle.cmake"});
  CHECK(plan.steps[0].files.contains("build/.cmake/api/v1/query/codemodel-v2"));
  CHECK(plan.steps[0].files.at("whittle.cmake").starts_with("set(CMAKE_FIND_LIBRARY_SUFFIXES .a)\n"));
  CHECK(plan.steps[0].env.at("CC") == "${cc}");
  CHECK(plan.steps[0].env.at("CXX") == "${cc}");
  CHECK(plan.steps[1].argv == Strings{"cmake", "--build", "${work}/build", "--parallel", "${jobs}", "--target", "app"});
  CHECK(plan.steps[1].report == plan::Report::cmake_file_api);
  CHECK(plan.steps[1].report_folder == "build");
  REQUIRE(plan.toolchains.size() == 4);
  CHECK(plan.toolchains[0].name == "musl");
  CHECK(plan.toolchains[1].name == "zig");
  CHECK_FALSE(plan.leaves_source_alone);
}

TEST_CASE("C++ is what its sources say, and is not tried with a compiler that lacks it") {
  const plan::BuildPlan cpp =
      Project(Files{{"CMakeLists.txt", "project(x)\nadd_executable(x main.cpp)\n"}, {"main.cpp", ""}}).plan();
  CHECK(cpp.language == "cpp");
  REQUIRE(cpp.toolchains.size() == 3);
  CHECK(cpp.toolchains[0].name == "zig");
  CHECK(cpp.steps[0].env.at("CXX") == "${cxx}");
  const plan::BuildPlan c =
      Project(Files{{"CMakeLists.txt", "project(x)\nadd_executable(x main.c)\n"}, {"main.c", ""}, {"tests/t.cpp", ""}})
          .plan();
  CHECK(c.language == "c");
  CHECK(c.toolchains.size() == 4);
}

TEST_CASE("tests, examples, imported, alias and excluded targets are no programs") {
  const Project project(
      Files{{"CMakeLists.txt",
             kHead + "add_executable(demo main.c)\nadd_executable(a::b ALIAS demo)\nadd_executable(tool IMPORTED)\n"
                     "add_executable(extra EXCLUDE_FROM_ALL main.c)\nadd_executable(demo_test main.c)\n"
                     "add_subdirectory(tests)\nadd_subdirectory(examples)\nadd_subdirectory(opt EXCLUDE_FROM_ALL)\n"
                     "if(BUILD_TESTING)\n  add_executable(checks main.c)\nendif()\n"
                     "if(WIN32)\n  add_executable(service main.c)\nendif()\n"},
            {"tests/CMakeLists.txt", "add_executable(t t.c)\n"},
            {"examples/CMakeLists.txt", "add_executable(e e.c)\n"},
            {"opt/CMakeLists.txt", "add_executable(o o.c)\n"},
            {"main.c", ""}});
  CHECK(targets(project.plan()) == Strings{"demo"});
}

TEST_CASE("installed programs are meant more than those that are merely built") {
  CHECK(targets(plan_of(
            "add_executable(app main.c)\nadd_executable(gen gen.c)\ninstall(TARGETS app RUNTIME DESTINATION bin)\n")) ==
        Strings{"app"});
  CHECK(targets(plan_of("add_executable(app main.c)\nadd_executable(gen gen.c)\n")) == Strings{"app", "gen"});
}

TEST_CASE("folders, includes, options and output names are followed") {
  const Project project(Files{
      {"CMakeLists.txt",
       kHead +
           "option(WITH_TOOL \"\" OFF)\noption(WITH_MAIN \"\" ON)\ninclude(cmake/x.cmake)\n"
           "if(WITH_TOOL)\nadd_subdirectory(tool)\nelse()\nadd_subdirectory(${CMAKE_CURRENT_SOURCE_DIR}/src)\nendif()\n"
           "if(NOT WITH_MAIN)\nadd_executable(never main.c)\nendif()\n"},
      {"cmake/x.cmake", "set(APP demo)\n"},
      {"tool/CMakeLists.txt", "add_executable(tool t.c)\n"},
      {"src/CMakeLists.txt",
       "add_executable(${APP}_main main.c)\nset_target_properties(${APP}_main PROPERTIES VERSION 1 OUTPUT_NAME "
       "demo)\n"},
      {"src/main.c", ""}});
  const plan::BuildPlan plan = project.plan();
  CHECK(targets(plan) == Strings{"demo_main"});
  CHECK(plan.outputs[0].installed == "/bin/demo");
  CHECK(plan.values.at("program demo").source == "src/CMakeLists.txt:1");
  Files with_tool = {
      {"CMakeLists.txt",
       kHead +
           "option(WITH_TOOL \"\" OFF)\nadd_executable(demo m.c)\nif(WITH_TOOL)\nadd_executable(tool t.c)\nendif()\n"},
      {"m.c", ""},
      {"whittle.toml", "[build]\nargs = [\"-DWITH_TOOL:BOOL=ON\"]\n"}};
  CHECK(targets(Project(with_tool).plan()) == Strings{"demo", "tool"});
}

TEST_CASE("what only CMake can decide is left to its report, with a warning") {
  const plan::BuildPlan unknown = plan_of("find_package(X)\nif(X_FOUND)\nadd_executable(app main.c)\nendif()\n");
  CHECK(targets(unknown) == Strings{"*"});
  CHECK(unknown.outputs[0].installed == "/bin/");
  CHECK(unknown.image.entrypoint.empty());
  CHECK(unknown.warnings == Strings{"whether `app` is built depends on a condition that only CMake can decide: the "
                                    "programs will be those that CMake reports"});
  CHECK(unknown.steps[1].argv == Strings{"cmake", "--build", "${work}/build", "--parallel", "${jobs}"});
  const plan::BuildPlan loop = plan_of("foreach(x a b)\nadd_executable(${x} main.c)\nendforeach()\n");
  CHECK(targets(loop) == Strings{"*"});
  CHECK(loop.warnings ==
        Strings{"the programs of CMakeLists.txt:4 cannot be read: the programs will be those that CMake reports"});
  const plan::BuildPlan function =
      plan_of("function(program n)\nadd_executable(${n} main.c)\nendfunction()\nprogram(app)\n");
  CHECK(function.warnings[0].starts_with("the programs of CMakeLists.txt:6 cannot be read"));
  CHECK(plan_of("").warnings[0].starts_with("no program could be read from CMakeLists.txt"));
}

TEST_CASE("a package that is required is there") {
  CHECK(targets(plan_of("find_package(X REQUIRED)\nif(X_FOUND)\nadd_executable(app main.c)\nendif()\n")) ==
        Strings{"app"});
}

TEST_CASE("targets of the configuration are promised, also those that could not be read") {
  const Files files = {{"CMakeLists.txt", kHead + "add_executable(app main.c)\nadd_executable(tool main.c)\n"},
                       {"main.c", ""},
                       {"whittle.toml", "[build]\ntargets = [\"hidden\"]\n"}};
  const plan::BuildPlan plan = Project(files).plan();
  CHECK(targets(plan) == Strings{"hidden"});
  CHECK(plan.values.at("program hidden").source == "whittle.toml:2");
}

TEST_CASE("a broken CMakeLists.txt fails with file and line") {
  struct Case {
    const char* text;
    const char* where;
    const char* cause;
  };
  for (const Case& one : std::vector<Case>{
           {"project(x\n", "CMakeLists.txt:1", "`project` is not closed by `)`"},
           {"project(x)\nset(A \"b)\n", "CMakeLists.txt:2", "a quoted argument does not end"},
           {"project(x)\n\nproject\n", "CMakeLists.txt:3", "expected `(` after `project`"},
           {"{ }\n", "CMakeLists.txt:1", "expected a command, not `{`"},
           {"set(A [[b)\n", "CMakeLists.txt:1", "a bracket is not closed by `]]`"},
       }) {
    const Error error = Project(Files{{"CMakeLists.txt", one.text}, {"main.c", "int main(void) {}"}}).error();
    CHECK(error.exit() == Exit::detector_failed);
    CHECK(error.where() == one.where);
    CHECK(error.causes() == Strings{one.cause});
  }
  const Files below = {{"CMakeLists.txt", "project(x)\nadd_subdirectory(a)\n"}, {"a/CMakeLists.txt", "\nset(\n"}};
  CHECK(Project(below).error().where() == "a/CMakeLists.txt:2");
}

TEST_CASE("scripts that go round in circles or grow without end come to an end") {
  CHECK(targets(plan_of("include(CMakeLists.txt)\nadd_subdirectory(.)\nadd_subdirectory(..)\nset(A ${A}${A})\nset(B "
                        "\"${B\")\nadd_executable(app main.c)\n")) == Strings{"app"});
  std::string grows = "set(A xxxxxxxxxxxxxxxx)\n";
  for (int i = 0; i < 40; ++i) grows += "set(A ${A}${A})\n";
  CHECK(targets(plan_of(grows + "add_executable(app main.c)\n")) == Strings{"app"});
}
