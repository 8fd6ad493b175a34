#include "proof/closure.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "proof/packages.hpp"
#include "proof/proof.hpp"
#include "tests/proof/programs.hpp"

using namespace whittle;
using namespace whittle::proof;
using proof::test::kHello;
using proof::test::Programs;

namespace {

using Names = std::vector<std::string>;

Closure closure_on_host(const fs::path& program) {
  return closure_of(read_elf(program), "/", program.native());
}

// Without what no NEEDED names.
Names names(const Closure& closure) {
  Names found;
  for (const ClosureFile& file : closure.files) {
    if (!file.why.starts_with("loaded by")) found.push_back(fs::path(file.installed).filename());
  }
  std::sort(found.begin(), found.end());
  return found;
}

// What the loader itself says: the last words of the lines of `ld.so --list`.
Names names_by_loader(const Programs& programs, const fs::path& program) {
  const fs::path list = programs.make(
      "list", "", "",
      {"sh", "-c",
       cat("/lib64/ld-linux-x86-64.so.2 --list ", program.native(), " | sed -n 's/^[ \t]*\\([^ ]*\\).*/\\1/p' >list")});
  Names found;
  for (const std::string& line : split_lines(read_file(list))) {
    if (!line.starts_with("linux-vdso")) found.push_back(fs::path(line).filename());
  }
  std::sort(found.begin(), found.end());
  return found;
}

const ClosureFile& file_named(const Closure& closure, const std::string& name) {
  const auto found = std::find_if(closure.files.begin(), closure.files.end(),
                                  [&](const ClosureFile& file) { return fs::path(file.installed).filename() == name; });
  REQUIRE(found != closure.files.end());
  return *found;
}

}  // namespace

TEST_CASE("a closure is what the loader would map") {
  const Programs programs;
  const fs::path plain = programs.c("plain", kHello, {});
  const fs::path several = programs.c("several", kHello, {"-Wl,--no-as-needed", "-lcurl", "-lz", "-lstdc++"});
  for (const fs::path& program : {plain, several, fs::path("/usr/bin/python3"), fs::path("/usr/bin/git")}) {
    CAPTURE(program.native());
    const Closure closure = closure_on_host(program);
    CHECK(names(closure) == names_by_loader(programs, program));
    CHECK(closure.missing.empty());
  }
  const Closure closure = closure_on_host(plain);
  CHECK(closure.files.front().installed == "/lib64/ld-linux-x86-64.so.2");
  CHECK(closure.files.front().why == cat("loader of ", plain.native()));
  CHECK(file_named(closure, "libc.so.6").why == cat("needed by ", plain.native()));
  CHECK(closure_on_host(programs.c("alone", kHello, {"-static"})).files.empty());
}

TEST_CASE("libraries are found through run paths, and put where a loader without configuration looks") {
  const Programs programs;
  make_folders(programs.folder() / "lib/inner");
  programs.make("lib/inner/libdeep.so.2", "deep.c", "int deep(void) { return 2; }\n",
                {"gcc", "-shared", "-fPIC", "-Wl,-soname,libdeep.so.2", "-o", "lib/inner/libdeep.so.2", "deep.c"});
  programs.make("lib/libtop.so", "top.c", "int deep(void); int top(void) { return deep(); }\n",
                {"gcc", "-shared", "-fPIC", "-Wl,-soname,libtop.so.1,-rpath,$ORIGIN/inner", "-o", "lib/libtop.so.1.0",
                 "top.c", "lib/inner/libdeep.so.2"});
  fs::create_symlink("libtop.so.1.0", programs.folder() / "lib/libtop.so.1");
  const char* const kUse = "int top(void); int main(void) { return top() - 2; }\n";
  const fs::path program =
      programs.c("use", kUse, {"lib/libtop.so.1", "-Wl,--allow-shlib-undefined,-rpath,$ORIGIN/lib"});
  const Closure closure = closure_on_host(program);
  CHECK(closure.missing.empty());
  CHECK(names(closure) == names_by_loader(programs, program));
  const std::string home = fs::path(file_named(closure, "libc.so.6").installed).parent_path();
  const ClosureFile& top = file_named(closure, "libtop.so.1");
  CHECK(top.installed == home + "/libtop.so.1");
  CHECK(top.file == programs.folder() / "lib/libtop.so.1.0");
  CHECK(file_named(closure, "libdeep.so.2").why == cat("needed by ", programs.folder().native(), "/lib/libtop.so.1"));

  // Without RUNPATH the program's own RPATH holds for what its libraries need.
  const fs::path old = programs.c(
      "old", kUse,
      {"lib/libtop.so.1", "-Wl,--allow-shlib-undefined,--disable-new-dtags,-rpath,lib", "-Wl,-rpath,$ORIGIN/lib"});
  CHECK(names(closure_on_host(old)) == names(closure));
}

TEST_CASE("what is not there is named with who needs it, and what is for another machine is not there") {
  const Programs programs;
  programs.make("libgone.so.1", "gone.c", "int gone(void) { return 0; }\n",
                {"gcc", "-shared", "-fPIC", "-Wl,-soname,libgone.so.1", "-o", "libgone.so.1", "gone.c"});
  const fs::path program =
      programs.c("use", "int gone(void); int main(void) { return gone(); }\n", {"libgone.so.1", "-Wl,-rpath,$ORIGIN"});
  CHECK(closure_on_host(program).missing.empty());
  write_file(programs.folder() / "libgone.so.1",
             "\x7f"
             "ELF and nothing more");
  CHECK(closure_on_host(program).missing == Names{cat("libgone.so.1, needed by ", program.native())});
  const Verdict verdict = check_program(program, "linux/amd64", LibraryRoot{.root = "/", .program = "/bin/use"});
  CHECK_FALSE(verdict.runs_on_scratch);
  CHECK(verdict.findings.front().text == "needs libgone.so.1, needed by /bin/use, which is not there");
}

TEST_CASE("a program in an image finds its libraries there and nowhere else") {
  const Programs programs;
  const fs::path program = programs.c("plain", kHello, {}), root = programs.folder() / "root";
  make_folders(root);
  const auto check = [&] {
    return check_program(program, "linux/amd64", LibraryRoot{.root = root, .program = "/bin/plain"});
  };
  CHECK_FALSE(check().runs_on_scratch);
  for (const ClosureFile& file : closure_on_host(program).files) {
    make_folders((root / file.installed.substr(1)).parent_path());
    fs::copy_file(file.file, root / file.installed.substr(1));
  }
  CHECK(check().runs_on_scratch);
  // A link is followed inside of the image, not on this machine.
  fs::remove(root / "lib64/ld-linux-x86-64.so.2");
  fs::create_symlink("/opt/loader", root / "lib64/ld-linux-x86-64.so.2");
  CHECK_FALSE(check().runs_on_scratch);
  make_folders(root / "opt");
  fs::copy_file(closure_on_host(program).files.front().file, root / "opt/loader");
  CHECK(check().runs_on_scratch);
}

TEST_CASE("paths are resolved inside of a root") {
  const TemporaryFolder folder(fs::temp_directory_path());
  const fs::path root = folder.path();
  make_folders(root / "a/b");
  write_file(root / "a/b/file", "x");
  fs::create_symlink("/a/b", root / "link");
  fs::create_symlink("../../../../a", root / "up");
  fs::create_symlink("loop", root / "loop");
  CHECK(resolved_in(root, "/link/file") == root / "a/b/file");
  CHECK(resolved_in(root, "/up/b/file") == root / "a/b/file");
  CHECK(resolved_in(root, "/../../a/b/file") == root / "a/b/file");
  CHECK(resolved_in(root, "/loop").empty());
  CHECK(resolved_in(root, "/a/gone").empty());
}

TEST_CASE("libraries are known by the package that they are from") {
  const TemporaryFolder folder(fs::temp_directory_path());
  make_folders(folder.path() / "info");
  write_file(folder.path() / "info/libssl3:amd64.list", "/.\n/usr/lib\n/usr/lib/libssl.so.3\n");
  write_file(folder.path() / "info/libc6:amd64.list", "/lib/libc.so.6\n");
  write_file(folder.path() / "status",
             "Package: libc6\nVersion: 2.36-9\n\nPackage: other\nVersion: 1\n\nPackage: libssl3\nVersion: 3.0.15\n");
  const auto owners =
      packages_of({"/usr/lib/libssl.so.3", "/usr/lib/libc.so.6", "/usr/local/lib/libmine.so"}, folder.path());
  CHECK(owners == std::map<std::string, std::string>{{"/usr/lib/libssl.so.3", "libssl3 3.0.15"},
                                                     {"/usr/lib/libc.so.6", "libc6 2.36-9"}});
  CHECK(packages_of({"/usr/lib/libc.so.6"}, folder.path() / "gone").empty());
}
