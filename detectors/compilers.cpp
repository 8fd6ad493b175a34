#include "detectors/compilers.hpp"

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "detectors/downloads.hpp"
#include "detectors/target_platform.hpp"

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

plan::Toolchain toolchain(std::string name, std::string cc, std::string cxx, Words compile, Words link) {
  plan::Toolchain out;
  out.name = std::move(name);
  out.cc = std::move(cc);
  out.cxx = std::move(cxx);
  out.compile_flags = std::move(compile);
  out.link_flags = std::move(link);
  return out;
}

plan::Toolchain zig(const TargetPlatform& target) {
  // For a musl target zig makes -static a static PIE by itself, in C++ too. It obeys --gc-sections when it only
  // compiles, and an object without a main is left empty.
  plan::Toolchain out = toolchain("zig", cat("zig cc -target ", target.zig), cat("zig c++ -target ", target.zig),
                                  kCompile, {"-static", "-Wl,-z,relro,-z,now", "-s"});
  // Objects for other machines are nothing that the system's own archiver knows.
  out.ar = "zig ar";
  out.ranlib = "zig ranlib";
  // zig compiles its C library when it is first needed for a target; the rest is of this build alone.
  out.env = {{"ZIG_GLOBAL_CACHE_DIR", "${cache:zig}"}, {"ZIG_LOCAL_CACHE_DIR", "${work}/tmp/zig"}};
  out.downloads = zig_downloads();
  return out;
}

// Debian's compiler for another platform, with glibc.
plan::Toolchain debian(const TargetPlatform& target) {
  plan::Toolchain out = toolchain("host", cat(target.gnu, "-gcc"), cat(target.gnu, "-g++"), kCompile + kFortify,
                                  Words{"-static-pie"} + kLink);
  out.ar = cat(target.gnu, "-ar");
  out.ranlib = cat(target.gnu, "-ranlib");
  return out;
}

std::vector<plan::Toolchain> rows(const Surroundings& surroundings) {
  const TargetPlatform& target = target_platform(surroundings.platform);
  if (is_foreign(surroundings)) return {zig(target), debian(target)};
  plan::Toolchain fixed =
      toolchain("host-fixed", "gcc", "g++", kCompileFixed + kFortify, Words{"-static", "-no-pie"} + kLink);
  fixed.signs = kPieTrouble;
  return {toolchain("musl", "musl-gcc", "", kCompile + kKernelHeaders, kMuslStaticPie + kLink), zig(target),
          toolchain("host", "gcc", "g++", kCompile + kFortify, Words{"-static-pie"} + kLink), std::move(fixed)};
}

}  // namespace

std::vector<plan::Toolchain> toolchains_for(CLanguage language, std::string_view choice,
                                            const Surroundings& surroundings) {
  std::vector<plan::Toolchain> found;
  for (plan::Toolchain& one : rows(surroundings)) {
    const bool is_chosen = choice == "auto" || one.name == choice || one.name == cat(choice, "-fixed");
    const bool can_build = language == CLanguage::c || !one.cxx.empty();
    if (is_chosen && can_build) found.push_back(std::move(one));
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
    const Words fixed = {"-static", "-no-pie"};
    const Words dense = toolchain.name == "zig" ? Words{} : Words{"-Wl,-z,noseparate-code"};
    toolchain.link_flags = fixed + dense + toolchain.link_flags;
  }
  return toolchains;
}

}  // namespace whittle::detectors
