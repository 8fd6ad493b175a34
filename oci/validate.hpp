// Recomputes everything that an image claims about itself and reports every mismatch.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "oci/blob_store.hpp"

namespace whittle::oci {

struct Problem {
  std::string object;  // "layer sha256:…", "config sha256:…"
  std::string text;    // what differs: both values
};

// Uncompresses a layer blob and gives the digest of the tar stream, or throws Error with the reason.
// Handed in, since reading archives is the business of `layers/`.
using DiffIdFunction = std::function<DiffId(const BlobStore&, const Descriptor& layer)>;

// Digest and size of every blob below `root`, media types, platform, one diff ID a layer, each diff ID
// recomputed. Collects all problems; an empty list means valid.
std::vector<Problem> validate(const BlobStore& blobs, const Descriptor& root, const DiffIdFunction& diff_id);

}  // namespace whittle::oci
