#include <doctest/doctest.h>

#include "detectors/meson_script.hpp"
#include "tests/detectors/support.hpp"

using namespace whittle;
using test::Files;
using test::Project;
using test::Strings;
using test::targets;

namespace {

const std::string kHead = "project('demo', 'c', meson_version: '>= 0.64.0')\n";

Project project(const std::string& script, Files more = {}) {
  more["meson.build"] = kHead + script;
  more.emplace("main.c", "int main(void) {}");
  return Project(std::move(more));
}

}  // namespace

TEST_CASE("the language of Meson: comments, strings, brackets over lines, calls in assignments") {
  const auto statements = detectors::parse_meson(
      "# executable('no')\nname = 'a\\'b' # c\nexe = executable(name,\n  ['x.c', 'y.c'],\n  install : true,\n)\n"
      "long = '''two\nlines'''\nif host_machine.system() == 'linux'\nendif\nx.method('a')\ny += ['b']\n",
      "f");
  REQUIRE(statements.size() == 6);
  CHECK(statements[0].name == "name");
  CHECK(statements[0].is_assignment);
  CHECK(statements[0].arguments.at(0).at(0).text == "a'b");
  CHECK(statements[1].is_assignment);
  CHECK(statements[2].name == "executable");
  CHECK(statements[2].line == 3);
  CHECK(statements[2].arguments.size() == 2);
  CHECK(statements[2].keywords.at("install").at(0).text == "true");
  CHECK(statements[3].arguments.at(0).at(0).text == "two\nlines");
  CHECK(statements[4].name == "if");
  CHECK(statements[4].line == 9);
}

TEST_CASE("a Meson project's programs are read with their places, and where the target ends up is Meson's to say") {
  const plan::BuildPlan plan = project("subdir('src')\n", {{"src/meson.build",
                                                            "app = meson.project_name()\nexecutable('tool', 'main.c', "
                                                            "install: true)\nexecutable('helper', 'h.c')\n"},
                                                           {"meson_options.txt",
                                                            "option('docs', type: 'feature')\noption('tests', type : "
                                                            "'boolean')\noption('speed', type: 'boolean')\n"}})
                                   .plan();
  CHECK(plan.name == "demo");
  CHECK(plan.values.at("name").source == "meson.build:1");
  CHECK(targets(plan) == Strings{"tool"});
  CHECK(plan.values.at("program tool").source == "src/meson.build:2");
  CHECK(plan.tools == std::vector<plan::Tool>{{"meson", ">=0.64.0", "meson.build:1"}, {"ninja", "", ""}});
  REQUIRE(plan.steps.size() == 2);
  CHECK(plan.steps[0].argv == Strings{"meson", "setup", "${work}/build", "${source}", "--buildtype=release",
                                      "--prefer-static", "--wrap-mode=nodownload", "-Ddefault_library=static",
                                      "-Ddocs=disabled", "-Dtests=false"});
  CHECK(plan.steps[0].env == std::map<std::string, std::string>{
                                 {"CC", "${cc}"}, {"CFLAGS", "${compile_flags}"}, {"LDFLAGS", "${link_flags}"}});
  CHECK(plan.steps[1].argv == Strings{"meson", "compile", "-C", "${work}/build", "-j", "${jobs}", "tool:executable"});
  CHECK(plan.steps[1].report == plan::Report::meson_targets);
  CHECK(plan.toolchains.at(0).name == "musl");
}

TEST_CASE("names are followed through variables and the project's own name") {
  CHECK(targets(project("n = 'one'\nexecutable(n, 'main.c')\n").plan()) == Strings{"one"});
  CHECK(targets(project("executable(meson.project_name(), 'main.c')\n").plan()) == Strings{"demo"});
}

TEST_CASE("without an installed program all count but tests, examples and tools of the build") {
  CHECK(targets(project("executable('app', 'main.c')\nexecutable('app-test', 't.c')\nexecutable('gen', 'g.c', "
                        "native: true)\nsubdir('examples')\n",
                        {{"examples/meson.build", "executable('example', 'e.c')\n"}})
                    .plan()) == Strings{"app"});
}

TEST_CASE("what only Meson can decide is not promised") {
  const plan::BuildPlan conditional = project("if get_option('x')\n  executable('app', 'main.c')\nendif\n").plan();
  CHECK(targets(conditional) == Strings{"*"});
  CHECK(conditional.warnings == Strings{"whether `app` is built depends on a condition that only Meson can decide: the "
                                        "programs will be those that Meson reports"});
  CHECK(conditional.steps[1].argv.back() == "${jobs}");
  const plan::BuildPlan computed =
      project("foreach n : ['a', 'b']\n  executable(n + '-x', n + '.c')\nendforeach\n").plan();
  CHECK(computed.warnings == Strings{"the programs of meson.build:3 cannot be read: the programs will be those that "
                                     "Meson reports"});
  CHECK(targets(project("executable('app', 'main.c')\n",
                        {{"whittle.toml", "[build]\ntargets = [\"other\"]\n[image]\ndefault = \"other\"\n"}})
                    .plan()) == Strings{"other"});
}

TEST_CASE("languages decide: C++ is not tried with a C library alone, others are refused by name") {
  const plan::BuildPlan cpp =
      Project(Files{{"meson.build", "project('x', ['c', 'cpp'])\nexecutable('x', 'm.cpp')\n"}}).plan();
  CHECK(cpp.language == "cpp");
  CHECK(cpp.steps[0].env.at("CXX") == "${cxx}");
  CHECK(cpp.tools[0] == plan::Tool{"meson", ">=0.63", "it finds static libraries"});
  const Error vala = Project(Files{{"meson.build", "\nproject('x', 'vala')\n"}}).error();
  CHECK(vala.exit() == Exit::detector_failed);
  CHECK(vala.where() == "meson.build:2");
  CHECK(vala.causes().at(0) == "whittle builds Meson projects in C and C++, not in vala");
}

TEST_CASE("a broken or hostile meson.build is an error with its place, or has an end") {
  CHECK(project("executable('app").error().where() == "meson.build:2");
  CHECK(project("executable('app',\n'main.c'\n").error().causes().at(0) == "a bracket is not closed");
  CHECK(targets(project("subdir('.')\nsubdir('..')\nexecutable('app', 'main.c')\n").plan()) == Strings{"app"});
  CHECK(targets(project(std::string(100'000, ')') + "\nexecutable('../evil', 'main.c')\n").plan()) == Strings{"*"});
}
