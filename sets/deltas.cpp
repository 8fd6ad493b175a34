#include "sets/deltas.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "base/text.hpp"
#include "base/zstd_frames.hpp"
#include "bundle/delta_maker.hpp"

namespace whittle::sets {

namespace {

bool all_have(std::span<const bundle::Receipt> receipts, const Digest& digest) {
  return std::all_of(receipts.begin(), receipts.end(), [&](const bundle::Receipt& receipt) {
    return std::binary_search(receipt.blobs.begin(), receipt.blobs.end(), digest);
  });
}

bool all_can_pack(std::span<const bundle::Receipt> receipts) {
  return std::all_of(receipts.begin(), receipts.end(), [](const bundle::Receipt& receipt) {
    return receipt.compressor.empty() || receipt.compressor == compressor_version();
  });
}

// "sensor sha256:…" of a receipt.
std::optional<Digest> manifest_of(const bundle::Receipt& receipt, std::string_view name) {
  for (const std::string& line : receipt.images) {
    if (line.starts_with(name) && line.size() > name.size() && line[name.size()] == ' ') {
      return Digest::parse(std::string_view(line).substr(name.size() + 1));
    }
  }
  return std::nullopt;
}

class Deltas {
 public:
  Deltas(bundle::Root& root, std::span<const bundle::Receipt> have, const oci::BlobStore& blobs,
         oci::BlobStore& payloads, const fs::path& scratch, EventSink& events, std::stop_token stop)
      : root_(root),
        have_(have),
        blobs_(blobs),
        payloads_(payloads),
        scratch_(scratch),
        events_(events),
        stop_(std::move(stop)) {}

  void run() {
    for (const bundle::BundledImage& image : root_.images) {
      const std::vector<oci::Descriptor> bases = bases_of(image.name);
      if (bases.empty()) continue;
      for (const oci::Descriptor& layer : manifest(image.target).layers) {
        if (is_carried(layer.digest) && tried_.insert(layer.digest).second) replace(image, layer, bases);
      }
    }
  }

 private:
  oci::Manifest manifest(const oci::Descriptor& descriptor) const {
    return oci::Manifest::decode(blobs_.read(descriptor, oci::kMaximumManifest), descriptor.digest.str());
  }

  // The layers, the lowest first, of the image that all devices have under this name, if they are here too.
  std::vector<oci::Descriptor> bases_of(std::string_view name) const {
    const std::optional<Digest> digest = manifest_of(have_.front(), name);
    if (!digest || !all_have(have_, *digest) || !blobs_.has(*digest)) return {};
    std::vector<oci::Descriptor> bases;
    for (const oci::Descriptor& layer :
         manifest({.media_type = {}, .digest = *digest, .size = blobs_.size(*digest)}).layers) {
      if (all_have(have_, layer.digest) && blobs_.has(layer.digest, layer.size)) bases.push_back(layer);
    }
    return bases;
  }

  auto carried(const Digest& digest) const {
    return std::find_if(root_.blobs.begin(), root_.blobs.end(), [&](const auto& one) { return one.digest == digest; });
  }
  bool is_carried(const Digest& digest) const { return carried(digest) != root_.blobs.end(); }

  void replace(const bundle::BundledImage& image, const oci::Descriptor& layer,
               const std::vector<oci::Descriptor>& bases) {
    const std::optional<bundle::MadeDelta> made = bundle::make_delta(
        {.target = layer, .from = blobs_, .bases = bases, .old = blobs_, .payloads = payloads_, .scratch = scratch_},
        stop_);
    if (!made) return;
    events_.info(cat(image.name, ": a layer of ", human_size(layer.size), " in ", human_size(made->payload.size)));
    const auto place = root_.blobs.begin() + (carried(layer.digest) - root_.blobs.cbegin());
    if (is_carried(made->payload.digest)) {
      root_.blobs.erase(place);
    } else {
      *place = {made->payload.digest, made->payload.size};
    }
    for (const Digest& digest : made->rebuilt.bases) ask_for(digest, bases);
    root_.rebuilt.push_back(made->rebuilt);
  }

  void ask_for(const Digest& digest, const std::vector<oci::Descriptor>& bases) {
    const bool is_asked = std::any_of(root_.bases.begin(), root_.bases.end(),
                                      [&](const bundle::BlobSize& one) { return one.digest == digest; });
    const auto base = std::find_if(bases.begin(), bases.end(), [&](const auto& one) { return one.digest == digest; });
    if (!is_asked && base != bases.end()) root_.bases.push_back({digest, base->size});
  }

  bundle::Root& root_;
  std::span<const bundle::Receipt> have_;
  const oci::BlobStore& blobs_;
  oci::BlobStore& payloads_;
  const fs::path& scratch_;
  EventSink& events_;
  std::stop_token stop_;
  std::set<Digest> tried_;
};

}  // namespace

void add_deltas(bundle::Root& root, std::span<const bundle::Receipt> have, const oci::BlobStore& blobs,
                oci::BlobStore& payloads, const fs::path& scratch, EventSink& events, std::stop_token stop) {
  if (have.empty()) return;
  if (!all_can_pack(have)) {
    return events.warn(
        cat("layers are carried whole: a device packs them with another version than this, ", compressor_version()));
  }
  Deltas(root, have, blobs, payloads, scratch, events, std::move(stop)).run();
}

}  // namespace whittle::sets
