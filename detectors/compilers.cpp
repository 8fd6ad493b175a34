#include "detectors/compilers.hpp"

#include <algorithm>
#include <set>

#include "base/text.hpp"

namespace whittle::detectors {

namespace {

using Words = std::vector<std::string>;

// The last one: `__FILE__` and debug information without the folder that happened to hold the build.
const Words kCompile = {"-fPIE", "-ffunction-sections", "-fdata-sections", "-fstack-protector-strong",
                        "-ffile-prefix-map=${work}=."};
const Words kCompileFixed = {"-fno-pie", "-ffunction-sections", "-fdata-sections", "-fstack-protector-strong",
                             "-ffile-prefix-map=${work}=."};
// glibc has checked variants of the string functions; musl ignores the macro and zig sets its own.
const Words kFortify = {"-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2"};
const Words kLink = {"-Wl,--gc-sections", "-Wl,-z,relro,-z,now", "-Wl,-z,noexecstack", "-Wl,--build-id=none", "-s"};

// Debian's musl-gcc does not know -static-pie: it would link a program that wants an interpreter. What
// the option stands for works by hand: the start file that relocates itself, and a linker told of neither.
const Words kMuslStaticPie = {"-static", "-nostartfiles", "-l:rcrt1.o", "-Wl,-pie,--no-dynamic-linker,-z,text"};

// After musl's own headers, which the kernel's do not belong to.
const Words kKernelHeaders = {"-idirafter", "${kernel_headers}"};
// Assembly and archives that were not made for a program that can lie anywhere.
const Words kPieTrouble = {"recompile with -fPI", "relocation R_", "read-only segment has dynamic relocations",
                           "-static-pie"};

Words operator+(Words a, const Words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

std::string zig_target(std::string_view platform) {
  const std::string_view architecture = platform.substr(platform.find('/') + 1);
  if (architecture == "arm64") return "aarch64-linux-musl";
  if (architecture == "riscv64") return "riscv64-linux-musl";
  if (architecture.starts_with("arm")) return "arm-linux-musleabihf";
  return "x86_64-linux-musl";
}

struct Row {
  plan::Toolchain toolchain;
  bool by_default;  // part of `auto`
};

std::vector<Row> rows(std::string_view platform) {
  const std::string target = zig_target(platform);
  return {
      {{"musl", "musl-gcc", "", kCompile + kKernelHeaders, kMuslStaticPie + kLink, {}, {}}, true},
      {{"host", "gcc", "g++", kCompile + kFortify, Words{"-static-pie"} + kLink, {}, {}}, true},
      {{"host-fixed", "gcc", "g++", kCompileFixed + kFortify, Words{"-static", "-no-pie"} + kLink, kPieTrouble, {}},
       true},
      // For a musl target zig makes -static a static PIE by itself, in C++ too.
      {{"zig",
        cat("zig cc -target ", target),
        cat("zig c++ -target ", target),
        kCompile,
        Words{"-static", "-Wl,--gc-sections", "-Wl,-z,relro,-z,now", "-s"},
        {},
        {}},
       false},
  };
}

}  // namespace

std::vector<plan::Toolchain> toolchains_for(CLanguage language, std::string_view choice, std::string_view platform) {
  std::vector<plan::Toolchain> found;
  for (Row& row : rows(platform)) {
    const std::string_view name = row.toolchain.name;
    const bool is_chosen = choice == "auto" ? row.by_default : name == choice || name == cat(choice, "-fixed");
    const bool can_build = language == CLanguage::c || !row.toolchain.cxx.empty();
    if (is_chosen && can_build) found.push_back(std::move(row.toolchain));
  }
  return found;
}

std::vector<plan::Toolchain> for_cgo(std::vector<plan::Toolchain> toolchains) {
  std::erase_if(toolchains, [](const plan::Toolchain& toolchain) { return toolchain.name == "host-fixed"; });
  for (plan::Toolchain& toolchain : toolchains) {
    std::erase(toolchain.compile_flags, "-fPIE");
    toolchain.link_flags = {"-static", "-Wl,-z,relro,-z,now", "-Wl,-z,noexecstack"};
  }
  return toolchains;
}

std::vector<plan::Toolchain> freestanding(std::vector<plan::Toolchain> toolchains) {
  static const std::set<std::string> kNeedsLibrary = {"-fPIE",
                                                      "-fstack-protector-strong",
                                                      "-U_FORTIFY_SOURCE",
                                                      "-D_FORTIFY_SOURCE=2",
                                                      "-static-pie",
                                                      "-static",
                                                      "-nostartfiles",
                                                      "-l:rcrt1.o",
                                                      "-Wl,-pie,--no-dynamic-linker,-z,text",
                                                      "-fno-pie",
                                                      "-no-pie"};
  const auto drop = [](Words& words) {
    words.erase(
        std::remove_if(words.begin(), words.end(), [](const auto& word) { return kNeedsLibrary.contains(word); }),
        words.end());
  };
  for (plan::Toolchain& toolchain : toolchains) {
    drop(toolchain.compile_flags);
    drop(toolchain.link_flags);
    toolchain.compile_flags =
        Words{"-fno-pie", "-fno-stack-protector", "-fno-asynchronous-unwind-tables"} + toolchain.compile_flags;
    toolchain.link_flags = Words{"-static", "-no-pie", "-Wl,-z,noseparate-code"} + toolchain.link_flags;
  }
  return toolchains;
}

}  // namespace whittle::detectors
