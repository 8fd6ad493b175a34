// Root document and blobs → the volumes of a bundle.
#pragma once

#include <stop_token>
#include <vector>

#include "base/event.hpp"
#include "bundle/root.hpp"
#include "bundle/trust.hpp"
#include "oci/blob_store.hpp"

namespace whittle::bundle {

struct BundlePlan {
  Root root;
  TrustChain trust;
  std::vector<Signature> signatures;  // over root.encode()
};

// Writes the volumes beside `file` as `NAME.part`, syncs, and renames each when all are complete; what an interrupted
// run wrote is read back and kept as far as it is right. Memory does not grow with the blobs. Returns the volumes'
// paths. Throws Error(export_failed) when the place is full (what is there is kept, so that the same command goes on)
// and Error(input_unavailable) when a blob is missing in `from`.
std::vector<fs::path> write_bundle(const BundlePlan& plan, const oci::BlobSource& from, const fs::path& file,
                                   EventSink& events, std::stop_token stop);

}  // namespace whittle::bundle
