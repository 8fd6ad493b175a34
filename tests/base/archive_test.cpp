#include "base/archive.hpp"

#include <doctest/doctest.h>

#include <cstdlib>

#include "base/digest.hpp"
#include "base/error.hpp"
#include "base/files.hpp"
#include "base/process.hpp"
#include "base/tar.hpp"
#include "base/text.hpp"

using namespace whittle;

namespace {

// What a program makes of a text on its standard input (by way of a file).
std::string filtered(std::vector<std::string> argv, std::string_view input) {
  const TemporaryFolder folder(fs::temp_directory_path());
  write_file(folder.path() / "input", input);
  argv.push_back(folder.path() / "input");
  SystemProcessRunner runner;
  const CapturedOutput output =
      run_captured(runner, {.argv = std::move(argv), .env = {{"PATH", std::getenv("PATH")}}, .folder = {}});
  INFO(output.error);
  REQUIRE(output.result.status == 0);
  return output.out;
}

std::string gzip(std::string_view text) {
  return filtered({"gzip", "-nc"}, text);
}
std::string zstd(std::string_view text) {
  return filtered({"zstd", "-qc"}, text);
}

constexpr std::string_view kSkippable{"\x50\x2A\x4D\x18\x04\0\0\0skip", 12};

std::string small_tar() {
  StringSink out;
  TarWriter tar(out);
  StringSource first("hello"), second("world!");
  tar.add({.path = "a", .size = 5, .link = {}, .attributes = {}}, first);
  tar.add({.path = "b", .size = 6, .link = {}, .attributes = {}}, second);
  tar.finish();
  return out.text;
}

std::string decompressed(std::string_view bytes, const ArchiveLimits& limits = {}) {
  StringSource source(bytes);
  StringSink out;
  decompress(source, out, "the blob", limits);
  return out.text;
}

std::string contents(std::string_view bytes, const ArchiveLimits& limits = {}) {
  StringSource source(bytes);
  ArchiveReader reader(source, "the archive", limits);
  ArchiveEntry entry;
  std::string text;
  while (reader.next(entry)) text += cat(entry.path, "=", read_all(reader.content(), 1 << 20, "entry"), ";");
  return text;
}

std::string failure(std::string_view bytes, const ArchiveLimits& limits = {}) {
  try {
    contents(bytes, limits);
  } catch (const Error& error) {
    CHECK(error.exit() == Exit::registry_content);
    return cat(error.message(), ": ", error.causes().empty() ? "" : error.causes()[0]);
  }
  return "none";
}

std::string header(std::string path, std::uint64_t size = 0) {
  return tar_header({.path = std::move(path), .size = size, .link = {}, .attributes = {}});
}

// Recomputes the checksum of a header that a test has edited.
std::string resealed(std::string block) {
  block.replace(148, 8, 8, ' ');
  unsigned sum = 0;
  for (const char c : block.substr(0, 512)) sum += static_cast<unsigned char>(c);
  char digits[8];
  std::snprintf(digits, sizeof digits, "%06o", sum);
  return block.replace(148, 7, digits, 7);
}

const std::string kEnd(1024, '\0');

// Gives a few bytes at a time, then fails.
class FailingSource : public Source {
 public:
  explicit FailingSource(std::string_view text) : inner_(text) {}
  std::size_t read(std::span<std::byte> room) override {
    const std::size_t size = inner_.read(room.first(std::min<std::size_t>(room.size(), 700)));
    if (size == 0) throw Error(Exit::transient, "the line went dead");
    return size;
  }

 private:
  StringSource inner_;
};

// One byte at a time.
class SlowSource : public Source {
 public:
  explicit SlowSource(std::string_view text) : inner_(text) {}
  std::size_t read(std::span<std::byte> room) override { return inner_.read(room.first(1)); }

 private:
  StringSource inner_;
};

}  // namespace

TEST_CASE("plain, gzip and zstd archives read the same") {
  const std::string tar = small_tar();
  const std::string expected = "a=hello;b=world!;";
  CHECK(contents(tar) == expected);
  CHECK(contents(gzip(tar)) == expected);
  CHECK(contents(zstd(tar)) == expected);
}

TEST_CASE("zstd frames and skippable frames in any order are one stream") {
  const std::string tar = small_tar();
  const std::string first = zstd(tar.substr(0, 700)), second = zstd(tar.substr(700));
  for (const std::string& blob :
       {cat(first, second), cat(kSkippable, first, second), cat(first, kSkippable, second),
        cat(first, second, kSkippable), cat(kSkippable, kSkippable, first, kSkippable, second, kSkippable)}) {
    CHECK(decompressed(blob) == tar);
    CHECK(contents(blob) == "a=hello;b=world!;");
  }
}

TEST_CASE("the members of a gzip file are one stream") {
  const std::string tar = small_tar();
  const std::string blob = cat(gzip(tar.substr(0, 700)), gzip(tar.substr(700)));
  CHECK(decompressed(blob) == tar);
  CHECK(contents(blob) == "a=hello;b=world!;");
}

TEST_CASE("a source that gives one byte at a time reads the same") {
  for (const std::string& blob : {small_tar(), gzip(small_tar()), zstd(small_tar())}) {
    SlowSource source(blob);
    StringSink out;
    decompress(source, out, "the blob");
    CHECK(out.text == small_tar());
  }
}

TEST_CASE("only one layer of compression is taken off") {
  const std::string inner = gzip("text");
  CHECK(decompressed(zstd(inner)) == inner);
  CHECK(decompressed("") == "");
  CHECK(decompressed("ab") == "ab");
}

TEST_CASE("an archive cut off anywhere is an error") {
  const std::string tar = small_tar();
  for (const std::string& blob : {tar, gzip(tar), zstd(tar)}) {
    // The second zero block of a plain archive, and all but the first bytes of gzip's trailer, tell nothing.
    const std::size_t longest = blob == tar ? tar.size() - 1024 : blob.size() - 1;
    for (std::size_t size = 0; size <= longest; size += size < longest - 20 && blob == tar ? 37 : 1) {
      INFO(size);
      CHECK(failure(blob.substr(0, size)) != "none");
    }
  }
  CHECK(failure(zstd(tar).substr(0, zstd(tar).size() - 1)) == "cannot read the archive: truncated zstd input");
  CHECK(failure(tar.substr(0, 2048)) == "cannot read the archive: it is cut off: the end mark is missing");
  CHECK(failure("") == "cannot read the archive: it is empty");
}

TEST_CASE("decompressing cut off or trailing data is an error") {
  const std::string tar = small_tar();
  CHECK_THROWS_AS(decompressed(zstd(tar).substr(0, 50)), Error);
  CHECK_THROWS_AS(decompressed(gzip(tar).substr(0, 50)), Error);
  CHECK_THROWS_AS(decompressed(cat(zstd(tar), "rubbish")), Error);
  CHECK_THROWS_AS(decompressed(cat(gzip(tar), "rubbish")), Error);
  CHECK_THROWS_AS(decompressed(cat(gzip(tar), std::string(3, '\0'))), Error);
}

TEST_CASE("text that is no archive is an error") {
  CHECK(failure(std::string(4096, 'x')).starts_with("cannot read the archive: "));
}

TEST_CASE("an error of the source comes out as it was") {
  for (const std::string& blob : {small_tar(), gzip(small_tar()).substr(0, 60), zstd(small_tar()).substr(0, 60)}) {
    const std::string start = blob.substr(0, 1500);
    FailingSource source(start);
    ArchiveEntry entry;
    CHECK_THROWS_WITH_AS(
        {
          ArchiveReader reader(source, "the archive");
          while (reader.next(entry)) {
          }
        },
        "the line went dead", Error);
  }
}

TEST_CASE("limits stop bombs of every kind") {
  ArchiveLimits few;
  few.entries = 1;
  CHECK(failure(small_tar(), few) == "refused to read the archive: it has more than 1 entries");
  ArchiveLimits small;
  small.total_bytes = 10;
  CHECK(failure(small_tar(), small) == "refused to read the archive: it holds more than 10 B");
  ArchiveLimits narrow;
  narrow.path_bytes = 100;
  CHECK(failure(header(std::string(101, 'x')) + kEnd, narrow) ==
        "refused to read the archive: a path in it is longer than 100 bytes");
  CHECK(failure(header("f", 1ULL << 40) + kEnd) == "refused to read the archive: it holds more than 68.7 GB");
  CHECK_THROWS_WITH_AS(decompressed(zstd(std::string(100'000, 'x')), small), "refused to read the blob", Error);
}

TEST_CASE("a high ratio is refused once it is a bomb and not before") {
  const std::string same(80 << 20, 'x');
  const std::string bomb = zstd(same);
  CHECK(decompressed(bomb, {.ratio = 1'000'000}).size() == same.size());
  CHECK_THROWS_WITH_AS(decompressed(bomb), "refused to read the blob", Error);
  CHECK(decompressed(zstd(same.substr(0, 60 << 20))).size() == 60 << 20);
}

TEST_CASE("zeros are no bomb, up to the limit of the whole") {
  const std::string zeros(80 << 20, '\0');
  CHECK(decompressed(zstd(zeros)).size() == zeros.size());
  CHECK(decompressed(cat(zstd(zeros), zstd("end"))).size() == zeros.size() + 3);
  ArchiveLimits small;
  small.total_bytes = 70 << 20;
  CHECK_THROWS_WITH_AS(decompressed(zstd(zeros), small), "refused to read the blob", Error);
}

TEST_CASE("a size without the content is an error") {
  CHECK(failure(header("f", 1ULL << 30) + kEnd) == "cannot read the archive: truncated tar archive");
}

TEST_CASE("a pax size overrides that of ustar, as in GNU tar and Go") {
  std::string block = header("f", 1ULL << 33);  // two blocks of pax, then ustar with size 0
  const std::size_t at = block.find("size=8589934592");
  REQUIRE(at != std::string::npos);
  block.replace(at, 15, "size=0000000005");
  CHECK(contents(cat(block, "hello", std::string(507, '\0'), kEnd)) == "f=hello;");
}

TEST_CASE("what readers disagree about is read as by Python, and by Go, or refused") {
  const std::string large = header("f", 1ULL << 33);
  std::string pax = large.substr(0, 1024), plain = header("f", 5);
  const std::size_t at = pax.find("size=8589934592");
  REQUIRE(at != std::string::npos);
  pax.replace(at, 15, "size=0000000005");
  const auto typed = [&](std::string block, char type) {
    block[156] = type;
    return resealed(std::move(block));
  };
  const auto body = [](std::string text) { return text + std::string(512 - text.size(), '\0'); };
  const std::string long_name = cat(typed(header("././@LongLink", 6), 'L'), body("other"));
  const std::string smuggled = cat(header("hidden", 0), header("also", 0));
  const std::vector<std::string> archives = {
      cat(pax, long_name, header("f"), body("hello"), kEnd),  // a size in front of a name
      cat(long_name, pax, header("f"), body("hello"), kEnd),
      cat(pax, pax, header("f"), body("hello"), kEnd),     // twice
      cat(pax, header("f", 1024), smuggled, kEnd),         // what ustar counts as content has headers in it
      cat(typed(header("g", 1024), '5'), smuggled, kEnd),  // a folder with a size
      cat(typed(header("g", 1024), '2'), smuggled, kEnd),  // a link with a size
      cat(typed(header("g", 1024), '1'), smuggled, kEnd),  // a hard link with a size
      cat(plain, body("hello"), std::string(512, '\0'), header("x"), kEnd)  // something after one block of zeros
  };
  // Names and the sizes of files, as whoever unpacks would see them.
  constexpr const char* kPython =
      "import sys, tarfile\n"
      "print(''.join(f'{m.name}={m.size if m.isreg() else 0};' for m in tarfile.open(sys.argv[1])))";
  for (const std::string& archive : archives) {
    std::string ours;
    try {
      StringSource source(archive);
      ArchiveReader reader(source, "the archive");
      for (ArchiveEntry entry; reader.next(entry);) ours += cat(entry.path, "=", entry.size, ";");
    } catch (const Error&) {
      continue;
    }
    CHECK(filtered({"python3", "-c", kPython}, archive) == ours + "\n");
  }
}

TEST_CASE("a frame that wants more memory than decoders give is refused") {
  const std::string_view raw_block{"\x29\0\0hello", 8};
  const auto frame = [&](unsigned window_log) {
    return cat(std::string_view("\x28\xB5\x2F\xFD\0", 5), static_cast<char>((window_log - 10) << 3), raw_block);
  };
  CHECK(decompressed(frame(20)) == "hello");
  CHECK_THROWS_WITH_AS(decompressed(frame(31)), "cannot read the blob", Error);
  CHECK_THROWS_WITH_AS(decompressed(frame(40)), "cannot read the blob", Error);
}

TEST_CASE("sparse files are refused, in pax form too") {
  const TemporaryFolder folder(fs::temp_directory_path());
  write_file(folder.path() / "f", "x");
  fs::resize_file(folder.path() / "f", 1 << 20);
  for (const char* const format : {"gnu", "pax"}) {
    for (const char* const version : {"0.0", "0.1", "1.0"}) {
      SystemProcessRunner runner;
      const CapturedOutput packed =
          run_captured(runner, {.argv = {"tar", "-C", folder.path(), "--sparse", cat("--sparse-version=", version),
                                         cat("--format=", format), "-cf", "-", "f"},
                                .env = {{"PATH", std::getenv("PATH")}},
                                .folder = {}});
      CHECK(failure(packed.out) == "refused to read the archive: `f` is a sparse file");
    }
  }

  std::string block = header("f", 0);
  block[156] = 'S';
  block.replace(257, 8, "ustar  \0", 8);
  block.replace(386, 12, "00000000000\0", 12);
  block.replace(398, 12, "00000000000\0", 12);
  block.replace(483, 12, "00000100000\0", 12);
  CHECK(failure(resealed(block) + kEnd) == "refused to read the archive: `f` is a sparse file");
}

TEST_CASE("paths that leave the root are seen for what they are") {
  const auto confined_path = [](std::string path) {
    ArchiveEntry entry;
    entry.path = std::move(path);
    return entry.is_confined();
  };
  CHECK(confined_path("a/b"));
  CHECK(confined_path("."));
  CHECK(confined_path("a/..b/c.."));
  CHECK_FALSE(confined_path(""));
  CHECK_FALSE(confined_path("/etc/passwd"));
  CHECK_FALSE(confined_path(".."));
  CHECK_FALSE(confined_path("a/../../b"));
  CHECK_FALSE(confined_path("a/.."));
  CHECK_FALSE(confined_path(std::string("a\0b", 3)));
  ArchiveEntry link;
  link.path = "a";
  link.kind = ArchiveEntry::Kind::hard_link;
  link.link = "../outside";
  CHECK_FALSE(link.is_confined());
}

TEST_CASE("`./` in front and `/` behind are taken off, nothing else is") {
  const std::string bytes =
      cat(header("./x"), header("././y"), header("./"), header(".//z"), header("/abs"), header("../up"), kEnd);
  StringSource source(bytes);
  ArchiveReader reader(source, "the archive");
  std::vector<std::string> paths;
  for (ArchiveEntry entry; reader.next(entry);) paths.push_back(entry.path);
  CHECK(join(paths, " ") == "x y . z /abs ../up");
}

TEST_CASE("names in pax records keep their bytes, whatever the locale") {
  const std::string composed = cat("\xC3\xA9/", std::string(200, 'x'));
  const std::string bytes = cat(header(composed), kEnd);
  StringSource source(bytes);
  ArchiveReader reader(source, "the archive");
  ArchiveEntry entry;
  REQUIRE(reader.next(entry));
  CHECK(entry.path == composed);
}

TEST_CASE("a name that claims to be UTF-8 and is not is an error") {
  std::string block = header(cat("latin-\xe9-", std::string(200, 'x')));
  const std::size_t at = block.find("hdrcharset=BINARY");
  REQUIRE(at != std::string::npos);
  block.replace(at, 17, "comment=andnobyte");
  CHECK(failure(block + kEnd) == "cannot read the archive: pathname can't be converted from utf-8 to current locale.");
}

TEST_CASE("an archive by GNU tar reads with its kinds, owners and attributes") {
  const TemporaryFolder folder(fs::temp_directory_path());
  const std::string made =
      filtered({"sh", "-c",
                "set -e; cd \"$0\"; mkdir d; echo hi > d/f; ln d/f d/hard; ln -s f d/soft; mkfifo d/pipe; "
                "tar --format=gnu --owner=5 --group=6 --mtime=@7 --sort=name -cf - d; exit 0",
                folder.path()},
               "");
  StringSource source(made);
  ArchiveReader reader(source, "the archive");
  std::map<std::string, ArchiveEntry> entries;
  for (ArchiveEntry entry; reader.next(entry);) entries[entry.path] = entry;
  CHECK(entries.at("d").kind == ArchiveEntry::Kind::folder);
  CHECK(entries.at("d/f").kind == ArchiveEntry::Kind::file);
  CHECK(entries.at("d/f").uid == 5);
  CHECK(entries.at("d/f").modified == 7);
  CHECK(entries.at("d/hard").kind == ArchiveEntry::Kind::hard_link);
  CHECK(entries.at("d/hard").link == "d/f");
  CHECK(entries.at("d/soft").kind == ArchiveEntry::Kind::symbolic_link);
  CHECK(entries.at("d/pipe").kind == ArchiveEntry::Kind::fifo);
}
