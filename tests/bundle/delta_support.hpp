// Layers as `layers/` writes them, and what the tests of deltas do with them.
#pragma once

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <string>

#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/delta_maker.hpp"
#include "layers/layer_writer.hpp"

namespace whittle::bundle {

using Tree = std::map<std::string, std::string>;

inline std::string noise(std::size_t size, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::string text(size, '\0');
  for (char& byte : text) byte = static_cast<char>(random());
  return text;
}

// Compresses, and has displacements that a change in the middle moves, as programs do.
inline std::string program(std::size_t words, std::uint32_t seed, std::uint32_t moved_after = ~0U) {
  std::mt19937 random(seed);
  std::string text;
  for (std::uint32_t i = 0; i < words; ++i) {
    text += cat("\x48\x8B", static_cast<char>(random() % 7), "\xE8");
    std::uint32_t target = random() % (words * 8);
    if (target > moved_after) target += 48;
    target -= i * 8;
    for (int k = 0; k < 4; ++k) text += static_cast<char>(target >> 8 * k & 0xFF);
  }
  return text;
}

struct DeltaRig {
  // Hundreds of blobs are written and synced.
  TemporaryFolder around{fs::exists("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path()};
  oci::BlobStore store{around.path() / "store"}, payloads{around.path() / "payloads"}, device{around.path() / "device"};
  ThreadPool pool{2};
  RecordingEvents events;

  DeltaRig() {
    for (const char* const name : {"store", "payloads", "device", "scratch"}) make_folders(around.path() / name);
  }
  fs::path scratch() const { return around.path() / "scratch"; }

  oci::Descriptor layer(const Tree& files, layers::LayerForm form = layers::LayerForm::plain, int level = 3) {
    layers::RootFilesystem root;
    for (const auto& [path, text] : files) {
      for (fs::path folder = fs::path(path).parent_path(); !folder.empty(); folder = folder.parent_path()) {
        root[folder.native()] = {.node = layers::Folder{}, .origin = {}, .reason = {}};
      }
      root[path] = {.node = layers::File{.text = text, .size = text.size()}, .mode = 0755, .origin = {}, .reason = {}};
    }
    oci::Descriptor blob = layers::write_layer({.name = "all", .entries = root}, {.level = level, .form = form}, 0,
                                               store, pool, events, {})
                               .blob;
    blob.annotations["io.whittle.compression"] = layers::compression_identity({.level = level, .form = form});
    return blob;
  }
  oci::Descriptor blob(std::string_view bytes) { return store.put(bytes, oci::media_type::kLayerTar); }

  std::optional<MadeDelta> make(const oci::Descriptor& target, std::vector<oci::Descriptor> bases) {
    return make_delta(
        {.target = target, .from = store, .bases = bases, .old = store, .payloads = payloads, .scratch = scratch()},
        {});
  }

  // On a device that has all of the store's blobs; the result is in `device`.
  void apply(const MadeDelta& made) {
    std::vector<BlobSize> bases;
    for (const Digest& base : made.rebuilt.bases) bases.push_back({base, store.size(base)});
    rebuild({.rebuilt = made.rebuilt,
             .payload_size = made.payload.size,
             .bases = bases,
             .payloads = payloads,
             .old = store,
             .scratch = scratch()},
            device, {});
  }

  // The size of the payload, having seen that it makes the blob; 0 when there is none.
  std::uint64_t delta_size(const oci::Descriptor& target, std::vector<oci::Descriptor> bases) {
    const std::optional<MadeDelta> made = make(target, std::move(bases));
    if (!made) return 0;
    apply(*made);
    CHECK(device.has(target.digest, target.size));
    CHECK(read_file(device.path(target.digest)) == read_file(store.path(target.digest)));
    CHECK(made->payload.size < target.size);
    CHECK(fs::is_empty(scratch()));
    return made->payload.size;
  }
};

}  // namespace whittle::bundle
