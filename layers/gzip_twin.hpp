// The same image a second time, for clients that know no zstd: equal configuration and diff IDs, layers packed with
// gzip.
#pragma once

#include <stop_token>

#include "layers/assembler.hpp"

namespace whittle::layers {

// The index of two manifests: first the one with gzip layers, which old clients take because they take the first; then
// `image.manifest`, which newer ones recognise by its annotation (docs/design/layers.md). Everything is durable in
// `store` on return. `image.manifest` must not be an index. Memory does not depend on the size of layers.
oci::Descriptor add_gzip_twin(const oci::Image& image, oci::BlobStore& store, LayerCache& cache, ThreadPool& pool,
                              EventSink& events, const std::stop_token& stop);

}  // namespace whittle::layers
