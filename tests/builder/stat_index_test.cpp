#include "builder/stat_index.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <thread>

#include "base/error.hpp"
#include "base/text.hpp"

using namespace whittle;
using namespace whittle::builder;

namespace {

struct Fixture {
  TemporaryFolder folder{fs::temp_directory_path()};
  fs::path file = folder.path() / "file", index = folder.path() / "index";
  RecordingEvents events;

  void write(std::string_view text) const { write_file(file, text); }

  // Moves the file's time of change past the tick in which it was written, as any pause would.
  void leave_the_tick() const {
    struct stat status {};
    timespec now{};
    do {
      ::stat(file.c_str(), &status);
      ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
    } while (now.tv_sec == status.st_ctim.tv_sec && now.tv_nsec <= status.st_ctim.tv_nsec);
  }

  Digest ask() {
    StatIndex stat_index(index, events);
    const Digest digest = stat_index.digest(file);
    stat_index.save();
    return digest;
  }

  struct stat status() const {
    struct stat status {};
    ::stat(file.c_str(), &status);
    return status;
  }
};

}  // namespace

TEST_CASE("an unchanged file is not read again") {
  Fixture fixture;
  fixture.write("one");
  fixture.leave_the_tick();
  CHECK(fixture.ask() == digest_of("one"));
  // The status from before stands for a file that has not changed; what is there now would tell otherwise.
  const struct stat before = fixture.status();
  fixture.write("two");
  StatIndex index(fixture.index, fixture.events);
  CHECK(index.digest(fixture.file, before) == digest_of("one"));
  CHECK(index.digest(fixture.file) == digest_of("two"));
}

TEST_CASE("a change within the tick of the last look is noticed") {
  Fixture fixture;
  for (int i = 0; i < 50; ++i) {
    const std::string text = std::to_string(i % 10);  // same size, often the same tick
    const int file = ::open(fixture.file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    REQUIRE(::write(file, text.data(), 1) == 1);
    ::close(file);
    CHECK(fixture.ask() == digest_of(text));
  }
}

TEST_CASE("a file that is replaced keeping size and time is noticed") {
  Fixture fixture;
  fixture.write("one");
  fixture.leave_the_tick();
  fixture.ask();
  const fs::file_time_type time = fs::last_write_time(fixture.file);
  fixture.write("two");
  fs::last_write_time(fixture.file, time);
  CHECK(fixture.ask() == digest_of("two"));
}

TEST_CASE("a truncated or altered index is dropped with a note") {
  Fixture fixture;
  fixture.write("one");
  fixture.leave_the_tick();
  fixture.ask();
  const std::string good = read_file(fixture.index);
  std::string altered = good;
  altered[altered.size() / 2] ^= 1;
  for (const std::string& bad : {good.substr(0, good.size() - 1), good.substr(0, 10), std::string(), altered}) {
    write_file(fixture.index, bad);
    RecordingEvents events;
    StatIndex index(fixture.index, events);
    REQUIRE(events.events().size() == 1);
    CHECK(std::get<Note>(events.events()[0]).text ==
          cat("dropped the damaged index `", fixture.index.native(), "`; files are read again"));
    CHECK(index.digest(fixture.file) == digest_of("one"));
  }
}

TEST_CASE("files that nobody asks for any more leave the index") {
  Fixture fixture;
  fixture.write("one");
  const fs::path other = fixture.folder.path() / "other";
  write_file(other, "other");
  {
    StatIndex index(fixture.index, fixture.events);
    index.digest(other);
    index.digest(fixture.file);
    index.save();
  }
  const std::uintmax_t both = fs::file_size(fixture.index);
  fixture.write("changed");
  fixture.ask();
  CHECK(fs::file_size(fixture.index) < both);
}

TEST_CASE("what is no regular file has no digest") {
  Fixture fixture;
  ::mkfifo(fixture.file.c_str(), 0600);
  StatIndex index(fixture.index, fixture.events);
  CHECK_THROWS_WITH(index.digest(fixture.file), cat("`", fixture.file.native(), "` is not a regular file").c_str());
  CHECK_THROWS_AS(index.digest(fixture.folder.path() / "gone"), Error);
}
