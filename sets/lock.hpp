// `imageset.lock`: what a set was when it was locked, to the digest. Two machines with one lock write the same bundle.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "oci/blob_store.hpp"
#include "sets/set_file.hpp"

namespace whittle::sets {

struct LockedPlatform {
  oci::Descriptor manifest;      // with platform
  std::uint64_t compressed = 0;  // bytes of its blobs
  std::uint64_t installed = 0;   // bytes of the files in its root
  std::uint64_t inodes = 0;      // of its root
};

struct LockedImage {
  std::string name, reference;
  std::string source;    // "build ./sensor" or "from registry.example.org/edge/sensor:1"
  oci::Descriptor root;  // index or manifest, as it was found
  bool is_critical = false;
  std::vector<LockedPlatform> platforms;

  // Nothing when the image is not for it.
  const LockedPlatform* find(const oci::Platform& platform) const;
};

struct Lock {
  std::string set;
  std::uint64_t epoch = 0;
  std::string created;  // RFC 3339: of the newest image
  std::vector<LockedImage> images;

  // Throws Error(usage) naming `what`.
  static Lock decode(std::string_view json, std::string_view what);
  std::string encode() const;  // for people to read and compare: indented, a final line end

  // Throws Error(usage) that says what of `set` the lock does not have, has otherwise, or has beyond it.
  void require_match(const ImageSet& set, std::string_view what) const;
};

// What differs between two locks, a line each: "sensor: sha256:… → sha256:…". None: nothing drifted.
std::vector<std::string> differences(const Lock& before, const Lock& after);

// Throws Error(budget_exceeded) with the images that take most.
void check_budgets(const ImageSet& set, const Lock& lock, const oci::BlobSource& blobs);

}  // namespace whittle::sets
