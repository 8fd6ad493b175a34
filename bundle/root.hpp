// The root document: what a bundle is, signed as a whole. Decoding treats it as hostile: counts and sizes are limited,
// every blob of an image is carried, rebuilt or a base, and nothing is named twice.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "oci/image.hpp"

namespace whittle::bundle {

struct BundledImage {
  std::string name;        // within the set: "sensor"
  std::string reference;   // what the device calls it: "registry.example.org/edge/sensor:1.4"
  oci::Descriptor target;  // manifest of the platform
  bool is_critical = false;
  std::uint64_t installed = 0;  // bytes of the files in its root
  std::uint64_t inodes = 0;     // of its root
  std::vector<Digest> blobs;    // all below `target`, and it itself last
};

struct BlobSize {
  Digest digest;
  std::uint64_t size = 0;
  bool operator==(const BlobSize&) const = default;
};

// A blob that is made on the device.
struct Rebuilt {
  BlobSize blob;
  Digest payload;             // among the carried ones
  std::vector<Digest> bases;  // layers, the lowest first, whose files the payload reads
  std::string compressor;     // "zstd 1.5.4": whose bytes they are; empty when nothing is compressed again
  std::uint64_t scratch = 0;  // bytes of temporary files that rebuilding takes
};

struct Root {
  std::string set;
  std::uint64_t epoch = 0;
  std::string created;                  // RFC 3339; told, never compared with a clock
  std::vector<std::string> compatible;  // the device must be one of them; none: any device
  oci::Platform platform;
  std::string profile;            // may be empty
  std::uint64_t volume_size = 0;  // 0: one file
  std::vector<BundledImage> images;
  std::vector<BlobSize> blobs;  // carried, in their order
  std::vector<BlobSize> bases;  // what the device must have
  std::vector<Rebuilt> rebuilt;

  // Throws Error(refused) naming `what`.
  static Root decode(std::string_view json, std::string_view what);
  std::string encode() const;  // canonical

  bool is_whole() const { return bases.empty() && rebuilt.empty(); }
};

inline constexpr std::uint64_t kMaximumRoot = 16 << 20;

}  // namespace whittle::bundle
