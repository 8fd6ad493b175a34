// One slice → one zstd layer blob. Reads every byte once:
//
//   tar bytes ─┬─► diff ID hash
//              └─► frames of at most 1 MiB ─► compressor pool ─► ordered writer ─┬─► blob hash, size
//                                                                               └─► blob file
//
// Frames are independent, so the bytes depend on content, level and libzstd version alone, not on the
// number of threads. Memory is threads × a few frames.
#pragma once

#include <stop_token>
#include <string_view>

#include "base/event.hpp"
#include "base/parallel.hpp"
#include "layers/root_filesystem.hpp"
#include "oci/blob_store.hpp"
#include "oci/image.hpp"

namespace whittle::layers {

struct Compression {
  int level = 3;  // 1…19
};

// The layer's blob is durable on return. `modified`: the time of every entry, in seconds.
// Throws Error when a file changes size while it is read, naming it.
oci::Layer write_layer(const Slice& slice, const Compression& compression, std::int64_t modified, oci::BlobStore& store,
                       ThreadPool& pool, EventSink& events, std::stop_token stop);

// Everything besides content that decides the bytes: format version, libzstd's version, level, parameters.
std::string compression_identity(const Compression& compression);

// The diff ID of any layer blob (plain, gzip, zstd), recomputed; for `oci::validate`.
oci::DiffId diff_id_of(const oci::BlobStore& store, const oci::Descriptor& layer);

}  // namespace whittle::layers
