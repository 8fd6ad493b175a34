#include "detectors/libraries.hpp"

#include <doctest/doctest.h>

using namespace whittle::detectors;

TEST_CASE("the libraries that configure looks for are read from its macros") {
  CHECK(libraries_of_configure("AC_CHECK_LIB([z], [inflate])\nAC_CHECK_LIB(m, sin)\n"
                               "AC_SEARCH_LIBS([tgetent], [tinfo ncurses], [], [AC_MSG_ERROR([no])])\n"
                               "PKG_CHECK_MODULES([CURL], [libcurl >= 7.50 libssl])\n"
                               "dnl AC_CHECK_LIB([never], [x])\n# AC_CHECK_LIB([nor], [this])\n") ==
        Libraries{"libcurl", "libssl", "ncurses", "tinfo", "z"});
  CHECK(optional_in_configure("AC_ARG_WITH([pcre], [AS_HELP_STRING([x])])\nAC_ARG_ENABLE(zlib,\n x)\n") ==
        std::vector<std::string>{"--without-pcre", "--disable-zlib"});
}

TEST_CASE("the libraries that CMake and Meson look for are read from their calls") {
  CHECK(libraries_of_cmake("find_package(ZLIB REQUIRED)\nfind_package(Threads)\n"
                           "pkg_check_modules(UV REQUIRED IMPORTED_TARGET libuv>=1.0)\n"
                           "find_library(READLINE NAMES readline edit PATHS /opt/lib)\n# find_package(Nothing)\n") ==
        Libraries{"ZLIB", "edit", "libuv", "readline"});
  CHECK(libraries_of_meson("zlib = dependency('zlib', version: '>=1.2')\ncc.find_library('m')\n"
                           "edit = cc.find_library('edit', required: false)\ndependency(name)\n") ==
        Libraries{"edit", "zlib"});
}

TEST_CASE("the libraries that a Makefile links are read from its text") {
  CHECK(libraries_of_make("LDLIBS = -lncursesw -lm $(EXTRA)\nCFLAGS += $(shell pkg-config --cflags libxml-2.0 zlib)\n"
                          "# -lnothing\n") == Libraries{"libxml-2.0", "ncursesw", "zlib"});
}

TEST_CASE("text that no build file would have does no harm") {
  CHECK(libraries_of_configure("AC_CHECK_LIB(").empty());
  CHECK(libraries_of_cmake("find_package").empty());
  CHECK(libraries_of_meson("dependency('").empty());
  CHECK(libraries_of_make("-l -l\x01 -l$(X)").empty());
}
