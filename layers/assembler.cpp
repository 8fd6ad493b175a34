#include "layers/assembler.hpp"

#include <algorithm>
#include <chrono>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "layers/gzip_twin.hpp"
#include "layers/layer_index.hpp"

namespace whittle::layers {

namespace {

// Every entry's time: layers of equal content are equal in all images, whenever those were made.
constexpr std::int64_t kModified = 0;

void add_number(Hasher& hasher, std::uint64_t number) {
  hasher.update(std::as_bytes(std::span(&number, 1)));
}

void add_text(Hasher& hasher, std::string_view text) {
  add_number(hasher, text.size());
  hasher.update(text);
}

void add_file(Hasher& hasher, const File& file) {
  add_number(hasher, file.size);
  if (file.digest) return add_text(hasher, file.digest->str());
  if (file.content.empty()) return add_text(hasher, file.text);
  for (const std::uint64_t number :
       {file.stamp.device, file.stamp.inode, static_cast<std::uint64_t>(file.stamp.modified),
        static_cast<std::uint64_t>(file.stamp.changed)}) {
    add_number(hasher, number);
  }
}

// Everything that decides a layer's bytes.
Digest key_of(const Slice& slice, const Compression& compression) {
  Hasher hasher;
  add_text(hasher, compression_identity(compression));
  add_number(hasher, static_cast<std::uint64_t>(kModified));
  for (const auto& [path, entry] : slice.entries) {
    add_text(hasher, path);
    for (const std::uint64_t number :
         {std::uint64_t{entry.node.index()}, std::uint64_t{entry.mode}, entry.uid, entry.gid}) {
      add_number(hasher, number);
    }
    if (const auto* const link = std::get_if<Link>(&entry.node)) add_text(hasher, link->target);
    if (const auto* const file = std::get_if<File>(&entry.node)) add_file(hasher, *file);
  }
  return hasher.digest();
}

// A stamp stands for content only when a later write must change it: when it is older than the file system's
// clock is coarse. File systems that count whole seconds show it by the missing nanoseconds.
bool stamps_are_settled(const Slice& slice) {
  using std::chrono::duration_cast, std::chrono::nanoseconds, std::chrono::system_clock;
  const std::int64_t now = duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count();
  return std::all_of(slice.entries.begin(), slice.entries.end(), [&](const auto& item) {
    const auto* const file = std::get_if<File>(&item.second.node);
    if (file == nullptr || file->digest || file->content.empty()) return true;
    const std::int64_t coarse = file->stamp.changed % 1'000'000'000 == 0 ? 2'000'000'000 : 20'000'000;
    return file->stamp.changed + coarse < now;
  });
}

// Layers that are neither in the cache nor finished yet, one at a time.
class LayerMaker {
 public:
  LayerMaker(std::string image, const Compression& compression, oci::BlobStore& store, LayerCache& cache,
             ThreadPool& pool, EventSink& events)
      : image_(std::move(image)), cache_(cache), task_{compression, kModified, store, pool, events, &known_} {}

  // In the order of `slices`.
  std::vector<oci::Layer> make(std::span<const Slice> slices, const std::stop_token& stop) {
    std::vector<oci::Layer> layers(slices.size());
    std::vector<std::size_t> missing;
    std::vector<Digest> keys;
    for (std::size_t i = 0; i < slices.size(); ++i) {
      keys.push_back(key_of(slices[i], task_.compression));
      std::optional<oci::Layer> found = cache_.find(keys[i], task_.store);
      if (found) task_.events.verbose(cat("layer ", slices[i].name, " is unchanged"));
      if (found) layers[i] = std::move(*found);
      if (!found) missing.push_back(i);
    }
    for (const std::size_t i : missing) cache_.add_frames(frames_name(slices[i]), task_.store, known_);

    // The end of each is written while the next one is read.
    std::optional<UnfinishedLayer> unfinished;
    std::size_t finishing = 0;
    bool is_settled = false;
    const auto finish = [&] {
      const WrittenLayer written = unfinished->finish();
      if (written.copied > 0) {
        task_.events.verbose(cat("layer ", slices[finishing].name, ": ", written.copied, " of ", written.chunks.size(),
                                 " chunks copied from the one before"));
      }
      if (is_settled) cache_.remember(keys[finishing], written.layer);
      cache_.remember_frames(frames_name(slices[finishing]), written);
      layers[finishing] = written.layer;
    };
    for (const std::size_t i : missing) {
      const bool next_is_settled = stamps_are_settled(slices[i]);
      UnfinishedLayer next(slices[i], task_, stop);
      if (unfinished) finish();
      unfinished.emplace(std::move(next));
      finishing = i;
      is_settled = next_is_settled;
    }
    if (unfinished) finish();
    return layers;
  }

 private:
  std::string frames_name(const Slice& slice) const {
    return cat(image_, "\n", slice.name, "\n", compression_identity(task_.compression));
  }

  std::string image_;
  LayerCache& cache_;
  KnownFrames known_;
  LayerTask task_;
};

std::string created_at(const plan::ImageSettings& image) {
  if (image.created.empty()) return oci::rfc3339(0);
  const std::optional<std::uint64_t> seconds = parse_number(image.created);
  if (seconds && *seconds <= INT64_MAX) return oci::rfc3339(static_cast<std::int64_t>(*seconds));
  throw Error(Exit::usage,
              cat("the creation time ", backticked(image.created), " is not a number of seconds since 1970"));
}

oci::Config config_of(const plan::BuildPlan& plan, const oci::Platform& platform, std::span<const Slice> slices,
                      std::span<const oci::Layer> layers) {
  oci::Config config{.platform = platform,
                     .created = created_at(plan.image),
                     .entrypoint = plan.image.entrypoint,
                     .command = plan.image.arguments,
                     .env = {},
                     .user = plan.image.user,
                     .working_directory = plan.image.workdir,
                     .stop_signal = plan.image.stop_signal,
                     .exposed_ports = plan.image.ports,
                     .volumes = {},
                     .labels = plan.image.labels,
                     .diff_ids = {},
                     .history = {}};
  for (const auto& [name, value] : plan.image.env) config.env.push_back(cat(name, "=", value));
  // One program needs no label: it is the entry point.
  if (plan.image.processes.size() > 1) {
    for (const auto& [name, argv] : plan.image.processes)
      config.labels[cat(kProcessLabel, name)] = canonical_json(argv);
  }
  for (std::size_t i = 0; i < layers.size(); ++i) {
    config.diff_ids.push_back(layers[i].diff_id);
    config.history.push_back({.created_by = cat("whittle: ", slices[i].name), .comment = {}});
  }
  return config;
}

enum class Reader { podman, stargz };

// Podman refuses layers that are described for both.
oci::Annotations annotations_for(Reader reader, oci::Annotations annotations) {
  if (reader == Reader::podman) {
    for (const std::string_view key : {kStargzTocKey, kStargzSizeKey}) annotations.erase(std::string(key));
  } else {
    for (const std::string_view key : {kTocChecksumKey, kTocPositionKey, kTarSplitPositionKey}) {
      annotations.erase(std::string(key));
    }
  }
  return annotations;
}

oci::Descriptor put_manifest(const oci::Image& image, const oci::Platform& platform, Reader reader,
                             oci::BlobStore& store) {
  oci::Manifest manifest{
      .media_type = std::string(oci::media_type::kManifest), .config = image.config, .layers = {}, .annotations = {}};
  for (const oci::Layer& layer : image.layers) {
    manifest.layers.push_back(layer.blob);
    manifest.layers.back().annotations = annotations_for(reader, layer.blob.annotations);
  }
  oci::Descriptor descriptor = store.put(manifest.encode(), oci::media_type::kManifest);
  descriptor.platform = platform;
  return descriptor;
}

// A manifest; or the index of two over the same blobs, when there is a layer that they describe differently.
oci::Descriptor put_root(const oci::Image& image, const oci::Platform& platform, bool is_dual, oci::BlobStore& store) {
  oci::Descriptor for_podman = put_manifest(image, platform, Reader::podman, store);
  const bool has_chunked = std::any_of(image.layers.begin(), image.layers.end(), [](const oci::Layer& layer) {
    return layer.blob.annotations.contains(std::string(kTocChecksumKey));
  });
  if (!is_dual || !has_chunked) return for_podman;
  // containerd takes the first that fits, Podman prefers the one with this annotation.
  for_podman.annotations = {{std::string(oci::kZstdKey), "true"}};
  const oci::Index index{.media_type = std::string(oci::media_type::kIndex),
                         .manifests = {put_manifest(image, platform, Reader::stargz, store), for_podman},
                         .annotations = {}};
  oci::Descriptor descriptor = store.put(index.encode(), oci::media_type::kIndex);
  descriptor.platform = platform;
  return descriptor;
}

}  // namespace

std::string slice_name(const oci::Descriptor& layer) {
  const auto found = layer.annotations.find(std::string(kSliceKey));
  return found == layer.annotations.end() ? "" : found->second;
}

oci::Image assemble(const plan::BuildPlan& plan, std::span<const Slice> slices, oci::BlobStore& store,
                    LayerCache& cache, ThreadPool& pool, EventSink& events, std::stop_token stop) {
  const std::optional<oci::Platform> platform = oci::Platform::parse(plan.platform);
  if (!platform) throw Error(Exit::usage, cat(backticked(plan.platform), " is not a platform"));
  if (slices.empty()) throw Error(Exit::bug, "an image needs at least one layer");

  const Compression compression = compression_of(plan.layers);
  oci::Image image;
  image.layers = LayerMaker(plan.name, compression, store, cache, pool, events).make(slices, stop);
  for (std::size_t i = 0; i < slices.size(); ++i) {
    image.layers[i].blob.annotations.emplace(kCompressionKey, compression_identity(compression));
    image.layers[i].blob.annotations.emplace(kSliceKey, printable(slices[i].name));
  }
  image.config = store.put(config_of(plan, *platform, slices, image.layers).encode(), oci::media_type::kConfig);
  image.manifest = put_root(image, *platform, plan.layers.form == "dual", store);
  if (plan.layers.gzip_twin) image.manifest = add_gzip_twin(image, store, cache, pool, events, stop);
  return image;
}

}  // namespace whittle::layers
