#include "builder/tool_table.hpp"

#include <algorithm>
#include <array>

namespace whittle::builder {

namespace {

constexpr std::array kTools = {
    KnownTool{"go", "go", "version", "builds Go programs", "apt-get install golang-go"},
    KnownTool{"cargo", "cargo", "--version", "builds Rust programs", "apt-get install cargo"},
    KnownTool{"rustc", "rustc", "--version", "compiles Rust for cargo", "apt-get install rustc"},
    KnownTool{"cmake", "cmake", "--version", "configures CMake projects", "apt-get install cmake"},
    KnownTool{"meson", "meson", "--version", "configures Meson projects", "apt-get install meson"},
    KnownTool{"ninja", "ninja ninja-build", "--version", "builds what CMake or Meson configured",
              "apt-get install ninja-build"},
    KnownTool{"autoreconf", "autoreconf", "--version", "generates configure scripts", "apt-get install autoconf"},
    KnownTool{"automake", "automake", "--version", "generates Makefiles for configure scripts",
              "apt-get install automake libtool pkg-config"},
    KnownTool{"make", "make gmake", "--version", "builds Makefile projects", "apt-get install make"},
    KnownTool{"bmake", "bmake", "-VMAKE_VERSION", "builds Makefiles in BSD's language", "apt-get install bmake"},
    KnownTool{"cc", "cc gcc clang", "--version", "compiles C", "apt-get install gcc libc6-dev"},
    KnownTool{"c++", "c++ g++ clang++", "--version", "compiles C++", "apt-get install g++"},
    KnownTool{"musl-gcc", "musl-gcc", "--version", "links small static C programs", "apt-get install musl-tools"},
    KnownTool{"gcc", "gcc", "--version", "compiles C with the host's library", "apt-get install gcc libc6-dev"},
    KnownTool{"g++", "g++", "--version", "compiles C++ with the host's library", "apt-get install g++"},
    KnownTool{"clang", "clang", "--version", "compiles C with the host's library", "apt-get install clang"},
    KnownTool{"clang++", "clang++", "--version", "compiles C++ with the host's library", "apt-get install clang"},
    KnownTool{"zig", "zig", "version", "compiles C and C++ for other platforms", "pip install ziglang"},
    KnownTool{"node", "node nodejs", "--version", "runs JavaScript", "apt-get install nodejs"},
    KnownTool{"npm", "npm", "--version", "installs packages for Node", "apt-get install npm"},
    KnownTool{"pnpm", "pnpm", "--version", "installs packages for Node", "npm install --global pnpm"},
    KnownTool{"yarn", "yarn yarnpkg", "--version", "installs packages for Node", "npm install --global yarn"},
    KnownTool{"bun", "bun", "--version", "installs packages for Node", "npm install --global bun"},
    KnownTool{"python", "python3 python", "--version", "runs Python applications", "apt-get install python3"},
    KnownTool{"javac", "javac", "--version", "compiles Java, and makes its runtimes",
              "apt-get install openjdk-17-jdk-headless", "/usr/lib/jvm", "JAVA_HOME", "release"},
    KnownTool{"mvn", "mvn", "--version", "builds Maven projects", "apt-get install maven"},
    KnownTool{"gradle", "gradle", "--version", "builds Gradle projects", "apt-get install gradle"},
    KnownTool{"strip", "strip", "--version", "takes symbols out of programs", "apt-get install binutils"},
};

}  // namespace

std::span<const KnownTool> known_tools() {
  return kTools;
}

const KnownTool* find_known_tool(std::string_view name) {
  const auto* found = std::find_if(kTools.begin(), kTools.end(), [&](const KnownTool& t) { return t.name == name; });
  return found == kTools.end() ? nullptr : found;
}

}  // namespace whittle::builder
