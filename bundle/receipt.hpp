// What a device has: small enough for a text file, so that the next bundle for it carries only what is missing.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bundle/keys.hpp"
#include "oci/image.hpp"

namespace whittle::bundle {

struct Receipt {
  std::string device, compatible;
  oci::Platform platform;
  std::string set;  // of the present generation; empty when there is none
  std::uint64_t epoch = 0, generation = 0;
  std::string compressor;           // "zstd 1.5.4": what it can pack layers with
  std::uint64_t free_bytes = 0;     // where its images are
  std::vector<Digest> blobs;        // sorted; verified on the device when the receipt was made
  std::vector<std::string> images;  // "name sha256:…" of the present generation

  // Throws Error(usage) naming `what` for what is no receipt, and with `key` for one that this key did not sign.
  static Receipt decode(std::string_view json, std::string_view what, const PublicKey* key = nullptr);
  // One line: {"format":1,"receipt":"…","signatures":[…]}, the receipt itself being canonical JSON as a text.
  std::string encode(const SigningKey* key = nullptr) const;
};

}  // namespace whittle::bundle
