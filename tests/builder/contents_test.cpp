#include "builder/contents.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <fstream>

#include "base/text.hpp"
#include "builder/known_files.hpp"

using namespace whittle;
using namespace whittle::builder;

namespace {

struct Shop {
  TemporaryFolder folder{fs::temp_directory_path()};
  Contents contents{folder.path() / "objects"};
  fs::path source = folder.path() / "source";
  Digest digest = digest_of("content");

  Shop() {
    write_file(source, "content");
    contents.add(source, digest, 7);
  }
  fs::path place() const { return contents.place_of(digest); }
  struct stat status() const {
    struct stat found {};
    REQUIRE(::stat(place().c_str(), &found) == 0);
    return found;
  }
};

void write_in_place(const fs::path& path, std::string_view text) {
  std::fstream(path, std::ios::in | std::ios::out) << text;
}

}  // namespace

TEST_CASE("a content lies there once, and is not touched again") {
  const Shop shop;
  CHECK(read_file(shop.place()) == "content");
  const struct stat before = shop.status();
  CHECK(shop.contents.has(shop.digest, 7));
  shop.contents.add(shop.source, shop.digest, 7);
  CHECK(shop.status().st_ino == before.st_ino);
  CHECK(nanoseconds(shop.status().st_ctim) == nanoseconds(before.st_ctim));
  CHECK_FALSE(shop.contents.has(digest_of("another"), 7));
  CHECK_FALSE(shop.contents.has(shop.digest, 8));
}

TEST_CASE("a content that somebody has written to is gone, whatever its size") {
  const Shop shop;
  write_in_place(shop.place(), "consent");
  CHECK_FALSE(shop.contents.has(shop.digest, 7));
  CHECK_FALSE(fs::exists(shop.place()));
  shop.contents.add(shop.source, shop.digest, 7);
  CHECK(shop.contents.has(shop.digest, 7));
}

TEST_CASE("a content from before the machine came up is read once") {
  const Shop shop;
  const std::int64_t mark = nanoseconds(shop.status().st_mtim);
  fs::last_write_time(shop.place(), fs::file_time_type::clock::now());
  CHECK(nanoseconds(shop.status().st_mtim) != mark);
  CHECK(shop.contents.has(shop.digest, 7));
  CHECK(nanoseconds(shop.status().st_mtim) == mark);
}

TEST_CASE("what a file holds is known until it changes") {
  const TemporaryFolder folder(fs::temp_directory_path());
  const fs::path path = folder.path() / "f";
  write_file(path,
             "\x7f"
             "ELF and more");
  KnownFiles known;
  CHECK(known.content_of(path).is_elf);
  CHECK(known.content_of(path).digest == digest_of("\x7f"
                                                   "ELF and more"));
  // Of the same size, at once.
  write_in_place(path, "text");
  const FileContent changed = known.content_of(path);
  CHECK_FALSE(changed.is_elf);
  CHECK(changed.digest == digest_of(read_file(path)));
  CHECK(changed.size == 13);
}
