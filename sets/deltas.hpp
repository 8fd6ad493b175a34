// Layers that devices lack, carried as what makes them from layers that they have.
#pragma once

#include <span>
#include <stop_token>

#include "base/event.hpp"
#include "bundle/receipt.hpp"
#include "bundle/root.hpp"
#include "oci/blob_store.hpp"

namespace whittle::sets {

// Takes out of `root` the carried layers that can be made, in fewer bytes, from the layers of the images of the same
// name that all devices have, and puts in what makes them. Only what lies in `blobs` too can be a base. Payloads are
// written to `payloads`; `scratch` is a folder with room for the layers unpacked. Devices whose receipts name another
// compressor than this program's get whole layers.
void add_deltas(bundle::Root& root, std::span<const bundle::Receipt> have, const oci::BlobStore& blobs,
                oci::BlobStore& payloads, const fs::path& scratch, EventSink& events, std::stop_token stop);

}  // namespace whittle::sets
