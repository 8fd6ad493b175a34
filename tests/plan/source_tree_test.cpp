#include "plan/source_tree.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>

#include "tests/support/errors.hpp"

using namespace whittle;
using plan::DiskTree;
using plan::MemoryTree;
using plan::NodeKind;
using test::error_of;

namespace {

struct Folder {
  TemporaryFolder temporary{fs::temp_directory_path(), "whittle-tree-"};
  fs::path root = temporary.path() / "app";
  Folder() { make_folders(root); }
  void write(const std::string& path, std::string_view text) const {
    make_folders((root / path).parent_path());
    write_file(root / path, text);
  }
};

std::vector<std::string> paths(const plan::SourceTree& tree) {
  std::vector<std::string> all;
  for (const plan::Node& node : tree.nodes()) all.push_back(node.path);
  return all;
}

}  // namespace

TEST_CASE("a folder is listed by path bytes, without version control") {
  const Folder folder;
  for (const char* path :
       {"b.txt", "a/z", "a.txt", ".git/HEAD", "sub/.git", ".hg/x", ".svn/x", ".whittle/log", ".gitignore"}) {
    folder.write(path, "x");
  }
  CHECK(paths(DiskTree(folder.root)) == std::vector<std::string>{".gitignore", "a", "a.txt", "a/z", "b.txt", "sub"});
}

TEST_CASE("names with line ends and bytes that are no UTF-8 stay as they are") {
  const Folder folder;
  const std::string strange = "a\nb\xff.c";
  folder.write(strange, "int main(void) {}\n");
  folder.write("with space", "x");
  const DiskTree tree(folder.root);
  CHECK(paths(tree) == std::vector<std::string>{strange, "with space"});
  CHECK(tree.read(strange, 100) == "int main(void) {}\n");
}

TEST_CASE("a link that stays inside is read, one that leaves is listed and never read") {
  const Folder folder;
  write_file(folder.temporary.path() / "secret", "secret");
  folder.write("real/file", "inside");
  fs::create_symlink("real/file", folder.root / "good");
  fs::create_symlink("../secret", folder.root / "relative");
  fs::create_symlink(folder.temporary.path() / "secret", folder.root / "absolute");
  fs::create_symlink("../..", folder.root / "up");
  fs::create_symlink("nowhere", folder.root / "dangling");
  fs::create_symlink("loop", folder.root / "loop");
  const DiskTree tree(folder.root);
  CHECK(tree.has("good"));
  CHECK(tree.read("good", 100) == "inside");
  for (const char* link : {"relative", "absolute", "up", "dangling", "loop"}) {
    CAPTURE(link);
    REQUIRE(tree.find(link) != nullptr);
    CHECK(tree.find(link)->kind == NodeKind::link);
    CHECK_FALSE(tree.has(link));
    CHECK_FALSE(tree.read_if_exists(link).has_value());
    CHECK_THROWS_AS(tree.read(link, 100), Error);
  }
  const Error error = error_of([&] { tree.read("relative", 100); });
  CHECK(error.message() == "`relative` leads out of the source tree");
  CHECK(error.exit() == Exit::usage);
  CHECK_THROWS_AS(tree.read("up/secret", 100), Error);
  CHECK_THROWS_AS(tree.read("../secret", 100), Error);
  CHECK_THROWS_AS(tree.read("/etc/passwd", 100), Error);
}

TEST_CASE("a folder behind a link is not followed while listing") {
  const Folder folder;
  folder.write("real/file", "x");
  fs::create_directory_symlink("real", folder.root / "alias");
  CHECK(paths(DiskTree(folder.root)) == std::vector<std::string>{"alias", "real", "real/file"});
}

TEST_CASE("a FIFO is listed and does not make anybody wait") {
  const Folder folder;
  REQUIRE(::mkfifo((folder.root / "pipe").c_str(), 0600) == 0);
  const DiskTree tree(folder.root);
  CHECK(tree.find("pipe")->kind == NodeKind::other);
  const Error error = error_of([&] { tree.read("pipe", 100); });
  CHECK(error.causes() == std::vector<std::string>{"it is not a regular file"});
}

TEST_CASE("a file over the limit is refused, and its head can still be read") {
  const Folder folder;
  folder.write("big", std::string(1001, 'x'));
  const DiskTree tree(folder.root);
  CHECK(tree.read("big", 1001).size() == 1001);
  const Error error = error_of([&] { tree.read("big", 1000); });
  CHECK(error.message() == "cannot read `big`");
  CHECK(error.causes() == std::vector<std::string>{"it is larger than 1.0 kB"});
  CHECK(tree.read_prefix("big", 4) == "xxxx");
}

TEST_CASE("a missing folder, a file and an unreadable folder are usage errors, an empty folder is fine") {
  const Folder folder;
  folder.write("file", "x");
  CHECK(DiskTree(folder.root).name() == "app");
  const Error missing = error_of([&] { DiskTree(folder.root / "nowhere"); });
  CHECK(missing.exit() == Exit::usage);
  CHECK(missing.message() == "cannot read the source folder `" + (folder.root / "nowhere").string() + "`");
  CHECK(missing.causes() == std::vector<std::string>{"no such file or directory"});
  const Error file = error_of([&] { DiskTree(folder.root / "file"); });
  CHECK(file.causes() == std::vector<std::string>{"it is not a folder"});
  CHECK(file.hints() == std::vector<std::string>{"give the folder that holds it: `" + folder.root.string() + "`"});

  make_folders(folder.root / "empty");
  CHECK(DiskTree(folder.root / "empty").nodes().empty());

  make_folders(folder.root / "locked");
  fs::permissions(folder.root / "locked", fs::perms::none);
  if (::geteuid() != 0) {  // nothing is unreadable for root
    const Error locked = error_of([&] { DiskTree(folder.root); });
    CHECK(locked.message() == "cannot list the source folder `" + (folder.root / "locked").string() + "`");
    CHECK(locked.exit() == Exit::usage);
  }
  fs::permissions(folder.root / "locked", fs::perms::owner_all);
}

TEST_CASE("the tree in memory and the tree on disk answer alike") {
  const std::map<std::string, std::string> files = {{"a/b/c.txt", "c"}, {"a.txt", "a"}, {"z", ""}};
  const Folder folder;
  for (const auto& [path, text] : files) folder.write(path, text);
  const DiskTree disk(folder.root);
  const MemoryTree memory(files);
  CHECK(paths(disk) == paths(memory));
  CHECK(disk.glob("**/*.txt") == memory.glob("**/*.txt"));
  CHECK(memory.glob("**/*.txt") == std::vector<std::string>{"a.txt", "a/b/c.txt"});
  for (const plan::SourceTree* tree :
       {static_cast<const plan::SourceTree*>(&disk), static_cast<const plan::SourceTree*>(&memory)}) {
    CHECK(tree->has("a/b/c.txt"));
    CHECK_FALSE(tree->has("a/b"));
    CHECK(tree->has_folder("a/b"));
    CHECK(tree->has_folder("."));
    CHECK_FALSE(tree->has_folder("z"));
    CHECK(tree->read_if_exists("a.txt") == "a");
    CHECK_FALSE(tree->read_if_exists("nothing").has_value());
    CHECK_THROWS_AS(tree->read("nothing", 10), Error);
  }
}
