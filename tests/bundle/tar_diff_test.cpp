#include "base/tar.hpp"
#include "base/zstd_frames.hpp"
#include "bundle/tar_diff_maker.hpp"
#include "bundle/tar_path.hpp"
#include "bundle/varint.hpp"
#include "tests/bundle/delta_support.hpp"
#include "tests/support/errors.hpp"

using namespace whittle;
using namespace whittle::bundle;
using test::error_of;

namespace {

struct Made {
  std::string path, content;
  TarHeader::Kind kind = TarHeader::Kind::file;
  std::string link = {};
};

std::string tar_of(const std::vector<Made>& entries) {
  StringSink out;
  TarWriter tar(out);
  for (const Made& made : entries) {
    const TarHeader header{
        .path = made.path, .kind = made.kind, .size = made.content.size(), .link = made.link, .attributes = {}};
    StringSource content(made.content);
    if (made.kind == TarHeader::Kind::file)
      tar.add(header, content);
    else
      tar.add(header);
  }
  tar.finish();
  return out.text;
}

std::string made_of(std::string_view fresh, const std::vector<std::string>& old) {
  std::vector<Bytes> tars;
  for (const std::string& tar : old) tars.push_back(bytes_of(tar));
  StringSink out;
  write_tar_diff(bytes_of(fresh), UnpackedTars(tars), out, {});
  return out.text;
}

std::string applied(std::string_view payload, const std::vector<std::string>& old, std::uint64_t limit = 1 << 30) {
  std::vector<Bytes> tars;
  for (const std::string& tar : old) tars.push_back(bytes_of(tar));
  StringSource source(payload);
  StringSink out;
  apply_tar_diff(source, UnpackedTars(tars), out, limit);
  return out.text;
}

std::size_t comes_back(const std::string& fresh, const std::vector<std::string>& old) {
  const std::string payload = made_of(fresh, old);
  CHECK(applied(payload, old) == fresh);
  return payload.size();
}

// A payload of operations by hand.
std::string by_hand(std::initializer_list<std::tuple<int, std::uint64_t, std::string>> operations) {
  std::string text;
  for (const auto& [operation, size, data] : operations) {
    text += static_cast<char>(operation);
    append_varint(text, size);
    text += data;
  }
  StringSink out;
  out.write(bytes_of(kTarDiffMagic));
  FrameSink packed(out, 3, 20);
  packed.write(bytes_of(text));
  packed.finish();
  return out.text;
}

const std::vector<std::string> kOld = {tar_of({{"a/file", "0123456789"}, {"b", "bee"}})};

}  // namespace

TEST_CASE("tars of edited trees come back from tar-diffs") {
  std::mt19937 random(1);
  for (int round = 0; round < 15; ++round) {
    std::vector<Made> old, fresh;
    for (int i = 0; i < 12; ++i) {
      Made made{cat("folder/file", i), noise(random() % 20'000, random())};
      old.push_back(made);
      if (random() % 4 == 0) continue;
      if (random() % 3 == 0) made.content.insert(random() % (made.content.size() + 1), noise(random() % 100, random()));
      if (random() % 4 == 0) made.path += ".moved";
      fresh.push_back(made);
    }
    fresh.push_back({"link", "", TarHeader::Kind::symbolic_link, "folder/file1"});
    fresh.push_back({"hard", "", TarHeader::Kind::hard_link, fresh.front().path});
    const std::string tar = tar_of(fresh);
    CHECK(comes_back(tar, {tar_of(old)}) < tar.size() / 4);
  }
  CHECK(comes_back("", kOld) > 0);
  CHECK(comes_back(noise(3000, 2), {}) > 3000);
}

TEST_CASE("only files that are seen in the unpacked layers are read") {
  const std::string content = noise(10'000, 1);
  const auto finds = [&](const std::vector<std::string>& old) {
    return comes_back(tar_of({{"new", content}}), old) < 1000;
  };
  const std::string below = tar_of({{"folder/file", content}});
  CHECK(finds({below}));
  CHECK(finds({below, tar_of({{"else", "x"}})}));
  CHECK_FALSE(finds({below, tar_of({{"folder/file", "x"}})}));
  CHECK_FALSE(finds({below, tar_of({{"folder/.wh.file", ""}})}));
  CHECK_FALSE(finds({below, tar_of({{".wh.folder", ""}})}));
  CHECK_FALSE(finds({below, tar_of({{"folder/.wh..wh..opq", ""}})}));
  CHECK_FALSE(finds({below, tar_of({{".wh..wh..opq", ""}})}));
  CHECK_FALSE(finds({below, tar_of({{"folder", "", TarHeader::Kind::symbolic_link, "/"}})}));
  CHECK_FALSE(finds({tar_of({{"folder", "", TarHeader::Kind::symbolic_link, "/"}, {"folder/file", content}})}));
  CHECK(finds({below, tar_of({{"folder/.wh.other", ""}, {"folder2", "", TarHeader::Kind::symbolic_link, "/"}})}));
}

TEST_CASE("operations mean what the format says") {
  CHECK(applied(
            by_hand(
                {{0, 3, "abc"}, {1, 6, "a/file"}, {2, 4, ""}, {4, 8, ""}, {2, 2, ""}, {4, 0, ""}, {3, 3, {1, 0, -1}}}),
            kOld) == "abc0123891" + std::string(1, '1') + "1");
  // Names are cleaned, and opening begins at the beginning again.
  CHECK(applied(by_hand({{1, 12, "/../a/./file"}, {2, 2, ""}, {1, 1, "b"}, {2, 3, ""}, {1, 6, "a/file"}, {2, 1, ""}}),
                kOld) == "01bee0");
}

TEST_CASE("hostile tar-diffs are refused") {
  const auto refused = [](const std::string& payload, std::uint64_t limit = 100) {
    const Error error = error_of([&] { applied(payload, kOld, limit); });
    CHECK(error.exit() == Exit::refused);
    return error.causes().front();
  };
  CHECK(refused("tardf9\n") == "it does not begin as one");
  CHECK(refused(std::string(kTarDiffMagic) + "x") != "");
  CHECK(refused(by_hand({{5, 0, ""}})) == "it has an operation 5, which does not exist");
  CHECK(refused(by_hand({{2, 1, ""}})) == "it reads before it opens a file");
  CHECK(refused(by_hand({{1, 4, "none"}})) == "it reads a file that is not there: `none`");
  CHECK(refused(by_hand({{1, 11, "/etc/passwd"}})) == "it reads a file that is not there: `etc/passwd`");
  CHECK(refused(by_hand({{1, 5000, std::string(5000, 'x')}})) == "it names a file with too long a name");
  CHECK(refused(by_hand({{1, 1, "b"}, {2, 4, ""}})) == "it reads after the end of a file");
  CHECK(refused(by_hand({{1, 1, "b"}, {4, ~0ULL, ""}, {2, 1, ""}})) == "it reads after the end of a file");
  CHECK(refused(by_hand({{0, 10, "short"}})) == "it ends in the middle of an operation");
  CHECK(refused(by_hand({{0, 101, std::string(101, 'x')}})) == "it makes more bytes than it should");
  const std::string whole = by_hand({{0, 50, noise(50, 1)}});
  CHECK(refused(whole.substr(0, whole.size() - 5)) != "");
}

TEST_CASE("paths in tars lead nowhere else") {
  CHECK(clean_path("./a//b/../c/") == "a/c");
  CHECK(clean_path("/../../a") == "a");
  CHECK(clean_path("..") == "");
}

TEST_CASE("entries of tars by other hands are found where they are") {
  const std::string long_name = std::string(150, 'n') + "/" + std::string(180, 'm');
  const std::string tar =
      tar_of({{"a", "one"}, {long_name, noise(1000, 1)}, {"link", "", TarHeader::Kind::symbolic_link, "a"}});
  const std::vector<TarEntry> entries = tar_entries(bytes_of(tar));
  REQUIRE(entries.size() == 3);
  CHECK(entries[1].name == long_name);
  CHECK(tar.substr(entries[1].content, entries[1].size) == noise(1000, 1));
  CHECK(entries[1].begin == entries[0].end);
  CHECK(entries[2].type == '2');
  CHECK(entries[2].link == "a");
  for (std::uint32_t seed = 0; seed < 50; ++seed) {
    std::string damaged = tar;
    for (int i = 0; i < 5; ++i)
      damaged.replace((seed * 7919 + static_cast<std::uint32_t>(i) * 331) % damaged.size(), 1, noise(1, seed));
    for (const TarEntry& entry : tar_entries(bytes_of(damaged))) CHECK(entry.end <= tar.size());
  }
}
