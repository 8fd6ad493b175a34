#include "cli/platforms.hpp"

#include <doctest/doctest.h>

#include "base/files.hpp"
#include "cli/report.hpp"
#include "oci/layout.hpp"
#include "tests/support/errors.hpp"

using namespace whittle;
using cli::image_to_show;
using cli::platforms_of;
using cli::put_root;
using test::error_of;
using Names = std::vector<std::string>;

namespace {

struct Store {
  TemporaryFolder folder{"/tmp"};
  oci::BlobStore blobs{folder.path()};

  oci::Descriptor image(std::string_view platform) {
    const oci::Platform parsed = oci::Platform::parse(platform).value();
    const oci::Config config{.platform = parsed};
    const oci::Manifest manifest{.media_type = std::string(oci::media_type::kManifest),
                                 .config = blobs.put(config.encode(), oci::media_type::kConfig),
                                 .layers = {},
                                 .annotations = {}};
    oci::Descriptor root = blobs.put(manifest.encode(), oci::media_type::kManifest);
    root.platform = parsed;
    return root;
  }
  oci::Index index(const oci::Descriptor& root) {
    return oci::Index::decode(blobs.read(root, oci::kMaximumManifest), "the index");
  }
};

}  // namespace

TEST_CASE("platforms keep their order, are named by their usual words and count once") {
  CHECK(platforms_of({"linux/riscv64", "linux/aarch64", "linux/arm64/v8", "linux/arm"}) ==
        Names{"linux/riscv64", "linux/arm64", "linux/arm/v7"});
}

TEST_CASE("without a platform it is this machine's") {
  CHECK(platforms_of({}) == Names{oci::Platform::host().str()});
}

TEST_CASE("an unknown platform is refused with those that there are") {
  const Error error = error_of([] { platforms_of({"linux/amd46"}); });
  CHECK(error.exit() == Exit::usage);
  CHECK(cli::render(error, false) ==
        "error: whittle does not build for the platform `linux/amd46`\n"
        "  it builds for linux/amd64, linux/arm64, linux/arm/v7, linux/riscv64\n"
        "\n"
        "hint: did you mean `linux/amd64`?\n");
  for (const char* name : {"windows/amd64", "linux", "", "linux/arm/v6"}) CHECK_THROWS_AS(platforms_of({name}), Error);
}

TEST_CASE("an image for one platform is its own root") {
  Store store;
  const std::vector<oci::Descriptor> images = {store.image("linux/arm64")};
  CHECK(put_root(images, store.blobs) == images.front());
  CHECK(image_to_show(images.front(), store.blobs) == images.front());
}

TEST_CASE("images for several platforms are one index with their architectures and variants") {
  Store store;
  const std::vector<oci::Descriptor> images = {store.image("linux/arm64"), store.image("linux/arm/v7")};
  const oci::Descriptor root = put_root(images, store.blobs);
  CHECK(store.index(root).manifests == images);
  CHECK_FALSE(root.platform.has_value());
  CHECK(oci::load_image(store.blobs, root, oci::Platform::parse("linux/arm/v7").value()).manifest == images[1]);
}

TEST_CASE("an index of one platform gives its manifests to the index of several") {
  Store store;
  const std::vector<oci::Descriptor> pair = {store.image("linux/arm64"), store.image("linux/arm64/v9")};
  oci::Descriptor dual = put_root(pair, store.blobs);
  dual.platform = pair[0].platform;
  const std::vector<oci::Descriptor> images = {dual, store.image("linux/riscv64")};
  CHECK(store.index(put_root(images, store.blobs)).manifests ==
        std::vector<oci::Descriptor>{pair[0], pair[1], images[1]});
}

TEST_CASE("of an index without this machine's image the first is shown") {
  Store store;
  const std::vector<oci::Descriptor> images = {store.image("linux/s390x"), store.image("linux/ppc64le")};
  CHECK(image_to_show(put_root(images, store.blobs), store.blobs).digest == images[0].digest);
}

TEST_CASE("this machine runs its own programs and none of a machine that there is no emulator for") {
  CHECK(cli::runs_here(oci::Platform::host()));
  CHECK_FALSE(cli::runs_here(oci::Platform{.architecture = "pdp11", .variant = {}}));
}
