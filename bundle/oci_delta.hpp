// An update from one image to another as an OCI artifact that other tools apply: `oci-delta` (its format document,
// 2026; artifact type application/vnd.io.github.containers.oci-delta.v1). Layers that the old image has are left out,
// the others are tar-diffs against all of its files, or whole where that is smaller. Those tools compress the layers by
// themselves, so that the image that they make has other digests and the same diff IDs.
#pragma once

#include <stop_token>

#include "oci/blob_store.hpp"

namespace whittle::bundle {

inline constexpr std::string_view kOciDeltaType = "application/vnd.io.github.containers.oci-delta.v1";

struct OciDeltaTask {
  const oci::Descriptor& old_manifest;  // manifests of one platform each
  const oci::BlobSource& old;
  const oci::Descriptor& new_manifest;
  const oci::BlobSource& fresh;
  oci::BlobStore& store;  // gets all blobs of the artifact
  fs::path scratch;       // a folder with room for all layers unpacked
};

// The artifact's manifest, ready for an OCI layout, archive or registry; its `subject` is the new manifest. Equal input
// gives equal bytes. Memory as `find_matches`. Throws what the sources throw.
oci::Descriptor write_oci_delta(const OciDeltaTask& task, const std::stop_token& stop);

}  // namespace whittle::bundle
