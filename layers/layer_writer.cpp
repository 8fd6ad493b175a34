#include "layers/layer_writer.hpp"

#include <algorithm>

#include "base/archive.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "layers/chunker.hpp"
#include "layers/entry_writer.hpp"
#include "layers/layer_stream.hpp"

namespace whittle::layers {

namespace {

// Layers that hold the same entries differ when one of these rules does; part of the cache key.
constexpr std::string_view kFormat = "whittle.layer/v2";
// Year 9999, the last that a table of contents can write.
constexpr std::int64_t kLastTime = 253'402'300'799;

// Whether the readers of chunked layers can tell all entries. They take names that are not UTF-8 for others.
bool is_describable(const Slice& slice, std::int64_t modified) {
  return modified <= kLastTime && std::all_of(slice.entries.begin(), slice.entries.end(), [](const auto& item) {
           const auto* const link = std::get_if<Link>(&item.second.node);
           return is_utf8(item.first) && (link == nullptr || is_utf8(link->target));
         });
}

bool is_large(const Slice& slice) {
  std::uint64_t content = 0;
  for (const auto& [path, entry] : slice.entries) {
    if (const auto* const file = std::get_if<File>(&entry.node)) content += file->size;
  }
  return content >= kChunkedMinimum;
}

bool is_chunked(const Slice& slice, LayerForm form, std::int64_t modified) {
  if (form == LayerForm::plain || (form == LayerForm::automatic && !is_large(slice))) return false;
  return is_describable(slice, modified);
}

}  // namespace

Compression compression_of(const plan::LayerSettings& settings) {
  if (settings.form == "plain") return {.level = settings.level, .form = LayerForm::plain};
  if (settings.form == "chunked") return {.level = settings.level, .form = LayerForm::chunked};
  return {.level = settings.level, .form = LayerForm::automatic};
}

struct UnfinishedLayer::State {
  State(const Slice& slice, const LayerTask& the_task, bool is_chunked, std::stop_token stop)
      : task(the_task),
        blob(task.store),
        frames(plain, blob, task.compression.level, task.pool,
               is_chunked ? FrameWriter::Cuts::by_caller : FrameWriter::Cuts::by_size, task.known) {
    if (is_chunked) {
      chunked.emplace(frames);
      write_entries(slice, task.modified, *chunked, task.events, std::move(stop));
    } else {
      PlainEntries entries(frames);
      write_entries(slice, task.modified, entries, task.events, std::move(stop));
    }
  }

  WrittenLayer finish() {
    frames.finish();
    oci::Annotations annotations;
    if (chunked) {
      LayerIndex::Written index = chunked->index(blob.size(), plain.size());
      blob.write(bytes_of(index.bytes));
      annotations = std::move(index.annotations);
    }
    oci::Layer layer{.blob = blob.commit(oci::media_type::kLayerZstd), .diff_id = {plain.digest()}};
    layer.blob.annotations = std::move(annotations);
    return {std::move(layer), frames.chunks(), frames.copied()};
  }

  LayerTask task;
  HashSink plain;
  oci::BlobStore::Writer blob;
  FrameWriter frames;
  std::optional<ChunkedEntries> chunked;
};

UnfinishedLayer::UnfinishedLayer(const Slice& slice, const LayerTask& task, std::stop_token stop)
    : slice_(&slice), stop_(std::move(stop)) {
  begin(task, is_chunked(slice, task.compression.form, task.modified));
}
UnfinishedLayer::UnfinishedLayer(UnfinishedLayer&&) noexcept = default;
UnfinishedLayer& UnfinishedLayer::operator=(UnfinishedLayer&&) noexcept = default;
UnfinishedLayer::~UnfinishedLayer() = default;

void UnfinishedLayer::begin(const LayerTask& task, bool is_chunked) {
  with_context(cat("cannot write the layer ", backticked(slice_->name)), [&] {
    try {
      state_ = std::make_unique<State>(*slice_, task, is_chunked, stop_);
    } catch (const IndexTooLarge&) {
      begin_plain(task);
    }
  });
}

void UnfinishedLayer::begin_plain(const LayerTask& task) {
  task.events.verbose(cat("layer ", slice_->name, " has too many files to be chunked"));
  state_ = std::make_unique<State>(*slice_, task, false, stop_);
}

WrittenLayer UnfinishedLayer::finish() {
  return with_context(cat("cannot write the layer ", backticked(slice_->name)), [&] {
    try {
      return state_->finish();
    } catch (const IndexTooLarge&) {
      begin_plain(LayerTask(state_->task));
      return state_->finish();
    }
  });
}

oci::Layer write_layer(const Slice& slice, const Compression& compression, std::int64_t modified, oci::BlobStore& store,
                       ThreadPool& pool, EventSink& events, std::stop_token stop) {
  const LayerTask task{
      .compression = compression, .modified = modified, .store = store, .pool = pool, .events = events};
  return UnfinishedLayer(slice, task, std::move(stop)).finish().layer;
}

std::string compression_identity(const Compression& compression) {
  const std::string frames = cat(kFormat, " ", frame_identity(compression.level));
  if (compression.form == LayerForm::plain) return frames;
  const std::string chunks =
      cat(" chunks rollsum ", kChunkMinimum, " ", kChunkMaximum, " zeros ", kZerosMinimum, " ", kZerosMaximum);
  return cat(frames, chunks, compression.form == LayerForm::automatic ? cat(" from ", kChunkedMinimum) : "");
}

oci::DiffId diff_id_of(const oci::BlobStore& store, const oci::Descriptor& layer) {
  HashSink hash;
  decompress(*store.open(layer), hash, cat("the layer ", layer.digest.str()));
  return {hash.digest()};
}

}  // namespace whittle::layers
