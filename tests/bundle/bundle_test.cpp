#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>

#include "base/process.hpp"
#include "base/text.hpp"
#include "bundle/reader.hpp"
#include "bundle/writer.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/small_set.hpp"

using namespace whittle;
using namespace whittle::bundle;
using whittle::test::error_of;
using whittle::test::noise;
using whittle::test::SmallSet;

namespace {

std::string read_through(const BundleReader& bundle, const BlobSize& blob) {
  return bundle.read({.media_type = {}, .digest = blob.digest, .size = blob.size}, 1 << 30);
}

void check_all_blobs(const BundleReader& bundle) {
  for (const BlobSize& blob : bundle.root().blobs) CHECK(digest_of(read_through(bundle, blob)) == blob.digest);
}

// Without a sync, which thousands of times is minutes.
void put(const fs::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}

}  // namespace

TEST_CASE("a bundle gives back what was put into it") {
  SmallSet set;
  set.add("sensor", {noise(100'000, 1), "two"});
  set.add("infer", {noise(100'000, 1), ""});
  const std::vector<fs::path> files = set.write();
  REQUIRE(files.size() == 1);
  const BundleReader bundle(files);
  CHECK(bundle.root().encode() == set.plan.root.encode());
  CHECK(bundle.size() == fs::file_size(files[0]));
  CHECK(bundle.check_trust(set.trust()).version == 1);
  bundle.verify(set.events, {});
  check_all_blobs(bundle);
  CHECK_FALSE(bundle.has(digest_of("nothing"), 7));
}

TEST_CASE("a bundle is the same bytes every time") {
  SmallSet set;
  set.add("sensor", {noise(300'000, 1)});
  CHECK(read_file(set.write("a")[0]) == read_file(set.write("b")[0]));
}

TEST_CASE("tar lists a bundle and finds its blobs") {
  SmallSet set;
  set.add("sensor", {noise(1000, 1)});
  const fs::path file = set.write()[0];
  SystemProcessRunner runner;
  const CapturedOutput listed = run_captured(
      runner, {.argv = {"tar", "-xf", file.native(), "-C", set.around.path().native(), "--warning=no-timestamp"},
               .env = {{"PATH", "/usr/bin:/bin"}},
               .folder = {}});
  INFO(listed.error);
  REQUIRE(listed.result.ok());
  CHECK(read_file(set.around.path() / "whittle/root.json") == set.plan.root.encode());
  for (const BlobSize& blob : set.plan.root.blobs) {
    CHECK(digest_of_file(set.around.path() / "blobs/sha256" / blob.digest.hex()) == blob.digest);
  }
}

TEST_CASE("volumes are found in any order and beside the one that is named") {
  SmallSet set;
  set.add("sensor", {noise(500'000, 1), noise(90'000, 2), noise(40'000, 3)});
  set.plan.root.volume_size = 200'000;
  std::vector<fs::path> files = set.write();
  REQUIRE(files.size() > 3);
  for (const fs::path& file : files) CHECK(fs::file_size(file) <= 200'000);
  std::reverse(files.begin(), files.end());
  BundleReader(files).verify(set.events, {});
  const fs::path elsewhere = set.around.path() / "elsewhere";
  make_folders(elsewhere);
  for (std::size_t i = 0; i < files.size(); ++i) fs::rename(files[i], elsewhere / cat("X", i));
  write_file(elsewhere / "notes.txt", "not a volume");
  const std::vector<fs::path> one = {elsewhere / "X1"};
  const BundleReader bundle(one);
  check_all_blobs(bundle);

  fs::remove(elsewhere / "X0");
  const Error missing = error_of([&] { BundleReader again(one); });
  CHECK(missing.exit() == Exit::refused);
  CHECK(missing.details().front() == cat("missing: volume ", files.size(), " of ", files.size()));
}

TEST_CASE("volumes of two bundles are not mixed") {
  SmallSet set;
  set.add("sensor", {noise(1000, 1)});
  const fs::path first = set.write("a")[0];
  set.plan.root.epoch = 2;
  const std::vector<fs::path> files = {first, set.write("b")[0]};
  CHECK(error_of([&] { BundleReader bundle(files); }).message().find("belongs to another bundle") != std::string::npos);
}

TEST_CASE("a byte that was flipped anywhere is noticed") {
  SmallSet set;
  set.add("sensor", {noise(3000, 1), "two"});
  const std::vector<fs::path> files = set.write();
  const std::string honest = read_file(files[0]);
  const std::size_t step = 37;
  for (std::size_t offset = 0; offset < honest.size(); offset += step) {
    std::string damaged = honest;
    damaged[offset] = static_cast<char>(damaged[offset] ^ 0x20);
    put(files[0], damaged);
    const auto use = [&] {
      const BundleReader bundle(files);
      bundle.check_trust(set.trust());
      bundle.verify(set.events, {});
    };
    // White space after the signatures carries nothing.
    INFO("offset " << offset);
    if (honest[offset] != ' ') CHECK(error_of(use).exit() == Exit::refused);
  }
}

TEST_CASE("a bundle that was cut off is noticed, wherever") {
  SmallSet set;
  set.add("sensor", {noise(3000, 1)});
  const std::vector<fs::path> files = set.write();
  const std::string honest = read_file(files[0]);
  for (std::size_t size = 0; size < honest.size(); size += 101) {
    put(files[0], honest.substr(0, size));
    CHECK(error_of([&] { BundleReader(files).verify(set.events, {}); }).exit() == Exit::refused);
  }
  write_file(files[0], honest + std::string(512, '\0'));
  CHECK(error_of([&] { BundleReader(files).verify(set.events, {}); }).exit() == Exit::refused);
}

TEST_CASE("writing goes on where it was interrupted, and a wrong beginning is written again") {
  SmallSet set;
  set.add("sensor", {noise(700'000, 1), noise(10'000, 2)});
  set.plan.root.volume_size = 300'000;
  const std::vector<fs::path> files = set.write();
  std::vector<std::string> honest;
  for (const fs::path& file : files) honest.push_back(read_file(file));
  const std::string part = files[1].native() + ".part";

  SUBCASE("a part is there") {
    write_file(part, honest[1].substr(0, 123'456));
  }
  SUBCASE("a part is damaged") {
    write_file(part, honest[1].substr(0, 1000) + std::string(5000, 'x'));
  }
  SUBCASE("a part is too long") {
    write_file(part, honest[1] + "more");
  }
  SUBCASE("a part is that of another bundle") {
    write_file(part, noise(50'000, 9));
  }
  for (const fs::path& file : files) fs::remove(file);
  CHECK(set.write() == files);
  for (std::size_t i = 0; i < files.size(); ++i) CHECK(read_file(files[i]) == honest[i]);
  CHECK_FALSE(fs::exists(part));
}

TEST_CASE("a bundle of other keys or for another set is refused") {
  SmallSet set;
  set.add("sensor", {"one"});
  const BundleReader bundle(set.write());
  const SigningKey stranger = SigningKey::generate(KeyAlgorithm::ed25519);
  Trust trust{.set = "line7", .version = 1, .threshold = 1, .keys = {stranger.public_key()}};
  CHECK(error_of([&] { bundle.check_trust(trust); }).exit() == Exit::refused);
  trust = set.trust();
  trust.set = "line8";
  CHECK(error_of([&] { bundle.check_trust(trust); }).message() == "the bundle is for the set `line7`");
}

TEST_CASE("what is no bundle is named") {
  const TemporaryFolder folder(fs::temp_directory_path());
  for (const std::string& text : {std::string(), std::string("hello"), std::string(5000, '\0'), noise(5000, 1)}) {
    const std::vector<fs::path> files = {folder.path() / "file"};
    write_file(files[0], text);
    const Error error = error_of([&] { BundleReader bundle(files); });
    CHECK(error.exit() == Exit::refused);
    CHECK(error.message() == "`" + files[0].native() + "` is no bundle");
  }
}

TEST_CASE("a blob that is not in the store is named, and what was written stays") {
  SmallSet set;
  set.add("sensor", {noise(100'000, 1), "two"});
  const Digest gone = set.plan.root.blobs[1].digest;
  set.layout.blobs().remove(gone);
  const Error error = error_of([&] { set.write(); });
  CHECK(error.exit() == Exit::input_unavailable);
  CHECK(error.message().find(gone.str()) != std::string::npos);
}
