// Slices → image: layers (from the layer cache when their inputs are unchanged), configuration, manifest.
#pragma once

#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "layers/known_frames.hpp"
#include "layers/layer_writer.hpp"
#include "plan/build_plan.hpp"

namespace whittle::layers {

// With several processes each is a label of the image: this and its name → its argv as JSON.
inline constexpr std::string_view kProcessLabel = "dev.whittle.process.";

// Annotations of layers: how the bytes came about, and the slice's name.
inline constexpr std::string_view kCompressionKey = "io.whittle.compression", kSliceKey = "io.whittle.slice";
// Of a layer that whittle made; else empty.
std::string slice_name(const oci::Descriptor& layer);

// Remembers slice key → layer in `folder`, and of the last layer of each name its frames; entries are files that carry
// their own digest, so a damaged one counts as absent. May be deleted at any time.
class LayerCache {
 public:
  explicit LayerCache(fs::path folder) : folder_(std::move(folder)) {}
  std::optional<oci::Layer> find(const Digest& key, const oci::BlobStore& store) const;
  void remember(const Digest& key, const oci::Layer& layer);

  // `name` says which layer, and with which parameters it was made.
  void add_frames(std::string_view name, const oci::BlobStore& store, KnownFrames& known) const;
  void remember_frames(std::string_view name, const WrittenLayer& written);

 private:
  fs::path folder_;
};

// Everything is durable in `store` on return, and `oci::validate` would pass. The descriptor carries the
// platform; with the layer form "dual" it is that of an index of two manifests over the same blobs, with a gzip twin of
// two manifests over the same configuration. Nothing is tagged.
oci::Image assemble(const plan::BuildPlan& plan, std::span<const Slice> slices, oci::BlobStore& store,
                    LayerCache& cache, ThreadPool& pool, EventSink& events, std::stop_token stop);

}  // namespace whittle::layers
