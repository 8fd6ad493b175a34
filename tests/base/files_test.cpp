#include "base/files.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/error.hpp"
#include "base/text.hpp"

using namespace whittle;

namespace {

struct Folder : TemporaryFolder {
  Folder() : TemporaryFolder(fs::temp_directory_path()) {}
  fs::path operator/(const char* name) const { return path() / name; }
  std::size_t count() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(path()), fs::directory_iterator()));
  }
};

}  // namespace

TEST_CASE("a file appears complete or not at all") {
  const Folder folder;
  {
    AtomicFile file(folder.path());
    file.write(bytes_of("half"));
    CHECK(folder.count() == 1);
  }
  CHECK(folder.count() == 0);
  AtomicFile file(folder.path());
  file.write(bytes_of("whole"));
  CHECK_FALSE(fs::exists(folder / "target"));
  file.commit(folder / "target", 0640);
  CHECK(folder.count() == 1);
  CHECK(read_file(folder / "target") == "whole");
  struct stat status {};
  REQUIRE(::stat((folder / "target").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0640);
}

TEST_CASE("writing replaces what was there, also a file that is open elsewhere") {
  const Folder folder;
  write_file(folder / "f", "old");
  FileSource old(folder / "f");
  write_file(folder / "f", "new");
  CHECK(read_file(folder / "f") == "new");
  CHECK(read_all(old, 10, "f") == "old");
}

TEST_CASE("a file that need not outlive a crash appears whole too, with its mode") {
  const Folder folder;
  write_unsynced(folder / "f", "old");
  write_unsynced(folder / "f", "new", 0755);
  CHECK(read_file(folder / "f") == "new");
  CHECK((fs::status(folder / "f").permissions() & fs::perms::mask) == fs::perms(0755));
  CHECK(folder.count() == 1);
}

TEST_CASE("a missing file is nothing, an unreadable one an error that names it") {
  const Folder folder;
  CHECK_FALSE(read_file_if_exists(folder / "none"));
  CHECK_FALSE(read_file_if_exists(folder / "none/below"));
  CHECK_THROWS_WITH_AS(read_file(folder / "none"), cat("cannot open `", (folder / "none").native(), "`").c_str(),
                       Error);
  CHECK_THROWS_AS(read_file(folder.path()), Error);
  write_file(folder / "big", std::string(100, 'x'));
  CHECK_THROWS_WITH_AS(read_file(folder / "big", 99),
                       cat("`", (folder / "big").native(), "` is larger than 99 B").c_str(), Error);
}

TEST_CASE("a whole tree is removed, with read-only folders in it and links left alone") {
  const Folder folder;
  make_folders(folder / "tree/a/b");
  write_file(folder / "tree/a/b/f", "x");
  write_file(folder / "kept", "x");
  fs::create_symlink(folder / "kept", folder / "tree/a/link");
  ::chmod((folder / "tree/a/b").c_str(), 0500);
  ::chmod((folder / "tree/a").c_str(), 0500);
  remove_tree(folder / "tree");
  CHECK_FALSE(fs::exists(folder / "tree"));
  CHECK(fs::exists(folder / "kept"));
  CHECK_NOTHROW(remove_tree(folder / "tree"));
}

TEST_CASE("a folder that cannot be made is named") {
  const Folder folder;
  write_file(folder / "f", "");
  CHECK_THROWS_WITH_AS(make_folders(folder / "f/g"),
                       cat("cannot create the folder `", (folder / "f/g").native(), "`").c_str(), Error);
}

TEST_CASE("a temporary folder goes with its owner") {
  fs::path path;
  {
    TemporaryFolder folder(fs::temp_directory_path());
    path = folder.path();
    write_file(path / "f", "x");
    TemporaryFolder moved(std::move(folder));
    CHECK(fs::exists(path));
  }
  CHECK_FALSE(fs::exists(path));
}

TEST_CASE("an exclusive lock is held by one alone, and ends with its process") {
  const Folder folder;
  const fs::path path = folder / "lock";
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const FileLock lock(path, FileLock::Mode::exclusive);
    const char byte = 'x';
    if (::write(ready[1], &byte, 1) != 1) ::_exit(1);
    ::pause();
  }
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  CHECK_FALSE(FileLock::try_exclusive(path));
  ::kill(child, SIGKILL);
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  CHECK(FileLock::try_exclusive(path));
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_CASE("one who waits for a lock says so once, and gets it") {
  const Folder folder;
  std::optional<FileLock> held = FileLock::try_exclusive(folder / "lock");
  REQUIRE(held);
  std::mutex mutex;
  std::condition_variable changed;
  int told = 0;
  std::thread waiter([&] {
    const FileLock lock(folder / "lock", FileLock::Mode::shared, [&] {
      const std::lock_guard guard(mutex);
      ++told;
      changed.notify_one();
    });
  });
  {
    std::unique_lock guard(mutex);
    changed.wait(guard, [&] { return told > 0; });
  }
  held.reset();
  waiter.join();
  CHECK(told == 1);
}

TEST_CASE("shared locks share, and exclude an exclusive one") {
  const Folder folder;
  const FileLock one(folder / "lock", FileLock::Mode::shared), two(folder / "lock", FileLock::Mode::shared);
  CHECK_FALSE(FileLock::try_exclusive(folder / "lock"));
}

TEST_CASE("relative paths are confined to their root") {
  CHECK(confined("/root", "a/b") == fs::path("/root/a/b"));
  CHECK(confined("/root", "./a//b/.") == fs::path("/root/a/b"));
  CHECK(confined("/root", ".") == fs::path("/root"));
  for (const std::string_view path :
       {std::string_view(""), std::string_view("/a"), std::string_view(".."), std::string_view("a/../.."),
        std::string_view("a/.."), std::string_view("a\0b", 3)}) {
    CHECK_FALSE(confined("/root", path));
  }
  CHECK(confined("/root", "..a/b..") == fs::path("/root/..a/b.."));
}

TEST_CASE("copying keeps content and mode") {
  const Folder folder;
  write_file(folder / "from", std::string(300'000, 'x'), 0750);
  whittle::copy_file(folder / "from", folder / "to");
  CHECK(read_file(folder / "to") == read_file(folder / "from"));
  CHECK((fs::status(folder / "to").permissions() & fs::perms::mask) == static_cast<fs::perms>(0750));
  // Across file systems, where the kernel may not copy by itself.
  whittle::copy_file("/proc/self/status", folder / "status");
  CHECK(read_file(folder / "status").find("Name:") != std::string::npos);
  CHECK_THROWS_AS(whittle::copy_file(folder / "none", folder / "to"), Error);
}

TEST_CASE("a descriptor is closed once, by its last owner") {
  FileDescriptor first(::dup(0));
  const int number = first.get();
  FileDescriptor second(std::move(first));
  CHECK_FALSE(first);
  CHECK(second.get() == number);
  second.reset();
  CHECK(::fcntl(number, F_GETFD) == -1);
}
