// A lock, a kind of device, and what the devices have → the root document of the bundle for them.
#pragma once

#include <span>

#include "bundle/receipt.hpp"
#include "bundle/root.hpp"
#include "oci/blob_store.hpp"
#include "sets/lock.hpp"

namespace whittle::sets {

// Blobs that all of the receipts' devices have are not carried but asked for. Critical images come first, then the
// others in their order; every blob once, an image's manifest after what it names. Throws Error(input_unavailable) when
// a manifest of the lock is not in `blobs`, and Error(usage) for a receipt of another platform.
bundle::Root plan_bundle(const Lock& lock, const Profile& profile, std::span<const bundle::Receipt> have,
                         const oci::BlobSource& blobs);

}  // namespace whittle::sets
