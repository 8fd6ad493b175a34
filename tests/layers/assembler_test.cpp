#include "layers/assembler.hpp"

#include <sys/stat.h>

#include "base/json.hpp"
#include "tests/layers/support.hpp"

using namespace whittle;
using namespace whittle::layers;

namespace {

oci::Config config_of(Workshop& shop, const oci::Image& image) {
  return oci::Config::decode(shop.store.read(image.config, oci::kMaximumConfig), "the configuration");
}

// Makes the tree's times old enough to be believed, as those of a tree at rest are.
void wait_until_settled(const fs::path& file) {
  struct stat status {};
  REQUIRE(::stat(file.c_str(), &status) == 0);
  timespec now{};
  do {
    ::clock_gettime(CLOCK_REALTIME, &now);
  } while ((now.tv_sec - status.st_ctim.tv_sec) * 1'000'000'000L + now.tv_nsec - status.st_ctim.tv_nsec < 30'000'000);
}

}  // namespace

TEST_CASE("an assembled image is valid, and says what it is") {
  Workshop shop;
  shop.program("/bin/app", "program");
  shop.plan.image.env = {{"B", "2"}, {"A", "1"}};
  shop.plan.image.ports = {"8080/tcp"};
  shop.plan.image.labels = {{"k", "v"}};
  shop.plan.image.stop_signal = "SIGINT";
  shop.plan.image.created = "1795305600";
  const oci::Image image = shop.assemble();
  CHECK(oci::validate(shop.store, image.manifest, diff_id_of).empty());
  CHECK(image.manifest.platform->str() == "linux/amd64");

  const oci::Config config = config_of(shop, image);
  CHECK(config.entrypoint == std::vector<std::string>{"/bin/app"});
  CHECK(config.env == std::vector<std::string>{"A=1", "B=2"});
  CHECK(config.exposed_ports == std::vector<std::string>{"8080/tcp"});
  CHECK(config.user == "65532:65532");
  CHECK(config.working_directory == "/");
  CHECK(config.stop_signal == "SIGINT");
  CHECK(config.created == "2026-11-22T00:00:00Z");
  CHECK(config.labels.at("k") == "v");
  REQUIRE(config.history.size() == 2);
  CHECK(config.history[0].created_by == "whittle: base");
  CHECK(config.history[1].created_by == "whittle: program app");

  const oci::Manifest manifest = oci::Manifest::decode(shop.store.read(image.manifest, oci::kMaximumManifest), "m");
  CHECK(manifest.layers[1].annotations.at("io.whittle.compression") ==
        compression_identity(compression_of(shop.plan.layers)));
  CHECK(manifest.layers[1].annotations.at("io.whittle.slice") == "program app");
  CHECK(manifest.layers[1].media_type == oci::media_type::kLayerZstd);
}

TEST_CASE("equal content gives equal layers in different images") {
  Workshop shop;
  shop.program("/bin/app", "program");
  const oci::Image one = shop.assemble();
  shop.program("/bin/other", "another");
  shop.plan.name = "else";
  shop.plan.image.created = "7";
  const oci::Image two = shop.assemble();
  CHECK(two.layers.at(0).blob.digest == one.layers.at(0).blob.digest);
  CHECK(two.layers.at(1).blob.digest == one.layers.at(1).blob.digest);
  CHECK(two.manifest.digest != one.manifest.digest);
}

TEST_CASE("an unchanged layer is taken from the cache, a changed one is not") {
  Workshop shop;
  write_tree(shop.tree, {{"a", "1"}, {"b", "2"}});
  shop.plan.image.files = {{".", "/srv", ""}};
  wait_until_settled(shop.tree / "b");
  const oci::Image first = shop.assemble();
  const auto cached = [&] {
    return std::distance(fs::directory_iterator(shop.around.path() / "cache"), fs::directory_iterator());
  };
  CHECK(cached() == 2);
  CHECK(shop.assemble().manifest.digest == first.manifest.digest);
  CHECK(cached() == 2);
  write_tree(shop.tree, {{"a", "x"}});
  CHECK(shop.assemble().manifest.digest != first.manifest.digest);
  write_tree(shop.tree, {{"a", "1"}});
  CHECK(shop.assemble().manifest.digest == first.manifest.digest);
}

TEST_CASE("files that were touched a moment ago are not believed by their stamp") {
  Workshop shop;
  shop.plan.image.files = {{".", "/srv", ""}};
  for (int i = 0; i < 50; ++i) {
    const std::string content = cat("content ", 100 + i);
    write_tree(shop.tree, {{"a", content}});
    const oci::Image image = shop.assemble();
    CHECK(output_of({"tar", "-xOf", shop.tar_of(image.layers.at(1)), "srv/a"}) == content);
  }
}

TEST_CASE("every setting that decides bytes decides the key") {
  Workshop shop;
  shop.program("/bin/app", noise(5000) + std::string(5000, 'x'));
  const oci::Image first = shop.assemble();
  shop.plan.layers.level = 19;
  const oci::Image other = shop.assemble();
  CHECK(other.layers[1].blob.digest != first.layers[1].blob.digest);
  CHECK(other.layers[1].diff_id == first.layers[1].diff_id);
}

TEST_CASE("a damaged cache entry or blob is made again") {
  Workshop shop;
  shop.program("/bin/app", "program");
  const oci::Image image = shop.assemble();
  for (const auto& entry : fs::directory_iterator(shop.around.path() / "cache")) {
    std::string text = read_file(entry.path());
    text[text.size() / 2] ^= 1;
    write_file(entry.path(), text);
  }
  CHECK(shop.assemble().manifest.digest == image.manifest.digest);
  for (const oci::Descriptor& blob : oci::closure(shop.store, image.manifest)) {
    write_file(shop.store.path(blob.digest), "damaged");
  }
  CHECK(shop.assemble().manifest.digest == image.manifest.digest);
  CHECK(oci::validate(shop.store, image.manifest, diff_id_of).empty());
  remove_tree(shop.around.path() / "cache");
  CHECK(shop.assemble().manifest.digest == image.manifest.digest);
}

TEST_CASE("the digest of a small image is what it always was") {
  Workshop shop;
  shop.program("/bin/app", "program");
  CHECK(shop.assemble().manifest.digest.str() ==
        "sha256:ee0220182ee81582f1f33a63430fe1a5601c2ecee1bc3588192efb14019159ba");
}

TEST_CASE("a bad creation time or platform is refused") {
  Workshop shop;
  shop.plan.image.created = "yesterday";
  CHECK(error_of([&] { shop.assemble(); }) == "the creation time `yesterday` is not a number of seconds since 1970");
  shop.plan.platform = "amd64";
  CHECK(error_of([&] { shop.assemble(); }) == "`amd64` is not a platform");
}
