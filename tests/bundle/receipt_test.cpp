#include "bundle/receipt.hpp"

#include <doctest/doctest.h>

#include "tests/support/errors.hpp"

using namespace whittle;
using namespace whittle::bundle;
using whittle::test::error_of;

namespace {

Receipt example() {
  return {.device = "gw-17",
          .compatible = "acme,gw2",
          .platform = {.os = "linux", .architecture = "arm", .variant = "v7"},
          .set = "line7",
          .epoch = 4,
          .generation = 2,
          .compressor = "zstd 1.5.4",
          .free_bytes = 1'000'000,
          .blobs = {digest_of("a"), digest_of("b")},
          .images = {"sensor " + digest_of("c").str()}};
}

}  // namespace

TEST_CASE("a receipt reads as it was written") {
  const Receipt receipt = example();
  const Receipt read = Receipt::decode(receipt.encode(), "the receipt");
  CHECK(read.encode() == Receipt::decode(read.encode(), "the receipt").encode());
  CHECK(read.blobs.size() == 2);
  CHECK(read.platform.str() == "linux/arm/v7");
  CHECK(read.images == receipt.images);
  CHECK(receipt.encode().find('\n') == receipt.encode().size() - 1);
}

TEST_CASE("a signed receipt is believed for its key only") {
  const SigningKey key = SigningKey::generate(KeyAlgorithm::ed25519), other = SigningKey::generate(KeyAlgorithm::p256);
  const std::string text = example().encode(&key);
  CHECK(Receipt::decode(text, "the receipt", &key.public_key()).device == "gw-17");
  CHECK(Receipt::decode(text, "the receipt").device == "gw-17");
  CHECK(error_of([&] { Receipt::decode(text, "the receipt", &other.public_key()); }).exit() == Exit::usage);
  std::string forged = text;
  forged.replace(forged.find("gw-17"), 5, "gw-18");
  CHECK(error_of([&] { Receipt::decode(forged, "the receipt", &key.public_key()); }).exit() == Exit::usage);
}

TEST_CASE("a thousand blobs take less than 75 KB") {
  Receipt receipt = example();
  receipt.blobs.clear();
  for (int i = 0; i < 1000; ++i) receipt.blobs.push_back(digest_of(std::to_string(i)));
  CHECK(receipt.encode().size() < 75'000);
}

TEST_CASE("what is no receipt is named") {
  for (const char* text : {"", "{}", R"({"format":1})", R"({"format":1,"receipt":{}})",
                           R"({"format":1,"receipt":"{}"})", R"({"format":1,"receipt":"{\"format\":1}"})"}) {
    const Error error = error_of([&] { Receipt::decode(text, "the receipt"); });
    CHECK(error.exit() == Exit::usage);
    CHECK(error.message().find("the receipt") != std::string::npos);
  }
}
