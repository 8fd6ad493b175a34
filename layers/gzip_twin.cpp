#include "layers/gzip_twin.hpp"

#include <limits>

#include "base/archive.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "layers/gzip_sink.hpp"

namespace whittle::layers {

namespace {

// Ours, so that it may be as large and as well compressed as it was when it was written.
constexpr ArchiveLimits kNoLimits = {.total_bytes = std::numeric_limits<std::uint64_t>::max(),
                                     .ratio = std::numeric_limits<std::uint64_t>::max()};

// Passes on until somebody wants to stop.
class StoppableSink : public Sink {
 public:
  StoppableSink(Sink& out, const std::stop_token& stop) : out_(out), stop_(stop) {}
  void write(Bytes bytes) override {
    if (stop_.stop_requested()) throw Error(Exit::transient, "stopped while packing a layer with gzip");
    out_.write(bytes);
  }
  void finish() override { out_.finish(); }

 private:
  Sink& out_;
  const std::stop_token& stop_;
};

oci::Layer pack(const oci::Layer& layer, oci::BlobStore& store, ThreadPool& pool, const std::stop_token& stop) {
  oci::BlobStore::Writer blob(store);
  GzipSink gzip(blob, pool);
  HashSink plain;
  TeeSink both(plain, gzip);
  StoppableSink sink(both, stop);
  decompress(*store.open(layer.blob), sink, cat("the layer ", layer.blob.digest.str()), kNoLimits);
  sink.finish();
  if (plain.digest() != layer.diff_id.digest) {
    throw Error(Exit::bug, cat("the layer ", layer.blob.digest.str(), " does not hold the tar that it should"))
        .detail(cat("its diff ID is ", plain.digest().str(), ", not ", layer.diff_id.digest.str()));
  }
  return {.blob = blob.commit(oci::media_type::kLayerGzip), .diff_id = layer.diff_id};
}

oci::Layer gzip_layer(const oci::Layer& layer, oci::BlobStore& store, LayerCache& cache, ThreadPool& pool,
                      EventSink& events, const std::stop_token& stop) {
  const Digest key = digest_of(cat("whittle.gzip/1\n", gzip_identity(), "\n", layer.diff_id.digest.str()));
  if (std::optional<oci::Layer> known = cache.find(key, store)) return *known;
  oci::Layer packed = pack(layer, store, pool, stop);
  events.verbose(cat("packed ", layer.blob.digest.str(), " with gzip: ", human_size(packed.blob.size)));
  cache.remember(key, packed);
  return packed;
}

}  // namespace

oci::Descriptor add_gzip_twin(const oci::Image& image, oci::BlobStore& store, LayerCache& cache, ThreadPool& pool,
                              EventSink& events, const std::stop_token& stop) {
  if (!oci::media_type::is_manifest(image.manifest.media_type)) {
    throw Error(Exit::bug, "an index of several manifests cannot have a gzip twin");
  }
  events.emit(StageStarted{"gzip", cat(image.layers.size(), " layers again, for clients without zstd")});
  oci::Manifest manifest{
      .media_type = std::string(oci::media_type::kManifest), .config = image.config, .layers = {}, .annotations = {}};
  for (const oci::Layer& layer : image.layers) {
    oci::Descriptor blob = gzip_layer(layer, store, cache, pool, events, stop).blob;
    blob.annotations[std::string(kCompressionKey)] = gzip_identity();
    blob.annotations[std::string(kSliceKey)] = layer.blob.annotations.at(std::string(kSliceKey));
    manifest.layers.push_back(std::move(blob));
  }
  oci::Descriptor twin = store.put(manifest.encode(), oci::media_type::kManifest);
  twin.platform = image.manifest.platform;
  oci::Descriptor zstd = image.manifest;
  zstd.annotations = {{std::string(oci::kZstdKey), "true"}};
  const oci::Index index{
      .media_type = std::string(oci::media_type::kIndex), .manifests = {twin, zstd}, .annotations = {}};
  oci::Descriptor descriptor = store.put(index.encode(), oci::media_type::kIndex);
  descriptor.platform = image.manifest.platform;
  return descriptor;
}

}  // namespace whittle::layers
