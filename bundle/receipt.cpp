#include "bundle/receipt.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "base/text.hpp"
#include "bundle/document.hpp"

namespace whittle::bundle {

namespace {

constexpr std::uint64_t kLargest = 64 << 20;
constexpr std::size_t kMostBlobs = 200'000, kMostImages = 10'000;

Receipt receipt_in(const Json& document, std::string_view what) {
  Receipt receipt{.device = text_in(document, "device", what),
                  .compatible = text_in(document, "compatible", what),
                  .platform = {},
                  .set = text_in(document, "set", what),
                  .epoch = number_in(document, "epoch", what),
                  .generation = number_in(document, "generation", what),
                  .compressor = text_in(document, "compressor", what),
                  .free_bytes = number_in(document, "free", what),
                  .blobs = {},
                  .images = texts_in(document, "images", kMostImages, what)};
  const std::optional<oci::Platform> platform = oci::Platform::parse(text_in(document, "platform", what));
  if (!platform) refuse(what, "it names no platform");
  receipt.platform = *platform;
  for (const std::string& hex : texts_in(document, "blobs", kMostBlobs, what)) {
    const std::optional<Digest> digest = Digest::parse("sha256:" + hex);
    if (!digest) refuse(what, cat(backticked(hex), " is not a digest"));
    receipt.blobs.push_back(*digest);
  }
  std::sort(receipt.blobs.begin(), receipt.blobs.end());
  return receipt;
}

}  // namespace

Receipt Receipt::decode(std::string_view json, std::string_view what, const PublicKey* key) {
  return failing_as(Exit::usage, [&] {
    const Json document = document_of(json, kLargest, what);
    const auto text = document.find("receipt");
    if (text == document.end() || !text->is_string()) refuse(what, "it holds no receipt");
    const auto receipt = text->get<std::string>();
    if (key != nullptr) {
      const std::vector<Signature> signatures = signatures_in(document, what);
      const bool is_signed = std::any_of(signatures.begin(), signatures.end(), [&](const Signature& one) {
        return one.key == key->id() && key->verify(receipt, one.bytes);
      });
      if (!is_signed) refuse(what, cat("the key ", key->id().substr(0, 16), "… did not sign it"));
    }
    return receipt_in(document_of(receipt, kLargest, what), what);
  });
}

std::string Receipt::encode(const SigningKey* key) const {
  Json list = Json::array();
  for (const Digest& digest : blobs) list.push_back(digest.hex());
  const std::string text = canonical_json({{"format", 1},
                                           {"device", device},
                                           {"compatible", compatible},
                                           {"platform", platform.str()},
                                           {"set", set},
                                           {"epoch", epoch},
                                           {"generation", generation},
                                           {"compressor", compressor},
                                           {"free", free_bytes},
                                           {"blobs", std::move(list)},
                                           {"images", images}});
  Json document = {{"format", 1}, {"receipt", text}};
  if (key != nullptr) document["signatures"] = json_of({key->sign(text)});
  return canonical_json(document) + "\n";
}

}  // namespace whittle::bundle
