// A layer that a device lacks, made of layers that it has: the very blob, so that digests and signatures stay valid
// (docs/design/gateway.md, "Deltas"). This is the device's side; `delta_maker.hpp` is the sender's.
#pragma once

#include <span>
#include <stop_token>

#include "bundle/root.hpp"
#include "oci/blob_store.hpp"

namespace whittle::bundle {

inline constexpr std::string_view kDeltaType = "application/vnd.whittle.delta.v1";

struct RebuildTask {
  const Rebuilt& rebuilt;
  std::uint64_t payload_size = 0;
  std::span<const BlobSize> bases;  // as rebuilt.bases, with their sizes
  const oci::BlobSource& payloads;
  const oci::BlobSource& old;  // where the bases are
  fs::path scratch;            // a folder with rebuilt.scratch bytes free
};

// Throws Error(refused) when this program does not compress as the sender's did, which is known before anything is
// read or written.
void check_compressor(const Rebuilt& rebuilt);

// Writes the blob to `out`, which the caller keeps only when this returns: what comes out is never longer than the
// blob, and at the end its digest was right. It takes 10 MB and the compressor's (4 MB at level 3, 20 MB at 19),
// whatever the sizes; temporary files have no names. Throws Error(refused) for a payload that is not for these bases or
// is no payload, Error(transient) when there is no room, what the sources throw, and when it is stopped.
void rebuild(const RebuildTask& task, Sink& out, std::stop_token stop);
// The same into a store; durable on return.
void rebuild(const RebuildTask& task, oci::BlobStore& store, std::stop_token stop);

}  // namespace whittle::bundle
