// Real compilers, one program a language.
#include <sys/stat.h>

#include "base/error.hpp"
#include "builder/source_files.hpp"
#include "plans.hpp"
#include "proof/elf.hpp"

using namespace whittle;
using namespace whittle::builder;
using namespace whittle::builder::test;

namespace {

// Path, size, times and identity of everything below a folder (the folder itself has its permissions changed).
std::string fingerprint(const fs::path& root) {
  std::string out;
  for (const SourceFile& file : list_everything(root)) {
    const struct stat& status = file.status;
    out += cat(file.path, " ", status.st_mode, " ", status.st_size, " ", status.st_ino, " ", status.st_mtim.tv_sec, ".",
               status.st_mtim.tv_nsec, " ", status.st_ctim.tv_sec, ".", status.st_ctim.tv_nsec, " ", file.link, "\n");
  }
  return out;
}

void make_read_only(const fs::path& root) {
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    fs::permissions(entry.path(), fs::perms::owner_write, fs::perm_options::remove);
  }
  fs::permissions(root, fs::perms::owner_write, fs::perm_options::remove);
}

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

// One build of everything is dear, so each of the two builds here answers several questions.
TEST_CASE("every language gives one static program that runs, with the same bytes wherever it is built") {
  for (const Language& language : kLanguages) {
    CAPTURE(language.name);
    Machine here;
    language.write(here);
    make_read_only(here.source);
    const std::string before = fingerprint(here.source);
    const Built built = here.build(language.plan());
    fs::permissions(here.source, fs::perms::owner_all);
    const std::string after = fingerprint(here.source);
    CHECK_MESSAGE(after == before, "the source was written to");

    CHECK(output_of(built, here) == language.says);
    CHECK(built.artifacts[0].mode == 0755);
    CHECK(built.artifacts[0].installed == cat("/bin/", built.plan.outputs[0].process));
    CHECK(built.artifacts[0].origin == cat("step ", built.plan.steps.back().name));
    CHECK(built.plan.image.entrypoint == std::vector<std::string>{built.artifacts[0].installed});
    const proof::ElfFile elf = proof::read_elf(built.artifacts[0].file);
    CHECK_FALSE(elf.interpreter);
    CHECK(elf.needed.empty());

    Machine there;
    there.source = there.folder.path() / "another place" / "with blanks";
    make_folders(there.source);
    there.host.cache = there.folder.path() / "far" / "away" / "cache";
    for (const auto& [name, value] : std::map<std::string, std::string>{{"TZ", "Asia/Shanghai"},
                                                                        {"LANG", "de_DE.UTF-8"},
                                                                        {"CFLAGS", "-DWRONG"},
                                                                        {"RUSTFLAGS", "--cfg wrong"},
                                                                        {"GOFLAGS", "-tags=wrong"}}) {
      there.host.environment[name] = value;
    }
    language.write(there);
    const mode_t mask = ::umask(077);
    const Built again = there.build(language.plan(), {.offline = false, .jobs = 8});
    ::umask(mask);
    REQUIRE(again.artifacts.size() == 1);
    CHECK(again.artifacts[0].digest == built.artifacts[0].digest);
    CHECK(again.artifacts[0].mode == built.artifacts[0].mode);
  }
}
