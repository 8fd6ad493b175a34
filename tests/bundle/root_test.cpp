#include "bundle/root.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/json.hpp"
#include "bundle/volumes.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/small_set.hpp"

using namespace whittle;
using namespace whittle::bundle;
using whittle::test::error_of;
using whittle::test::noise;
using whittle::test::SmallSet;

TEST_CASE("a root document reads as it was written, and writes as it was read") {
  SmallSet set;
  set.add("sensor", {"one", "two"});
  set.add("infer", {"one", "three"});
  Root& root = set.plan.root;
  root.compatible = {"acme,gw2"};
  root.profile = "gw";
  const Digest base = digest_of("base");
  root.bases = {{base, 10}};
  root.rebuilt = {{.blob = {digest_of("made"), 20},
                   .payload = root.blobs.front().digest,
                   .bases = {base},
                   .compressor = "zstd 1.5.4",
                   .scratch = 99}};
  const Root read = Root::decode(root.encode(), "the document");
  CHECK(read.encode() == root.encode());
  CHECK(read.images[1].blobs == root.images[1].blobs);
  CHECK(read.rebuilt[0].scratch == 99);
  CHECK_FALSE(read.is_whole());
}

TEST_CASE("a root document that does not add up is refused") {
  SmallSet set;
  set.add("sensor", {"one"});
  set.add("infer", {"two"});
  const Json honest = Json::parse(set.plan.root.encode());
  const std::string other = digest_of("other").str();
  Json forged = honest;
  SUBCASE("no set") {
    forged.erase("set");
  }
  SUBCASE("no epoch") {
    forged["epoch"] = 0;
  }
  SUBCASE("a negative epoch") {
    forged["epoch"] = -1;
  }
  SUBCASE("a format to come") {
    forged["format"] = 2;
  }
  SUBCASE("no platform") {
    forged["platform"] = "amiga";
  }
  SUBCASE("a blob twice") {
    forged["blobs"].push_back(forged["blobs"][0]);
  }
  SUBCASE("a blob that nobody carries") {
    forged["images"][0]["blobs"].insert(forged["images"][0]["blobs"].begin(), other);
  }
  SUBCASE("a manifest that nobody carries") {
    forged["images"][0]["digest"] = other;
  }
  SUBCASE("a manifest of another size") {
    forged["images"][0]["size"] = 1;
  }
  SUBCASE("no blobs") {
    forged["images"][0]["blobs"] = Json::array();
  }
  SUBCASE("two images of one name") {
    forged["images"][1]["name"] = "sensor";
  }
  SUBCASE("two images of one reference") {
    forged["images"][1]["reference"] = forged["images"][0]["reference"];
  }
  SUBCASE("a reference that is none") {
    forged["images"][0]["reference"] = "../x";
  }
  SUBCASE("an index of images") {
    forged["images"][0]["mediaType"] = oci::media_type::kIndex;
  }
  SUBCASE("sizes that overflow") {
    forged["blobs"][0]["size"] = INT64_MAX;
  }
  SUBCASE("a blob that is rebuilt from nothing") {
    forged["rebuilt"] = {{{"blob", {{"digest", other}, {"size", 1}}}, {"payload", other}}};
  }
  SUBCASE("a base that is not asked for") {
    forged["rebuilt"] = {{{"blob", {{"digest", other}, {"size", 1}}},
                          {"payload", honest["blobs"][0]["digest"]},
                          {"bases", {digest_of("base").str()}}}};
  }
  const Error error = error_of([&] { Root::decode(forged.dump(), "the document"); });
  INFO(forged.dump());
  CHECK(error.exit() == Exit::refused);
}

TEST_CASE("blobs fill volumes, and only one that is larger than a volume is cut") {
  Root root;
  root.volume_size = 1 << 20;
  for (const std::uint64_t size : {600'000, 500'000, 3'000'000, 100, 0}) {
    root.blobs.push_back({digest_of(std::to_string(size)), size});
  }
  const std::uint64_t head = 4096;
  const Placement placement = place(root, head);
  CHECK(placement.blobs[0].size() == 1);
  CHECK(placement.blobs[0][0].offset == head + 512);
  CHECK(placement.blobs[1].size() == 1);
  CHECK(placement.blobs[1][0].volume == 1);
  CHECK(placement.blobs[2].size() == 4);
  std::uint64_t sum = 0;
  for (const Extent& part : placement.blobs[2]) sum += part.size;
  CHECK(sum == 3'000'000);
  CHECK(placement.blobs[4].size() == 1);
  for (const std::uint64_t size : placement.volume_sizes) CHECK(size <= root.volume_size);
  root.volume_size = 8192;
  CHECK(error_of([&] { place(root, head); }).exit() == Exit::usage);
  root.volume_size = 80'000;
  root.blobs.push_back({digest_of("huge"), 1ULL << 49});
  CHECK(error_of([&] { place(root, head); }).message() == "volumes of 80.0 kB would be too many");
}

TEST_CASE("volumes never overlap, whatever the sizes") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Root root;
    root.volume_size = 300'000 + seed * 1'001;
    std::string random = noise(64, seed);
    for (std::size_t i = 0; i < 16; ++i) {
      const std::uint64_t size =
          static_cast<std::uint64_t>(static_cast<unsigned char>(random[i])) * (i % 5 == 0   ? 9'001
                                                                               : i % 3 == 0 ? 512
                                                                                            : 777);
      root.blobs.push_back({digest_of(random + std::to_string(i)), size});
    }
    const std::uint64_t head = 5120;
    const Placement placement = place(root, head);
    std::vector<std::uint64_t> ends(placement.volume_sizes.size(), head);
    for (std::size_t i = 0; i < root.blobs.size(); ++i) {
      std::uint64_t sum = 0;
      for (const Extent& extent : placement.blobs[i]) {
        CHECK(extent.offset == ends[extent.volume] + extent.header.size());
        ends[extent.volume] = extent.offset + (extent.size + 511) / 512 * 512;
        sum += extent.size;
      }
      CHECK(sum == root.blobs[i].size);
    }
    for (std::size_t i = 0; i < ends.size(); ++i) {
      CHECK(ends[i] + 1024 == placement.volume_sizes[i]);
      CHECK(placement.volume_sizes[i] <= root.volume_size);
    }
  }
}
