#include <doctest/doctest.h>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/tar.hpp"
#include "base/text.hpp"
#include "oci/layout.hpp"
#include "registry/image_sink.hpp"
#include "tests/registry/real_registry.hpp"
#include "tests/registry/test_images.hpp"

using namespace whittle;
using namespace whittle::registry;
using whittle::testing::make_image;
using whittle::testing::make_index;
using whittle::testing::noise;
using whittle::testing::run_party;
using whittle::testing::Scratch;
using whittle::testing::TestImage;

namespace {

struct Rig {
  Scratch scratch;
  oci::BlobStore store{scratch / "store"};
  ThreadPool pool{4};
  RecordingEvents events;

  Delivery send(const oci::Descriptor& root, ImageSink& sink) { return deliver(root, store, sink, pool, events, {}); }
  fs::path archive(const oci::Descriptor& root, const std::string& name = "example.org/team/app:1",
                   std::string_view file = "a.tar") {
    send(root, *archive_sink(scratch / file, name));
    return scratch / file;
  }
  Error unreadable(const fs::path& file) {
    oci::BlobStore into(scratch / "unreadable");
    try {
      read_archive(file, into, events);
    } catch (const Error& error) {
      return error;
    }
    FAIL("no error");
    return {Exit::bug, ""};
  }
};

void check_same(const oci::BlobStore& one, const oci::BlobStore& two, const oci::Descriptor& root) {
  for (const oci::Descriptor& blob : oci::closure(one, root)) CHECK(one.read(blob, 1 << 30) == two.read(blob, 1 << 30));
}

// A tar of these files, written by nobody's image tool.
void write_tar(const fs::path& file, const std::vector<std::pair<std::string, std::string>>& files) {
  StringSink tar;
  TarWriter writer(tar);
  for (const auto& [path, text] : files) {
    StringSource content(text);
    writer.add({.path = path, .size = text.size(), .link = {}, .attributes = {}}, content);
  }
  writer.finish();
  write_file(file, tar.text);
}

}  // namespace

TEST_CASE("a layout takes an image once, and skopeo reads it") {
  Rig rig;
  const TestImage image = make_image(rig.store, {noise(300'000, 1), noise(10, 2)});
  const Delivery first = rig.send(image.manifest, *layout_sink(rig.scratch / "out", "app:1", rig.events));
  CHECK(first.sent_blobs == 3);
  const Delivery second = rig.send(image.manifest, *layout_sink(rig.scratch / "out", "app:1", rig.events));
  CHECK(second.unchanged);
  check_same(rig.store, oci::BlobStore(rig.scratch / "out"), image.manifest);
  const Json seen =
      Json::parse(run_party({"skopeo", "inspect", cat("oci:", (rig.scratch / "out").native(), ":app:1")}));
  CHECK(seen["Digest"] == image.manifest.digest.str());
}

TEST_CASE("a layout from which a blob was deleted gets it again") {
  Rig rig;
  const TestImage image = make_image(rig.store, {noise(3'000, 1), noise(10, 2)});
  rig.send(image.manifest, *layout_sink(rig.scratch / "out", "app:1", rig.events));
  oci::BlobStore out(rig.scratch / "out");
  out.remove(image.layers[0].digest);
  const Delivery again = rig.send(image.manifest, *layout_sink(rig.scratch / "out", "app:1", rig.events));
  CHECK(again.sent_blobs == 1);
  CHECK(again.reused_blobs == 2);
  check_same(rig.store, out, image.manifest);
}

TEST_CASE("an index goes into a layout with everything below it") {
  Rig rig;
  const TestImage one = make_image(rig.store, {noise(300, 1)});
  const TestImage two = make_image(rig.store, {noise(300, 2)}, {.os = "linux", .architecture = "arm64", .variant = ""});
  const oci::Descriptor index = make_index(rig.store, {one, two});
  rig.send(index, *layout_sink(rig.scratch / "out", "app:1", rig.events));
  check_same(rig.store, oci::BlobStore(rig.scratch / "out"), index);
}

TEST_CASE("equal images give equal archives, whatever the threads do") {
  Rig rig;
  const TestImage image = make_image(rig.store, {noise(300'000, 1), noise(10, 2), noise(4'000, 3)});
  const std::string first = read_file(rig.archive(image.manifest));
  for (int i = 0; i < 5; ++i)
    CHECK(digest_of(read_file(rig.archive(image.manifest, "example.org/team/app:1", "b.tar"))) == digest_of(first));
}

TEST_CASE("an archive comes back the same, with its name") {
  Rig rig;
  const TestImage image = make_image(rig.store, {noise(300'000, 1), noise(10, 2)});
  oci::BlobStore into(rig.scratch / "into");
  const ArchivedImage back = read_archive(rig.archive(image.manifest), into, rig.events);
  CHECK(back.root.digest == image.manifest.digest);
  CHECK(back.name == "example.org/team/app:1");
  check_same(rig.store, into, image.manifest);

  const oci::Descriptor index = make_index(rig.store, {image});
  oci::BlobStore other(rig.scratch / "other");
  CHECK(read_archive(rig.archive(index), other, rig.events).root.digest == index.digest);
  check_same(rig.store, other, index);
}

TEST_CASE("skopeo reads an archive as an OCI and as a Docker one") {
  Rig rig;
  const TestImage image = make_image(rig.store, {noise(30'000, 1), noise(10, 2)});
  const std::string file = rig.archive(image.manifest).native();
  const Json seen = Json::parse(run_party({"skopeo", "inspect", "oci-archive:" + file}));
  CHECK(seen["Digest"] == image.manifest.digest.str());
  run_party({"skopeo", "--insecure-policy", "copy", "docker-archive:" + file,
             cat("oci:", (rig.scratch / "copied").native(), ":1")});
}

TEST_CASE("podman loads an archive under its name") {
  Rig rig;
  const TestImage image = make_image(rig.store, {noise(30'000, 1)});
  const std::string file = rig.archive(image.manifest).native();
  // podman's paths have to be short, so the test's own folder will not do.
  const TemporaryFolder short_folder("/tmp", "wp-");
  const std::string root = short_folder.path().native();
  const std::vector<std::string> podman = {
      "podman",           "--root", root + "/root",     "--runroot", root + "/run",      "--tmpdir", root + "/tmp",
      "--storage-driver", "vfs",    "--cgroup-manager", "cgroupfs",  "--events-backend", "file"};
  const auto call = [&](std::vector<std::string> arguments) {
    std::vector<std::string> argv = podman;
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return run_party(argv, {{"HOME", root}});
  };
  CHECK(call({"load", "--input", file}).find("example.org/team/app:1") != std::string::npos);
  CHECK(trim(call({"image", "inspect", "--format", "{{.Digest}}", "example.org/team/app:1"})) ==
        image.manifest.digest.str());
  call({"system", "prune", "--all", "--force"});
}

TEST_CASE("skopeo's archives are read, OCI and Docker") {
  Rig rig;
  const TestImage image = make_image(rig.store, {noise(30'000, 1), noise(10, 2)});
  rig.send(image.manifest, *layout_sink(rig.scratch / "out", "app:1", rig.events));
  const std::string layout = cat("oci:", (rig.scratch / "out").native(), ":app:1");
  const std::string oci = (rig.scratch / "oci.tar").native(), docker = (rig.scratch / "docker.tar").native();
  run_party({"skopeo", "--insecure-policy", "copy", "--preserve-digests", layout,
             cat("oci-archive:", oci, ":example.org/x:1")});
  run_party({"skopeo", "--insecure-policy", "copy", layout, cat("docker-archive:", docker, ":example.org/x:1")});

  oci::BlobStore one(rig.scratch / "one");
  const ArchivedImage from_oci = read_archive(oci, one, rig.events);
  CHECK(from_oci.root.digest == image.manifest.digest);
  CHECK(from_oci.name == "example.org/x:1");
  check_same(rig.store, one, image.manifest);

  oci::BlobStore two(rig.scratch / "two");
  const ArchivedImage from_docker = read_archive(docker, two, rig.events);
  CHECK(from_docker.name == "example.org/x:1");
  const oci::Image loaded =
      oci::load_image(two, from_docker.root, {.os = "linux", .architecture = "amd64", .variant = ""});
  REQUIRE(loaded.layers.size() == 2);
  CHECK(two.read(loaded.layers[0].blob, 1 << 30) == rig.store.read(image.layers[0], 1 << 30));
}

TEST_CASE("an archive that failed leaves neither a file nor a part of one") {
  Rig rig;
  const TestImage image = make_image(rig.store, {noise(3'000, 1)});
  rig.store.remove(image.layers[0].digest);
  fs::create_directory(rig.scratch / "out");
  try {
    rig.archive(image.manifest, "x:1", "out/a.tar");
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.notes() ==
          std::vector<std::string>{cat("`", (rig.scratch / "out/a.tar").native(), "` was not written")});
  }
  CHECK(fs::is_empty(rig.scratch / "out"));
}

TEST_CASE("an archive whose blobs are not what they are named is refused, and nothing of it is kept") {
  Rig rig;
  const TestImage image = make_image(rig.store, {noise(3'000, 1)});
  std::string bytes = read_file(rig.archive(image.manifest));
  const std::string layer = rig.store.read(image.layers[0], 1 << 20);
  const std::size_t at = bytes.find(layer.substr(512, 64));
  REQUIRE(at != std::string::npos);
  bytes[at] ^= 1;
  write_file(rig.scratch / "bad.tar", bytes);
  CHECK(rig.unreadable(rig.scratch / "bad.tar").exit() == Exit::registry_content);
  CHECK_FALSE(oci::BlobStore(rig.scratch / "unreadable").has(image.layers[0].digest));
}

TEST_CASE("archives without an image, or with several, are refused with the reason") {
  Rig rig;
  write_tar(rig.scratch / "none.tar", {{"readme", "nothing"}});
  CHECK(rig.unreadable(rig.scratch / "none.tar").causes() ==
        std::vector<std::string>{"it has neither `index.json` nor `manifest.json`"});

  const TestImage one = make_image(rig.store, {"1"}), two = make_image(rig.store, {"2"});
  oci::Index index{
      .media_type = std::string(oci::media_type::kIndex), .manifests = {one.manifest, two.manifest}, .annotations = {}};
  index.manifests[0].annotations["org.opencontainers.image.ref.name"] = "first:1";
  write_tar(rig.scratch / "two.tar", {{"index.json", index.encode()}});
  const Error error = rig.unreadable(rig.scratch / "two.tar");
  CHECK(error.causes() == std::vector<std::string>{"it holds 2 images; whittle reads archives with one"});
  CHECK(error.details() == std::vector<std::string>{"it has: first:1", cat("it has: ", two.manifest.digest.str())});

  oci::Index lonely{.media_type = std::string(oci::media_type::kIndex), .manifests = {one.manifest}, .annotations = {}};
  write_tar(rig.scratch / "empty.tar", {{"index.json", lonely.encode()}});
  CHECK(rig.unreadable(rig.scratch / "empty.tar").exit() == Exit::registry_content);

  write_tar(rig.scratch / "docker.tar",
            {{"manifest.json", R"([{"Config":"../../etc/passwd","Layers":["/etc/shadow"]}])"}});
  CHECK(rig.unreadable(rig.scratch / "docker.tar").exit() == Exit::registry_content);
}
