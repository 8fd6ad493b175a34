#include "builder/missing.hpp"

#include <doctest/doctest.h>

#include "base/text.hpp"
#include "builder/debian_packages.hpp"
#include "builder/host_libraries.hpp"

using namespace whittle;
using namespace whittle::builder;

namespace {

std::string told(std::string_view said) {
  const std::optional<Missing> missing = missing_in(said);
  return missing ? cat(description_of(*missing), ": ", package_of(*missing)) : "nothing";
}

}  // namespace

TEST_CASE("what compilers, linkers and configure lack is named with its Debian package") {
  CHECK(told("sl.c:40:10: fatal error: curses.h: No such file or directory\n") ==
        "the header `curses.h`: libncurses-dev");
  CHECK(told("a.c:1:10: fatal error: 'openssl/ssl.h' file not found\n") == "the header `openssl/ssl.h`: libssl-dev");
  CHECK(told("gcc ok\n/usr/bin/ld: cannot find -lonig: No such file or directory\n") ==
        "the library `onig`: libonig-dev");
  CHECK(told("/usr/bin/ld: cannot find -lfrob\ncollect2: error\n") == "the library `frob`: libfrob-dev");
  CHECK(told("Package 'libbrotlicommon', required by 'libcurl', not found\n") ==
        "the package `libbrotlicommon` (needed by `libcurl`): libbrotli-dev");
  CHECK(told("Package 'frob', required by 'virtual:world', not found\n") == "the package `frob`: libfrob-dev");
  CHECK(told("Package libevent was not found in the pkg-config search path.\n") ==
        "the package `libevent`: libevent-dev");
  CHECK(told("No package 'libuv' found\n") == "the package `libuv`: libuv1-dev");
  CHECK(told("meson.build:73:0: ERROR: Dependency \"libcap\" not found, tried pkgconfig and cmake\n") ==
        "the package `libcap`: libcap-dev");
  CHECK(told("a.build:3:0: ERROR: C static library 'frob' not found\n") == "the library `frob`: libfrob-dev");
  CHECK(told("CMake Error: Could NOT find OpenSSL, try to set the path\n") == "the package `OpenSSL`: libssl-dev");
  CHECK(told("-- Could NOT find BZip2 (missing: BZIP2_LIBRARIES)\n") == "the package `BZip2`: libbz2-dev");
  CHECK(told("configure: error: *** zlib missing - install first or check config.log ***\n") ==
        "the package `zlib`: zlib1g-dev");
  CHECK(told("/bin/sh: 1: bison: not found\n") == "the program `bison`: bison");
  CHECK(told("build.sh: line 3: yacc: command not found\n") == "the program `yacc`: bison");
}

TEST_CASE("what is wrong with the project itself names nothing that could be installed") {
  CHECK(told("main.c:1:1: error: unknown type name 'foo'\n") == "nothing");
  CHECK(told("/usr/bin/ld: main.o: undefined reference to `frob'\n") == "nothing");
  // Its own header, which a script of its own should have made.
  CHECK(told("sh.h:952:10: fatal error: sh_flags.gen: No such file or directory\n") == "the header `sh_flags.gen`: ");
  CHECK_FALSE(remedy_for({Missing::Kind::header, "sh_flags.gen", ""}, "linux/amd64"));
  CHECK(told("fatal error: a b; rm -rf: No such file or directory\n") == "nothing");
}

TEST_CASE("what is there in another form, or there after all, is told apart") {
  CHECK_FALSE(remedy_for({Missing::Kind::header, "stdio.h", ""}, "linux/amd64"));
  CHECK_FALSE(remedy_for({Missing::Kind::library, "m", ""}, "linux/amd64"));
  const std::optional<Remedy> remedy = remedy_for({Missing::Kind::library, "nowhere-to-be-found", ""}, "linux/amd64");
  REQUIRE(remedy);
  CHECK(remedy->state == "is not installed");
  CHECK(remedy->hint == "install it, on Debian with `apt-get install libnowhere-to-be-found-dev`");
}

TEST_CASE("of several libraries the one that nobody can install is told") {
  const std::string said =
      "/usr/bin/ld: cannot find -lunistring: No such file\n/usr/bin/ld: cannot find -lp11-kit: No\n";
  CHECK(told(said) == "the library `p11-kit`: libp11-kit-dev");
  CHECK(told("/usr/bin/ld: cannot find -lunistring: No such file\n") == "the library `unistring`: libunistring-dev");
  const std::optional<Remedy> remedy = remedy_for({Missing::Kind::library, "p11-kit", ""}, "linux/amd64");
  REQUIRE(remedy);
  CHECK(remedy->state == "is not to be had: Debian's libp11-kit-dev has no static library");
}

TEST_CASE("the module that asks for a library is found by what the link spoke of") {
  // libcurl's private libraries end in its own choice of others; z is one of them everywhere.
  CHECK(host_module_with("z", "gcc main.o -lcurl -lssl", "linux/amd64") == "libcurl");
  CHECK(host_module_with("z", "gcc main.o", "linux/amd64").empty());
  CHECK(host_module_with("nowhere", "gcc main.o -lcurl ", "linux/amd64").empty());
}

TEST_CASE("one library goes by several names") {
  CHECK(names_of_library("ZLIB") == std::vector<std::string>{"z", "zlib"});
  CHECK(names_of_library("frob").empty());
}
