#include "sets/set_file.hpp"

#include <doctest/doctest.h>

#include "tests/support/errors.hpp"

using namespace whittle;
using namespace whittle::sets;
using whittle::test::error_of;

namespace {

constexpr const char* kWhole = R"(set = "line7"
epoch = 42
[registry]
address = "harbor.example.org:5000"
namespace = "edge-services"
sync-policy = "on-demand"
tls-verify = false
[profile.gw-arm64]
platform = "linux/arm64"
compatible = ["acme,gw2"]
volume-size = "fat32"
budget = { compressed = "200MB", installed = "1GB" }
[profile.gw-amd64]
platform = "linux/amd64"
volume-size = "2GiB"
[[image]]
name = "sensor"
build = "./sensor"
critical = true
budget = { compressed = "15MB" }
[[image]]
name = "infer"
from = "edge/infer:1.4"
profiles = ["gw-arm64"]
[[image]]
name = "proxy"
from = "registry.example.org/tools/proxy:2"
[[image]]
name = "extra"
from = "archive:extra.tar"
reference = "quay.example.org/extra"
)";

Error error_in(const std::string& toml) {
  return error_of([&] { read_set(toml, "imageset.toml"); });
}

// The least that is a set, and what is added to it.
std::string with(const std::string& more) {
  return "set = \"line7\"\nepoch = 1\n" + more + "\n[[image]]\nname = \"a\"\nbuild = \"a\"\n";
}

}  // namespace

TEST_CASE("a set says what a site wants") {
  const ImageSet set = read_set(kWhole, "imageset.toml");
  CHECK(set.name == "line7");
  CHECK(set.epoch == 42);
  CHECK(set.registry.address == "harbor.example.org:5000");
  CHECK(set.registry.sync_policy == RegistrySettings::SyncPolicy::on_demand);
  CHECK_FALSE(set.registry.tls_verify);
  REQUIRE(set.profiles.size() == 2);
  const Profile& arm = set.profile("gw-arm64");
  CHECK(arm.platform.str() == "linux/arm64");
  CHECK(arm.volume_size == 0xFFFFFFFF);
  CHECK(arm.budget.compressed == 200'000'000);
  CHECK(set.profile("gw-amd64").volume_size == 2ULL << 30);
  REQUIRE(set.images.size() == 4);
  CHECK(set.images[0].is_critical);
  CHECK(set.images[0].budget.compressed == 15'000'000);
  CHECK(set.images[0].place == "imageset.toml:16");
  CHECK(set.images[1].is_for(arm));
  CHECK_FALSE(set.images[1].is_for(set.profile("gw-amd64")));
}

TEST_CASE("names without a registry are below the site's") {
  const ImageSet set = read_set(kWhole, "imageset.toml");
  CHECK(set.images[0].reference == "harbor.example.org:5000/edge-services/sensor:latest");
  CHECK(set.images[1].reference == "harbor.example.org:5000/edge-services/edge/infer:1.4");
  CHECK(set.images[2].reference == "registry.example.org/tools/proxy:2");
  CHECK(set.images[3].reference == "quay.example.org/extra:latest");
  CHECK(read_set(with(""), "imageset.toml").images[0].reference == "localhost/a:latest");
}

TEST_CASE("a set without profiles is for this machine's platform") {
  const ImageSet set = read_set(with(""), "imageset.toml");
  REQUIRE(set.profiles.size() == 1);
  CHECK(set.profile("").platform == oci::Platform::host());
}

TEST_CASE("what is wrong in a set is named with its line") {
  CHECK(error_in("epoch = 1").message() == "the set has no name");
  CHECK(error_in("set = \"a\"").message() == "the set `a` has no `epoch`");
  CHECK(error_in("set = \"a\"\nepoch = 1").message() == "the set `a` has no images");
  const Error unknown = error_in(with("[registry]\nadress = \"x\""));
  CHECK(unknown.message() == "unknown key `adress`");
  CHECK(unknown.where() == "imageset.toml:4");
  CHECK(unknown.hints().front() == "did you mean `address`?");
  CHECK(error_in(with("[registry]\nsync-policy = \"often\"")).where() == "imageset.toml:4");
  CHECK(error_in(with("[profile.x]\nplatform = \"amiga\"")).message() == "`platform` is `amiga`, which is no platform");
  CHECK(error_in(with("[profile.x]\nvolume-size = \"big\"")).where() == "imageset.toml:4");
  CHECK(error_in(with("[profile.x]\ncompatible = \"acme\"")).message() == "`compatible` must be a list of texts");
  CHECK(error_in("set = \"a\"\nepoch = -1").message() == "`epoch` must be a number from 1");
  CHECK(error_in("set = \"a\"\nepoch = \"one\"").where() == "imageset.toml:2");
  CHECK(error_in("set = \"a\"\nepoch = 1\nimage = 3").message() == "`image` must be written `[[image]]`");
  CHECK(error_in(with("[[image]]\nname = \"b\"")).message() == "the image `b` needs either `build` or `from`");
  CHECK(error_in(with("[[image]]\nname = \"b\"\nbuild = \"b\"\nfrom = \"b\"")).where() == "imageset.toml:3");
  CHECK(error_in(with("[[image]]\nname = \"B C\"\nbuild = \"b\"")).where() == "imageset.toml:4");
  CHECK(error_in(with("[[image]]\nname = \"b\"\nfrom = \"UPPER\"")).where() == "imageset.toml:5");
  CHECK(error_in(with("[[image]]\nname = \"b\"\nbuild = \"b\"\nprofiles = [\"none\"]")).hints().front() ==
        "there are: default");
}

TEST_CASE("two images are not called the same") {
  const Error names = error_in(with("[[image]]\nname = \"a\"\nbuild = \"b\""));
  CHECK(names.message() == "two images are named `a`");
  CHECK(names.details().front() == "the other one is at imageset.toml:3");
  const Error references = error_in(with("[[image]]\nname = \"b\"\nfrom = \"a:latest\""));
  CHECK(references.message() == "two images would be called `localhost/a:latest` on a device");
}

TEST_CASE("an unknown profile is answered with those that there are") {
  const ImageSet set = read_set(kWhole, "imageset.toml");
  CHECK(error_of([&] { set.profile(""); }).message() == "the set `line7` has 2 profiles");
  CHECK(error_of([&] { set.profile("gw"); }).hints().front() == "name one with `--profile`: gw-amd64, gw-arm64");
}
