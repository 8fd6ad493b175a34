// Reads a chunked layer the way its partial readers do, and compares with the tar that all others read.
#pragma once

#include <string>
#include <vector>

#include "oci/blob_store.hpp"
#include "oci/validate.hpp"

namespace whittle::layers {

// What a layer's footers, annotations, table of contents and tar-split say that its tar does not; each a sentence. None
// for a layer that has none of them. The blob's own digest is somebody else's to check.
std::vector<std::string> check_chunked(const oci::BlobStore& store, const oci::Descriptor& layer);
// The same for every layer below `root`, whose blobs are all there: for `whittle validate`.
std::vector<oci::Problem> check_chunked_layers(const oci::BlobStore& store, const oci::Descriptor& root);

}  // namespace whittle::layers
