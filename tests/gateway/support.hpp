// A device in a temporary folder, and bundles that are no more than their root documents and some blobs in memory.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/event.hpp"
#include "base/text.hpp"
#include "gateway/apply.hpp"
#include "oci/layout.hpp"
#include "tests/support/fake_runner.hpp"

namespace whittle::gateway {

// Blobs in memory. `broken_after`: reading throws once so many bytes of all blobs were given.
class MemoryBlobs : public oci::BlobSource {
 public:
  std::map<Digest, std::string> blobs;
  mutable std::uint64_t given = 0;
  std::uint64_t broken_after = ~0ULL;

  oci::Descriptor add(const std::string& content, std::string_view media_type) {
    const Digest digest = digest_of(content);
    blobs[digest] = content;
    return {.media_type = std::string(media_type), .digest = digest, .size = content.size()};
  }
  bool has(const Digest& digest, std::uint64_t size) const override {
    const auto found = blobs.find(digest);
    return found != blobs.end() && found->second.size() == size;
  }
  std::string read(const oci::Descriptor& blob, std::uint64_t) const override { return blobs.at(blob.digest); }
  std::unique_ptr<Source> open(const oci::Descriptor& blob) const override {
    return std::make_unique<Reading>(*this, blobs.at(blob.digest));
  }

 private:
  class Reading : public Source {
   public:
    Reading(const MemoryBlobs& blobs, std::string_view text) : blobs_(blobs), source_(text) {}
    std::size_t read(std::span<std::byte> room) override {
      if (blobs_.given >= blobs_.broken_after) throw Error(Exit::input_unavailable, "the stick was pulled out");
      const std::size_t size = source_.read(room.first(std::min<std::size_t>(room.size(), 1000)));
      blobs_.given += size;
      return size;
    }

   private:
    const MemoryBlobs& blobs_;
    StringSource source_;
  };
};

// Text that does not repeat.
inline std::string noise(std::size_t size, unsigned seed) {
  std::string text;
  std::uint64_t state = seed * 2654435761U + 1;
  while (text.size() < size) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    text += static_cast<char>(state >> 56);
  }
  return text;
}

struct Bundle {
  bundle::Root root;
  MemoryBlobs carried;
  int verified = 0;

  Bundle(std::uint64_t epoch, std::vector<std::pair<std::string, std::vector<std::string>>> images) {
    root.set = "line7";
    root.epoch = epoch;
    root.platform = oci::Platform::host();
    for (const auto& [name, layers] : images) add(name, layers);
  }

  void add(const std::string& name, const std::vector<std::string>& layers) {
    oci::Manifest manifest{.media_type = std::string(oci::media_type::kManifest)};
    oci::Config config{.platform = root.platform};
    bundle::BundledImage image{.name = name, .reference = cat("registry.example.org/edge/", name, ":1")};
    for (const std::string& layer : layers) {
      manifest.layers.push_back(carried.add(layer, oci::media_type::kLayerTar));
      config.diff_ids.push_back({manifest.layers.back().digest});
      image.blobs.push_back(manifest.layers.back().digest);
      image.installed += layer.size();
      ++image.inodes;
    }
    manifest.config = carried.add(config.encode(), oci::media_type::kConfig);
    image.blobs.push_back(manifest.config.digest);
    image.target = carried.add(manifest.encode(), oci::media_type::kManifest);
    image.blobs.push_back(image.target.digest);
    for (const Digest& blob : image.blobs) {
      const bool is_known =
          std::any_of(root.blobs.begin(), root.blobs.end(), [&](const auto& one) { return one.digest == blob; });
      if (!is_known) root.blobs.push_back({blob, carried.blobs.at(blob).size()});
    }
    root.images.push_back(std::move(image));
  }

  // As a bundle for a device that has `before`.
  Bundle& without(const Bundle& before) {
    std::vector<bundle::BlobSize> left;
    for (const bundle::BlobSize& blob : root.blobs) {
      if (before.carried.blobs.contains(blob.digest)) {
        root.bases.push_back(blob);
        carried.blobs.erase(blob.digest);
      } else {
        left.push_back(blob);
      }
    }
    root.blobs = left;
    return *this;
  }

  Offer offer() {
    return {.root = root, .digest = digest_of(root.encode()), .carried = carried, .verify = [this] { ++verified; }};
  }
};

// A device with an adapter; `health` answers its health command when `device.health` is set.
struct Rig {
  TemporaryFolder folder{fs::temp_directory_path()};
  RecordingEvents events;
  std::map<std::string, std::string> environment = {{"PATH", "/usr/bin:/bin"}};
  FakeRunner runner{[this](const Command& command) { return answer(command); }};
  std::stop_source stop;
  std::function<FakeRunner::Answer(const Command&)> answer = [](const Command&) { return FakeRunner::Answer{}; };
  Runtime runtime{events, runner, environment, stop.get_token()};
  std::unique_ptr<StateFolder> state;
  std::unique_ptr<Adapter> adapter;

  explicit Rig(Device device = {}) {
    if (device.name.empty()) device.name = "gw-17";
    device.platform = oci::Platform::host();
    device.compatible = "acme,gw2";
    bundle::Trust trust{.set = "line7",
                        .keys = {bundle::SigningKey::generate(bundle::KeyAlgorithm::ed25519).public_key()}};
    state = std::make_unique<StateFolder>(StateFolder::create(folder.path() / "state", device, trust));
    renew();
  }
  // As the next process sees it.
  void renew() { adapter = make_adapter(*state, runtime); }
  Workshop workshop() { return {.state = *state, .adapter = *adapter, .runtime = runtime}; }
  Outcome apply(Bundle& bundle) {
    renew();
    return gateway::apply(workshop(), bundle.offer());
  }

  Generations generations() const { return Generations(state->generations()); }
  // Name → digest in the store's index.
  std::map<std::string, std::string> names() {
    std::map<std::string, std::string> names;
    if (!fs::exists(state->store())) return names;
    for (const auto& entry : oci::Layout(state->store(), oci::Layout::Open::existing, events).entries()) {
      names[entry.name] = entry.descriptor.digest.str();
    }
    return names;
  }
  std::size_t blobs() const {
    std::size_t count = 0;
    if (!fs::exists(state->store() / "blobs/sha256")) return 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(state->store() / "blobs/sha256")) ++count;
    return count;
  }
};

inline std::map<std::string, std::string> names_of(const Bundle& bundle) {
  std::map<std::string, std::string> names;
  for (const auto& image : bundle.root.images) names[image.reference] = image.target.digest.str();
  return names;
}

}  // namespace whittle::gateway
