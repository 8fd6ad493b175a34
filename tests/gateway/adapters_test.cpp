#include <doctest/doctest.h>

#include <fstream>

#include "gateway/image_archive.hpp"
#include "gateway/upkeep.hpp"
#include "tests/gateway/support.hpp"
#include "tests/support/errors.hpp"

using namespace whittle;
using namespace whittle::gateway;
using whittle::test::error_of;

namespace {

std::vector<std::string> files_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().native());
  std::sort(names.begin(), names.end());
  return names;
}

const std::string kBase = noise(40'000, 1);

}  // namespace

TEST_CASE("the folder of K3s gets an archive an image, and what is not used is hidden") {
  const TemporaryFolder folder(fs::temp_directory_path());
  const fs::path images = folder.path() / "images";
  Rig rig({.adapter = "k3s", .options = {{"folder", images.native()}}});
  Bundle one(1, {{"sensor", {kBase}}, {"web", {noise(500, 2)}}}),
      two(2, {{"sensor", {kBase, "new"}}, {"web", {noise(500, 2)}}});
  rig.apply(one);
  const std::vector<std::string> before = files_in(images);
  REQUIRE(before.size() == 3);  // with .cache.json
  CHECK(before[0] == ".cache.json");
  CHECK(before[1].starts_with("sensor-"));
  CHECK(before[1].ends_with(".tar"));
  CHECK(rig.blobs() == 0);

  rig.apply(two.without(one));  // from the archive that is there
  std::vector<std::string> after = files_in(images);
  REQUIRE(after.size() == 4);
  CHECK(std::count_if(after.begin(), after.end(), [](const auto& name) { return name.ends_with(".kept"); }) == 1);
  CHECK(std::find(after.begin(), after.end(), before[1] + ".kept") != after.end());
  rig.renew();
  CHECK(verify(rig.workshop(), true).damage.empty());
  roll_back(rig.workshop(), {});
  after = files_in(images);
  CHECK(std::find(after.begin(), after.end(), before[1]) != after.end());
}

TEST_CASE("a damaged archive of K3s is found and mended") {
  const TemporaryFolder folder(fs::temp_directory_path());
  const fs::path images = folder.path() / "images";
  Rig rig({.adapter = "k3s", .options = {{"folder", images.native()}}});
  Bundle one(1, {{"sensor", {kBase}}});
  rig.apply(one);
  const std::string name = files_in(images).at(1);
  std::string text = read_file(images / name);
  text[20'000] ^= 1;
  write_file(images / name, text);
  rig.renew();
  CHECK(verify(rig.workshop(), false).damage.empty());
  const Findings findings = verify(rig.workshop(), true);
  REQUIRE(findings.damage.size() == 1);
  CHECK(heal(rig.workshop(), one.offer(), findings).empty());
  CHECK(files_in(images) == std::vector<std::string>{".cache.json", name});
}

TEST_CASE("an archive is a tar whose places are known, and an interrupted writer goes on in it") {
  const TemporaryFolder folder(fs::temp_directory_path());
  Bundle one(1, {{"sensor", {kBase, noise(700, 3)}}});
  const Generation generation = Generation::from(one.root, digest_of("r"), 1);
  std::vector<bundle::BlobSize> blobs;
  for (const auto& [digest, size] : generation.blobs) blobs.push_back({digest, size});
  const ImageArchive archive({{"registry.example.org/a:1", generation.images[0].target}}, blobs);
  StringSink whole;
  copy(*archive.stream(one.carried), whole);
  CHECK(whole.text.size() == archive.size());
  for (const ImageArchive::Piece& piece : archive.pieces()) {
    if (piece.blob.size > 0) CHECK(digest_of(whole.text.substr(piece.offset, piece.blob.size)) == piece.blob.digest);
  }
  const fs::path file = folder.path() / "a.tar";
  for (const std::size_t there : {std::size_t{0}, std::size_t{1}, std::size_t{20'000}, whole.text.size()}) {
    write_file(file, whole.text.substr(0, there));
    write_resumed(file, *archive.stream(one.carried), [] {});
    CHECK(read_file(file) == whole.text);
  }
  write_file(file, whole.text + "more");
  write_resumed(file, *archive.stream(one.carried), [] {});
  CHECK(read_file(file) == whole.text);
  std::string other = whole.text;
  other[30'000] ^= 1;
  write_file(file, other);
  write_resumed(file, *archive.stream(one.carried), [] {});
  CHECK(read_file(file) == whole.text);
}

TEST_CASE("a runtime that does not answer is told with its own words before anything is written") {
  Rig rig({.adapter = "containerd"});
  rig.answer = [](const Command&) { return FakeRunner::Answer{.status = 1, .error = "ctr: connection refused\n"}; };
  Bundle one(1, {{"sensor", {kBase}}});
  const Error error = error_of([&] { rig.apply(one); });
  CHECK(error.exit() == Exit::transient);
  CHECK(error.causes().at(0) == "ctr: connection refused");
  CHECK_FALSE(fs::exists(rig.state->journal()));
}
