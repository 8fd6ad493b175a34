// One slice → one zstd layer blob. Reads every byte once:
//
//   tar bytes ─┬─► diff ID hash
//              └─► frames of at most 1 MiB ─► compressor pool ─► ordered writer ─┬─► blob hash, size
//                                                                               └─► blob file
//
// Frames are independent, so the bytes depend on content, form, level and libzstd version alone, not on the
// number of threads. Memory is threads × a few frames, and for a chunked layer its table of contents.
#pragma once

#include <memory>
#include <stop_token>
#include <string_view>
#include <vector>

#include "base/event.hpp"
#include "base/parallel.hpp"
#include "layers/frame_writer.hpp"
#include "layers/root_filesystem.hpp"
#include "oci/blob_store.hpp"
#include "oci/image.hpp"

namespace whittle::layers {

// How a layer's frames are cut. Every zstd decoder reads both; of a chunked layer Podman and stargz-snapshotter
// fetch what they need (docs/design/chunked.md).
enum class LayerForm { automatic, plain, chunked };

struct Compression {
  int level = 3;  // 1…19
  LayerForm form = LayerForm::plain;
};

// Of a plan; what its layers are, not how many manifests speak of them.
Compression compression_of(const plan::LayerSettings& settings);

// Layers with less content than this are plain when the form is `automatic`.
inline constexpr std::uint64_t kChunkedMinimum = 1 << 20;

// What all layers of an image share; everything is borrowed.
struct LayerTask {
  Compression compression;
  std::int64_t modified = 0;  // the time of every entry, in seconds
  oci::BlobStore& store;
  ThreadPool& pool;
  EventSink& events;
  const FrameSource* known = nullptr;  // frames that need not be compressed again
};

struct WrittenLayer {
  oci::Layer layer;                // its descriptor has the annotations for both kinds of chunked layers' readers
  std::vector<ChunkFrame> chunks;  // none of a plain layer
  std::size_t copied = 0;          // of them
};

// A layer whose content has been read; frames may still be on their way to the blob, so that the next one can begin
// meanwhile. A layer that its chunked form could not describe is plain.
class UnfinishedLayer {
 public:
  // Reads the slice, which is borrowed until `finish`. Throws Error when a file changes while it is read, naming it.
  UnfinishedLayer(const Slice& slice, const LayerTask& task, std::stop_token stop);
  UnfinishedLayer(UnfinishedLayer&&) noexcept;
  UnfinishedLayer& operator=(UnfinishedLayer&&) noexcept;
  ~UnfinishedLayer();  // leaves nothing of a layer that was not finished

  // Once. The blob is durable on return.
  WrittenLayer finish();

 private:
  struct State;
  void begin(const LayerTask& task, bool is_chunked);
  void begin_plain(const LayerTask& task);

  const Slice* slice_;
  std::stop_token stop_;
  std::unique_ptr<State> state_;
};

// All of it at once.
oci::Layer write_layer(const Slice& slice, const Compression& compression, std::int64_t modified, oci::BlobStore& store,
                       ThreadPool& pool, EventSink& events, std::stop_token stop);

// Everything besides content that decides the bytes: format version, libzstd's version, level, form, parameters.
std::string compression_identity(const Compression& compression);

// The diff ID of any layer blob (plain, gzip, zstd), recomputed; for `oci::validate`.
oci::DiffId diff_id_of(const oci::BlobStore& store, const oci::Descriptor& layer);

}  // namespace whittle::layers
