#include "detectors/modules.hpp"

#include <doctest/doctest.h>

#include "base/text.hpp"
#include "tests/detectors/support.hpp"

using namespace whittle;
using test::Files;
using test::Project;
using test::Strings;

namespace {

// "NAME SOURCE", with what is known of it.
Strings told(const std::vector<plan::Module>& modules) {
  Strings list;
  for (const plan::Module& module : modules) {
    list.push_back(cat(module.name, " ", module.source, module.linked ? " linked" : "",
                       module.whole_closure ? " whole" : "", module.elsewhere ? " elsewhere" : ""));
  }
  return list;
}

Strings modules(Files files, const std::string& configuration = "") {
  files.emplace("main.c", "int main(void) {}");
  if (!configuration.empty()) files["whittle.toml"] = configuration;
  return told(Project(std::move(files)).plan().modules);
}

Strings in_meson(const std::string& script, Files more = {}, const std::string& configuration = "") {
  more["meson.build"] = "project('demo', 'c')\n" + script + "executable('tool', 'main.c')\n";
  return modules(std::move(more), configuration);
}

Strings in_cmake(const std::string& script) {
  return modules({{"CMakeLists.txt", "project(demo C)\n" + script + "add_executable(tool main.c)\n"}});
}

Strings in_configure(const std::string& script) {
  return told(detectors::modules_of_configure(script, "configure.ac"));
}

Strings in_make(const std::string& text) {
  return modules({{"Makefile", text + "tool: main.o\n\t$(CC) -o $@ $^ $(LIBS) $(LDLIBS)\n"}});
}

}  // namespace

TEST_CASE("modules that Meson is told to find are required, with their places") {
  CHECK(in_meson("a = dependency('frob', version: '>= 1.2')\ndependency('knob', required: true)\n") ==
        Strings{"frob meson.build:2 linked whole elsewhere", "knob meson.build:3 linked whole elsewhere"});
  CHECK(in_meson("deps = [\n  dependency('frob'),\n  dependency('knob', required: false)]\n") ==
        Strings{"frob meson.build:3 linked whole elsewhere"});
}

TEST_CASE("modules that Meson can do without are not required") {
  CHECK(in_meson("a = dependency('frob', required: get_option('frob'))\n").empty());
  CHECK(in_meson("if get_option('x')\n  a = dependency('frob')\nendif\n").empty());
  CHECK(in_meson("a = dependency('frob', fallback: ['frob', 'frob_dep'])\n").empty());
  CHECK(in_meson("a = dependency('frob', native: true)\n").empty());
  CHECK(in_meson("a = dependency('threads')\nb = dependency('zlib')\nc = dependency(name)\n").empty());
  CHECK(in_meson("p = subproject('x')\nx = p.dependency('frob')\n").empty());
  CHECK(in_meson("a = dependency('frob')\n", {{"subprojects/frob.wrap", "[wrap-file]\n"}}).empty());
  CHECK(in_meson("a = dependency('frob')\n", {{"subprojects/f.wrap", "[provide]\nfrob = frob_dep\n"}}).empty());
  CHECK(in_meson("a = dependency('frob')\n", {{"lib/frob.pc.in", "Name: frob\n"}}).empty());
  CHECK(in_meson("a = dependency('frob')\n", {}, "[build]\nargs = [\"-Dpkg_config_path=/opt/x\"]\n").empty());
  CHECK(in_meson("a = dependency('frob')\n", {}, "[build]\nenv = { PKG_CONFIG_PATH = \"/opt/x\" }\n").empty());
}

TEST_CASE("what only one of several programs may link is not said to be linked") {
  CHECK(in_meson("a = dependency('frob')\nexecutable('other', 'main.c')\n", {}, "[image]\ndefault = \"tool\"\n") ==
        Strings{"frob meson.build:2 whole elsewhere"});
  CHECK(in_meson("a = dependency('frob')\nshared_module('plugin', 'p.c')\n") ==
        Strings{"frob meson.build:2 whole elsewhere"});
}

TEST_CASE("modules that CMake requires outside of conditions that only it can decide") {
  CHECK(in_cmake("find_package(PkgConfig REQUIRED)\npkg_check_modules(X REQUIRED IMPORTED_TARGET frob>=1.0 knob)\n") ==
        Strings{"frob CMakeLists.txt:3 linked", "knob CMakeLists.txt:3 linked"});
  CHECK(in_cmake("pkg_check_modules(X frob)\npkg_check_modules(Y QUIET knob)\n").empty());
  CHECK(in_cmake("if(SOMETHING)\npkg_check_modules(X REQUIRED frob)\nendif()\n").empty());
  CHECK(in_cmake("option(X \"\" OFF)\nif(X)\npkg_check_modules(X REQUIRED frob)\nendif()\n").empty());
  CHECK(in_cmake("option(X \"\" ON)\nif(X)\npkg_check_modules(X REQUIRED frob)\nendif()\n") ==
        Strings{"frob CMakeLists.txt:4 linked"});
  CHECK(in_cmake("pkg_check_modules(X REQUIRED ${NAMES})\n").empty());
  CHECK(in_cmake("set(ENV{PKG_CONFIG_PATH} /opt)\npkg_check_modules(X REQUIRED frob)\n").empty());
}

TEST_CASE("modules that configure stops without") {
  CHECK(in_configure("PKG_CHECK_MODULES([X], [frob >= 1.2 knob])\n") ==
        Strings{"frob configure.ac:1", "knob configure.ac:1"});
  CHECK(in_configure("PKG_CHECK_MODULES(X, frob,\n  [AC_DEFINE([HAVE_X], [1], [yes])])\n") ==
        Strings{"frob configure.ac:1"});
  CHECK(in_configure("PKG_CHECK_MODULES_STATIC([X], [frob])\n") == Strings{"frob configure.ac:1 whole"});
  CHECK(in_configure("if test x = y; then\n  true\nfi\nPKG_CHECK_MODULES([X], [frob])\n") ==
        Strings{"frob configure.ac:4"});
}

TEST_CASE("modules that configure may do without are not required") {
  CHECK(in_configure("PKG_CHECK_MODULES([X], [frob], [yes=1], [yes=0])\n").empty());
  CHECK(in_configure("PKG_CHECK_MODULES([X], [frob], , [AC_MSG_WARN([no frob])])\n").empty());
  CHECK(in_configure("if test \"$with_x\" = yes; then\n  PKG_CHECK_MODULES([X], [frob])\nfi\n").empty());
  CHECK(in_configure("case $x in\n  a)\n  PKG_CHECK_MODULES([X], [frob]) ;;\nesac\n").empty());
  CHECK(in_configure("AS_IF([test x],\n[\nPKG_CHECK_MODULES([X], [frob])\n])\n").empty());
  CHECK(in_configure("AC_ARG_WITH([x], [help],\n  [PKG_CHECK_MODULES([X], [frob])])\n").empty());
  CHECK(in_configure("dnl PKG_CHECK_MODULES([X], [frob])\n# PKG_CHECK_MODULES([X], [frob])\n").empty());
  CHECK(in_configure("PKG_CHECK_MODULES([X], [$NAMES])\nPKG_CHECK_MODULES([X\n").empty());
  CHECK(in_configure("export PKG_CONFIG_PATH=/opt\nPKG_CHECK_MODULES([X], [frob])\n").empty());
}

TEST_CASE("modules whose flags a Makefile's only program is linked with") {
  CHECK(in_make("LIBS = $(shell pkg-config --libs frob)\n") == Strings{"frob Makefile:1 linked elsewhere"});
  CHECK(in_make("LDLIBS += `pkg-config --cflags --libs frob knob`\n") ==
        Strings{"frob Makefile:1 linked elsewhere", "knob Makefile:1 linked elsewhere"});
  CHECK(in_make("LIBS := $(shell $(PKG_CONFIG) --static --libs frob)\n") ==
        Strings{"frob Makefile:1 linked whole elsewhere"});
}

TEST_CASE("modules that a Makefile asks for by the way are not required") {
  CHECK(in_make("OTHER = $(shell pkg-config --libs frob)\n").empty());
  CHECK(in_make("LIBS = $(shell pkg-config --libs frob 2>/dev/null || echo -lfrob)\n").empty());
  CHECK(in_make("CFLAGS += $(shell pkg-config --cflags frob)\n").empty());
  CHECK(in_make("ifdef X\nLIBS = $(shell pkg-config --libs frob)\nendif\n").empty());
  CHECK(in_make("export PKG_CONFIG_PATH = /opt\nLIBS = $(shell pkg-config --libs frob)\n").empty());
}
