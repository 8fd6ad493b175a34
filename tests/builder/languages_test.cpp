// Real compilers, one program a language.
#include <sys/stat.h>

#include "base/error.hpp"
#include "plans.hpp"
#include "proof/elf.hpp"

using namespace whittle;
using namespace whittle::builder;
using namespace whittle::builder::test;

namespace {

// What the first artifact prints, run in an empty environment.
std::string output_of(const Built& built, Machine& machine) {
  REQUIRE(built.artifacts.size() == 1);
  fs::permissions(built.artifacts[0].file, fs::perms::owner_all);
  return run_captured(machine.runner, {.argv = {built.artifacts[0].file.native()}, .env = {}, .folder = {}}).out;
}

struct Language {
  const char* name;
  plan::BuildPlan (*plan)();
  void (*write)(const Machine&);
  const char* says;
};

const Language kLanguages[] = {
    {"C", c_plan, write_c, "hello from hello.c\n"},
    {"C++", cpp_plan, write_cpp, "hello from hello.cpp\n"},
    {"Go", go_plan, write_go, "hello from example.com/svc/main.go\n"},
    {"Rust", rust_plan, write_rust, "hello from src/main.rs\n"},
    {"CMake", cmake_plan, write_cmake, "hello from ./src/main.c: 3\n"},
    {"Make", make_plan, write_make, "hello from tool.c\n"},
};

}  // namespace

TEST_CASE("every language gives one static program that runs") {
  for (const Language& language : kLanguages) {
    CAPTURE(language.name);
    Machine machine;
    language.write(machine);
    const Built built = machine.build(language.plan());
    CHECK(output_of(built, machine) == language.says);
    CHECK(built.artifacts[0].mode == 0755);
    CHECK(built.artifacts[0].installed == cat("/bin/", built.plan.outputs[0].process));
    CHECK(built.artifacts[0].origin == cat("step ", built.plan.steps.back().name));
    CHECK(built.plan.image.entrypoint == std::vector<std::string>{built.artifacts[0].installed});
    const proof::ElfFile elf = proof::read_elf(built.artifacts[0].file);
    CHECK_FALSE(elf.interpreter);
    CHECK(elf.needed.empty());
  }
}

TEST_CASE("folder, home, cache, umask, time zone and locale do not change a byte") {
  for (const Language& language : kLanguages) {
    CAPTURE(language.name);
    Machine here, there;
    there.source = there.folder.path() / "another place" / "with blanks";
    make_folders(there.source);
    there.host.cache = there.folder.path() / "far" / "away" / "cache";
    there.host.environment["TZ"] = "Asia/Shanghai";
    there.host.environment["LANG"] = "de_DE.UTF-8";
    there.host.environment["CFLAGS"] = "-DWRONG";
    there.host.environment["RUSTFLAGS"] = "--cfg wrong";
    there.host.environment["GOFLAGS"] = "-tags=wrong";
    language.write(here);
    language.write(there);
    const Built first = here.build(language.plan());
    const mode_t before = ::umask(077);
    const Built second = there.build(language.plan(), {.offline = false, .jobs = 8});
    ::umask(before);
    REQUIRE(first.artifacts.size() == 1);
    REQUIRE(second.artifacts.size() == 1);
    CHECK(first.artifacts[0].digest == second.artifacts[0].digest);
    CHECK(first.artifacts[0].mode == second.artifacts[0].mode);
  }
}
