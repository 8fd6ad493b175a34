#include "builder/work_folder.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <thread>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/source_files.hpp"

using namespace whittle;
using namespace whittle::builder;

namespace {

using Strings = std::vector<std::string>;

struct Fixture {
  TemporaryFolder folder{fs::temp_directory_path()};
  fs::path source = folder.path() / "tree", cache = folder.path() / "cache";
  RecordingEvents events;

  Fixture() { make_folders(source); }
  void write(const std::string& path, std::string_view text = "", unsigned mode = 0644) const {
    make_folders((source / path).parent_path());
    write_file(source / path, text, mode);
  }
  std::vector<std::string> paths() const {
    std::vector<std::string> out;
    for (const SourceFile& file : list_source(source, cache)) out.push_back(file.path);
    return out;
  }
  std::vector<std::string> notes() const {
    std::vector<std::string> texts;
    for (const Event& event : events.events()) texts.push_back(std::get<Note>(event).text);
    return texts;
  }
};

std::int64_t modified(const fs::path& path) {
  struct stat status {};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec;
}

}  // namespace

TEST_CASE("the source is listed without version control, the cache and build products of others") {
  Fixture fixture;
  for (const char* path : {"a.c", "sub/b.c", "sub/.git/HEAD", ".hg/x", "kept/CACHEDIR.TAG", "CMakeCache.txt"}) {
    fixture.write(path, "x");
  }
  fixture.write("target/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n# This file…");
  fixture.write("target/release/prog", "x");
  fixture.write("build/CMakeCache.txt", "x");
  fixture.cache = fixture.source / "own-cache";
  fixture.write("own-cache/steps/x", "x");
  CHECK(fixture.paths() ==
        std::vector<std::string>{"CMakeCache.txt", "a.c", "kept", "kept/CACHEDIR.TAG", "sub", "sub/b.c"});
}

TEST_CASE("ignore patterns spare sources, and the last one that matches decides") {
  const plan::IgnorePatterns patterns(Strings{"docs", "*.md", "!README.md", "/assets/**", "*", "!keep.txt"});
  CHECK(is_ignored("docs/a/b.png", patterns));
  CHECK(is_ignored("notes.md", patterns));
  CHECK(is_ignored("assets/x/y.png", patterns));
  CHECK_FALSE(is_ignored("keep.txt", patterns));
  CHECK_FALSE(is_ignored("main.go", patterns));
  CHECK_FALSE(is_ignored("docs/gen.c", patterns));
  CHECK_FALSE(is_ignored("Makefile", patterns));
  const plan::IgnorePatterns few(Strings{"docs/"});
  CHECK(is_ignored("docs/index.html", few));
  CHECK_FALSE(is_ignored("web/docs2/index.html", few));
}

TEST_CASE("the digest of the source follows names, content and mode, not times or ignored files") {
  Fixture fixture;
  fixture.write("main.c", "int x;");
  fixture.write("notes.txt", "one");
  const std::vector<std::string> all = {"**"}, some = {"**/*.c"}, ignore = {"notes.txt"};
  const auto digest = [&](const std::vector<std::string>& inputs, const std::vector<std::string>& patterns) {
    StatIndex index(fixture.folder.path() / "index", fixture.events);
    return digest_of_source(fixture.source, list_source(fixture.source), inputs, plan::IgnorePatterns(patterns), index);
  };
  const Digest everything = digest(all, {}), sources = digest(some, {}), without_notes = digest(all, ignore);
  fs::last_write_time(fixture.source / "main.c", fs::file_time_type::clock::now() - std::chrono::hours(1));
  CHECK(digest(all, {}) == everything);
  fixture.write("notes.txt", "two");
  CHECK(digest(all, {}) != everything);
  CHECK(digest(some, {}) == sources);
  CHECK(digest(all, ignore) == without_notes);
  fs::permissions(fixture.source / "main.c", fs::perms::owner_exec, fs::perm_options::add);
  CHECK(digest(some, {}) != sources);
  fs::permissions(fixture.source / "main.c", fs::perms::owner_exec, fs::perm_options::remove);
  CHECK(digest(some, {}) == sources);
  fs::rename(fixture.source / "main.c", fixture.source / "other.c");
  CHECK(digest(some, {}) != sources);
}

TEST_CASE("a copy keeps content, modes, times and links, and can be written to") {
  Fixture fixture;
  fixture.write("sub/run.sh", "#!/bin/sh\n", 0555);
  fixture.write("odd \n name\xff", "bytes");
  fs::create_symlink("sub/run.sh", fixture.source / "link");
  fs::create_symlink("../link", fixture.source / "sub" / "up");
  fs::last_write_time(fixture.source / "sub/run.sh", fs::file_time_type::clock::now() - std::chrono::hours(5));
  fs::last_write_time(fixture.source / "sub", fs::file_time_type::clock::now() - std::chrono::hours(7));
  const fs::path copy = fixture.folder.path() / "copy";
  copy_source(fixture.source, list_source(fixture.source), copy, fixture.events);
  CHECK(read_file(copy / "odd \n name\xff") == "bytes");
  CHECK(fs::read_symlink(copy / "sub" / "up") == "../link");
  CHECK(fs::status(copy / "sub/run.sh").permissions() == fs::perms(0755));
  for (const char* path : {"sub", "sub/run.sh", "link"})
    CHECK(modified(copy / path) == modified(fixture.source / path));
  CHECK(fixture.events.events().empty());
}

TEST_CASE("links that leave the tree, pipes and sockets are left out of a copy, each with a warning") {
  Fixture fixture;
  fs::create_symlink("/etc/passwd", fixture.source / "absolute");
  fixture.write("sub/x");
  fs::create_symlink("../../secret", fixture.source / "sub" / "out");
  ::mkfifo((fixture.source / "pipe").c_str(), 0600);
  const fs::path copy = fixture.folder.path() / "copy";
  copy_source(fixture.source, list_source(fixture.source), copy, fixture.events);
  CHECK(fixture.notes() ==
        std::vector<std::string>{"the link `absolute` is left out: it leaves the tree (to `/etc/passwd`)",
                                 "`pipe` is left out: it is neither a file, a folder nor a link",
                                 "the link `sub/out` is left out: it leaves the tree (to `../../secret`)"});
  for (const char* path : {"absolute", "pipe", "sub/out"}) CHECK_FALSE(fs::exists(fs::symlink_status(copy / path)));
}

TEST_CASE("what a killed build left behind is removed by the next build, what runs is not touched") {
  Fixture fixture;
  make_folders(fixture.cache / "work" / "dead-123456789abc" / "src");
  make_folders(fixture.cache / "work" / ".use-dead");
  make_folders(fixture.cache / "work" / ".gone-older");
  make_folders(fixture.cache / "work" / "alive-123456789abc");
  const FileLock alive(fixture.cache / "work" / "alive-123456789abc.lock", FileLock::Mode::exclusive);
  auto use = std::make_unique<CacheInUse>(fixture.cache);
  const WorkFolder work(fixture.cache, fixture.source, fixture.events);
  CHECK_FALSE(fs::exists(fixture.cache / "work" / "dead-123456789abc"));
  CHECK_FALSE(fs::exists(fixture.cache / "work" / ".use-dead"));
  CHECK_FALSE(fs::exists(fixture.cache / "work" / ".gone-older"));
  CHECK(fs::exists(fixture.cache / "work" / "alive-123456789abc"));
  CHECK(fs::exists(use->path()));
  const fs::path kept = use->path();
  use.reset();
  CHECK_FALSE(fs::exists(kept));
}

TEST_CASE("the second build of a tree says after a second that it waits, and then has its turn") {
  Fixture fixture;
  auto first = std::make_unique<WorkFolder>(fixture.cache, fixture.source, fixture.events);
  const WorkFolder other_tree(fixture.cache, fixture.folder.path() / "another", fixture.events);
  CHECK(fixture.events.events().empty());
  // The first lets go once the second has said that it waits.
  std::jthread second([&] { const WorkFolder work(fixture.cache, fixture.source, fixture.events); });
  while (fixture.events.events().empty()) std::this_thread::yield();
  CHECK(fixture.notes()[0] == cat("another build of `", fixture.source.native(), "` is running; waiting for it"));
  first.reset();
  second.join();
  CHECK_FALSE(fs::exists(fixture.cache / "work" / identifier_of(fixture.source)));
}
