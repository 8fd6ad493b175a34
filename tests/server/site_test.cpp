#include "server/site.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>

#include <array>
#include <cerrno>

#include "base/files.hpp"
#include "server/beneath.hpp"
#include "tests/server/support.hpp"

using namespace whittle;
using server::Descriptor;
using test::string_of;
using test::view;

namespace {

using Open = Descriptor (*)(const Descriptor&, const char*);

// What is read, or why not.
std::string content(Open open, const Descriptor& root, const char* path) {
  const Descriptor file = open(root, path);
  if (!file) return errno == ENOENT ? "absent" : "refused";
  std::array<char, 100> text{};
  const ssize_t size = ::read(file.get(), text.data(), text.size());
  return size < 0 ? "unreadable" : std::string(text.data(), static_cast<std::size_t>(size));
}

}  // namespace

TEST_CASE("no link leads out of the folder, and links inside work, with openat2 and without") {
  const TemporaryFolder folder(fs::temp_directory_path(), "beneath-");
  const fs::path site = folder.path() / "site";
  make_folders(site / "a/b");
  write_file(folder.path() / "secret", "secret");
  write_file(site / "a/b/file", "inside");
  fs::create_symlink("../../secret", site / "a/out");
  fs::create_symlink(folder.path() / "secret", site / "absolute");
  fs::create_symlink("b", site / "a/folder");
  fs::create_symlink("folder/../b/file", site / "a/winding");
  fs::create_symlink("../a/folder/file", site / "a/back");
  fs::create_symlink("loop", site / "loop");
  fs::create_symlink("/proc/self/root", site / "magic");
  const Descriptor root(::open(site.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (const Open open : {Open(server::open_beneath), Open(server::open_beneath_by_walking)}) {
    CHECK(content(open, root, "a/b/file") == "inside");
    CHECK(content(open, root, "a/folder/file") == "inside");
    CHECK(content(open, root, "a/winding") == "inside");
    CHECK(content(open, root, "a/back") == "inside");
    CHECK(content(open, root, "a/none") == "absent");
    CHECK(content(open, root, "a/out") == "refused");
    CHECK(content(open, root, "absolute") == "refused");
    CHECK(content(open, root, "loop") == "refused");
    CHECK(content(open, root, "magic/etc/passwd") == "refused");
    CHECK(content(open, root, "../secret") == "refused");
    CHECK(content(open, root, "a/../../secret") == "refused");
    CHECK(content(open, root, "a/b/file/x") != "inside");
  }
}

TEST_CASE("digests are found by path, and only by a whole path") {
  const server::Digests digests("11 404.html\n22 a b\n33 a.html\n44 a/b\n55 b\n");
  CHECK(string_of(digests.find("404.html")) == "11");
  CHECK(string_of(digests.find("a b")) == "22");
  CHECK(string_of(digests.find("a.html")) == "33");
  CHECK(string_of(digests.find("a/b")) == "44");
  CHECK(string_of(digests.find("b")) == "55");
  for (const char* path : {"", "a", "404", "4", "c", "a.htm", "zz", "11 404.html"}) {
    CAPTURE(path);
    CHECK(digests.find(path).empty());
  }
  CHECK(server::Digests("").find("a").empty());
  CHECK(server::Digests("nothing that is a line").find("a").empty());
}
