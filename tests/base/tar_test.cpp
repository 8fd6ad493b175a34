#include "base/tar.hpp"

#include <doctest/doctest.h>

#include <cstdlib>

#include "base/archive.hpp"
#include "base/digest.hpp"
#include "base/error.hpp"
#include "base/files.hpp"
#include "base/process.hpp"
#include "base/text.hpp"

using namespace whittle;

namespace {

using Kind = TarHeader::Kind;

TarHeader file(std::string path, std::uint64_t size) {
  return {.path = std::move(path), .size = size, .link = {}, .attributes = {}};
}

std::string archive_of(const std::vector<TarHeader>& headers, std::string_view content = "") {
  StringSink out;
  TarWriter tar(out);
  for (const TarHeader& header : headers) {
    StringSource source(content.substr(0, header.size));
    header.kind == Kind::file ? tar.add(header, source) : tar.add(header);
  }
  tar.finish();
  return out.text;
}

// Everything that ustar holds as it is, and everything that it does not.
std::vector<TarHeader> odd_headers() {
  std::vector<TarHeader> headers = {
      {.path = "bin", .kind = Kind::folder, .mode = 01777, .link = {}, .attributes = {}},
      file("bin/app", 5),
      {.path = "bin/again", .kind = Kind::hard_link, .link = "bin/app", .attributes = {}},
      {.path = "bin/link", .kind = Kind::symbolic_link, .mode = 0777, .link = "../bin/app", .attributes = {}},
      file("with space\nand line end", 1),
      file("ünïcode", 1),
      file("latin-\xe9", 1),
      file(cat(std::string(90, 'p'), "/", std::string(90, 'n')), 1),
      file(std::string(100, 'x'), 1),
      file(std::string(101, 'x'), 1),
      file(cat("long-latin-\xe9-", std::string(200, 'x')), 1),
      file(cat("long-ünïcode-", std::string(200, 'x')), 1),
      file(cat(std::string(156, 'p'), "/name"), 1),
      {.path = std::string(120, 'f'), .kind = Kind::folder, .mode = 0755, .link = {}, .attributes = {}},
      {.path = "long-link", .kind = Kind::symbolic_link, .mode = 0777, .link = std::string(300, 'l'), .attributes = {}},
      {.path = "owner", .size = 1, .uid = 3'000'000, .gid = 4'000'000'000, .link = {}, .attributes = {}},
      {.path = "old", .size = 1, .modified = -5, .link = {}, .attributes = {}},
      {.path = "new", .size = 1, .modified = 1LL << 34, .link = {}, .attributes = {}},
      {.path = "marked", .size = 1, .link = {}, .attributes = {{"user.b", "2"}, {"user.a", std::string("1\0\n", 3)}}},
  };
  return headers;
}

std::string output_of(std::vector<std::string> argv, std::string_view complaint = "") {
  SystemProcessRunner runner;
  Command command{
      .argv = std::move(argv), .env = {{"PATH", std::getenv("PATH")}, {"LC_ALL", "C"}, {"TZ", "UTC"}}, .folder = {}};
  const CapturedOutput output = run_captured(runner, command);
  INFO(output.error);
  REQUIRE(output.result.status == 0);
  CHECK(output.error == complaint);
  return output.out;
}

struct Written {
  TemporaryFolder folder{fs::temp_directory_path()};
  fs::path path = folder.path() / "archive.tar";
  explicit Written(std::string_view bytes) { write_file(path, bytes); }
};

}  // namespace

TEST_CASE("a small archive has the bytes that it always had") {
  const std::string bytes =
      archive_of({{.path = "bin", .kind = Kind::folder, .mode = 0755, .link = {}, .attributes = {}},
                  {.path = "bin/app", .size = 5, .mode = 0755, .link = {}, .attributes = {}},
                  {.path = "bin/link", .kind = Kind::symbolic_link, .mode = 0777, .link = "app", .attributes = {}}},
                 "hello");
  CHECK(bytes.size() == 512 * 4 + 1024);
  CHECK(digest_of(bytes).str() == "sha256:9d09d09be19398054a9eb870a20505d7c5cb4a69d3038d6dc21bdd925380b1f6");
}

TEST_CASE("the odd archive has the bytes that it always had") {
  CHECK(digest_of(archive_of(odd_headers(), "hello")).str() ==
        "sha256:ad66c6e4a8f890250010bfbb7c82908cbf83d71fccd0d3509ff50b11c930a70c");
}

TEST_CASE("only what ustar cannot hold gets a pax header") {
  const auto pax_blocks = [](const TarHeader& header) { return tar_header(header).size() / 512; };
  CHECK(pax_blocks(file(std::string(100, 'x'), 1)) == 1);
  CHECK(pax_blocks(file(std::string(101, 'x'), 1)) == 3);
  CHECK(pax_blocks(file(cat(std::string(155, 'p'), "/", std::string(100, 'n')), 1)) == 1);
  CHECK(pax_blocks(file("latin-\xe9", 1)) == 1);
  CHECK(pax_blocks(file("x", 077777777777)) == 1);
  CHECK(pax_blocks(file("x", 077777777777ULL + 1)) == 3);
  CHECK(tar_header(file("x", 1ULL << 40)).find("22 size=1099511627776\n") != std::string::npos);
}

TEST_CASE("a pax record counts its own length digits") {
  for (std::size_t length = 101; length < 1100; ++length) {
    const std::string header = tar_header(file(std::string(length, 'x'), 0));
    const std::size_t digits = header.find(' ', 512) - 512;
    const std::optional<std::uint64_t> size = parse_number(std::string_view(header).substr(512, digits));
    REQUIRE(size);
    REQUIRE(header[512 + *size - 1] == '\n');
    REQUIRE(*size == digits + 1 + 5 + length + 1);
  }
}

TEST_CASE("GNU tar lists and extracts every entry") {
  // It takes the bytes as they are, as `hdrcharset=BINARY` asks, but says that it does not know the word.
  constexpr std::string_view kComplaint = "tar: Ignoring unknown extended header keyword 'hdrcharset'\n";
  const Written written(archive_of(odd_headers(), "hello"));
  const std::string listing = output_of(
      {"tar", "-tvf", written.path, "--numeric-owner", "--full-time", "--utc", "--quoting-style=escape"}, kComplaint);
  CHECK(split_lines(listing).size() == odd_headers().size());
  CHECK(listing.find("drwxrwxrwt 0/0               0 1970-01-01 00:00:00 bin/") != std::string::npos);
  CHECK(listing.find("bin/again link to bin/app") != std::string::npos);
  CHECK(listing.find("3000000/4000000000") != std::string::npos);
  CHECK(listing.find("1969-12-31 23:59:55 old") != std::string::npos);
  CHECK(listing.find(R"(with space\nand line end)") != std::string::npos);

  const fs::path out = written.folder.path() / "out";
  make_folders(out);
  output_of({"tar", "-xf", written.path, "-C", out, "--no-same-owner", "--warning=no-timestamp"}, kComplaint);
  CHECK(read_file(out / "bin/again") == "hello");
  CHECK(fs::equivalent(out / "bin/again", out / "bin/app"));
  CHECK(fs::read_symlink(out / "long-link") == std::string(300, 'l'));
  CHECK(read_file(out / "latin-\xe9") == "h");
  CHECK(read_file(out / fs::path(cat("long-latin-\xe9-", std::string(200, 'x')))) == "h");
}

TEST_CASE("Python's tarfile reads every entry") {
  const Written written(archive_of(odd_headers(), "hello"));
  const std::string listing = output_of({"python3", "-c", R"(
import os, sys, tarfile
for m in tarfile.open(sys.argv[1], "r:"):
    print(os.fsencode(m.name), m.type, oct(m.mode), m.uid, m.gid, m.size, int(m.mtime), os.fsencode(m.linkname), m.uname, m.gname)
)",
                                         written.path});
  CHECK(split_lines(listing).size() == odd_headers().size());
  CHECK(listing.find("b'bin/again' b'1' 0o644 0 0 0 0 b'bin/app'") != std::string::npos);
  CHECK(listing.find("b'owner' b'0' 0o644 3000000 4000000000 1 0") != std::string::npos);
  CHECK(listing.find("b'old' b'0' 0o644 0 0 1 -5") != std::string::npos);
  CHECK(listing.find(cat("b'long-latin-\\xe9-", std::string(200, 'x'))) != std::string::npos);
  CHECK(listing.find(cat("b'long-\\xc3\\xbcn\\xc3\\xafcode-", std::string(200, 'x'))) != std::string::npos);
}

TEST_CASE("libarchive gives back what was written") {
  const std::string bytes = archive_of(odd_headers(), "hello");
  StringSource source(bytes);
  ArchiveReader reader(source, "the archive");
  ArchiveEntry entry;
  for (const TarHeader& header : odd_headers()) {
    INFO(header.path);
    REQUIRE(reader.next(entry));
    CHECK(entry.path == header.path);
    CHECK(entry.mode == header.mode);
    CHECK(entry.uid == header.uid);
    CHECK(entry.gid == header.gid);
    CHECK(entry.modified == header.modified);
    CHECK(entry.link == header.link);
    CHECK(entry.size == header.size);
    CHECK(entry.attributes == header.attributes);
    CHECK(entry.is_confined());
  }
  CHECK_FALSE(reader.next(entry));
}

TEST_CASE("a source of another length than promised is an error that names the file") {
  StringSink out;
  TarWriter tar(out);
  StringSource longer("hello"), shorter("he");
  CHECK_THROWS_WITH_AS(tar.add(file("a/b", 4), longer), "`a/b` changed while it was read", Error);
  CHECK_THROWS_WITH_AS(tar.add(file("a/b", 4), shorter), "`a/b` changed while it was read", Error);
}

TEST_CASE("an attribute whose name would break the record is refused") {
  TarHeader header = file("f", 0);
  header.attributes = {{"user.a=b", "1"}};
  CHECK_THROWS_WITH_AS(tar_header(header), "the extended attribute `user.a=b` of `f` cannot be stored in a tar archive",
                       Error);
  header.attributes = {{"user.empty", ""}};
  CHECK(tar_header(header).size() == 512);
}
