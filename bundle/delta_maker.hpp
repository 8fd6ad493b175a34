// The sender's side of deltas: which bytes of which old layers make a new one.
#pragma once

#include <optional>
#include <span>
#include <stop_token>

#include "bundle/delta.hpp"

namespace whittle::bundle {

struct MadeDelta {
  Rebuilt rebuilt;
  oci::Descriptor payload;  // in the store that it was written to
};

struct DeltaTask {
  const oci::Descriptor& target;  // a layer; its annotations say how it was compressed
  const oci::BlobSource& from;
  std::span<const oci::Descriptor> bases;  // layers that the device has, the lowest first
  const oci::BlobSource& old;
  oci::BlobStore& payloads;
  fs::path scratch;  // a folder with room for all of these layers unpacked, and as much for those that are used
};

// Nothing when the blob cannot be made again to the byte (it was compressed by another program) or when the payload
// would not be smaller by a sixteenth at least. Otherwise it has been tried: rebuilding gave the blob. `rebuilt.bases`
// are those that are needed. Equal input gives equal bytes. Memory is about five times the largest file that changed,
// at most 1.4 GB, and not more for larger ones; a base that is not there or damaged is an error, one that cannot be
// taken apart is not used.
std::optional<MadeDelta> make_delta(const DeltaTask& task, std::stop_token stop);

}  // namespace whittle::bundle
