#include "gateway/adapter.hpp"

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "oci/layout.hpp"
#include "oci/reference.hpp"

namespace whittle::gateway {

namespace {

struct Kind {
  const char* name;
  std::unique_ptr<Adapter> (*make)(const StateFolder&, const Runtime&);
  std::vector<std::string> options;
};

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> kKinds = {
      {"layout", make_layout_adapter, {}},
      {"containerd", make_containerd_adapter, {"address", "namespace", "snapshotter", "root", "unpack", "program"}},
      {"podman", make_podman_adapter, {"storage", "folder", "program"}},
      {"k3s", make_k3s_adapter, {"folder"}},
  };
  return kKinds;
}

}  // namespace

std::unique_ptr<Adapter> make_adapter(const StateFolder& state, const Runtime& runtime,
                                      const AdapterFactories& others) {
  const Device& device = state.device();
  const auto other = others.find(device.adapter);
  if (other != others.end()) return other->second(state, runtime);
  std::vector<std::string> known;
  for (const Kind& kind : kinds()) {
    known.emplace_back(kind.name);
    if (kind.name != device.adapter) continue;
    for (const auto& [option, value] : device.options) {
      if (std::find(kind.options.begin(), kind.options.end(), option) != kind.options.end()) continue;
      Error error(Exit::usage, cat("the adapter `", kind.name, "` has no option ", backticked(option)));
      throw error.hint(kind.options.empty() ? "it has none at all" : cat("it has: ", join(kind.options, ", ")));
    }
    return kind.make(state, runtime);
  }
  for (const auto& [name, factory] : others) known.push_back(name);
  throw Error(Exit::usage, cat("there is no adapter ", backticked(device.adapter)))
      .hint(cat("there are: ", join(known, ", ")));
}

std::vector<std::string> names_gone(const Generation* former, const Generation* next) {
  std::vector<std::string> gone;
  if (former == nullptr) return gone;
  for (const bundle::BundledImage& image : former->images) {
    if (next == nullptr || next->find(image.reference) == nullptr) gone.push_back(image.reference);
  }
  return gone;
}

void name_in_store(const fs::path& store, const Generation* former, const Generation* next, EventSink& events) {
  std::vector<oci::Layout::Entry> now;
  if (next != nullptr) {
    for (const bundle::BundledImage& image : next->images) {
      oci::Descriptor target = image.target;
      target.platform = next->platform;
      now.push_back({.name = image.reference, .descriptor = std::move(target)});
    }
  }
  oci::Layout(store, oci::Layout::Open::create, events).exchange(names_gone(former, next), now);
}

std::string option_or(const Device& device, const std::string& name, std::string fallback) {
  const auto found = device.options.find(name);
  return found == device.options.end() || found->second.empty() ? fallback : found->second;
}

std::string pinned_name(const bundle::BundledImage& image) {
  return cat(oci::Reference::parse(image.reference).name(), "@", image.target.digest.str());
}

std::vector<bundle::BlobSize> new_blobs(const Generation& next, const Generation* former) {
  std::vector<bundle::BlobSize> found;
  for (const auto& [digest, size] : next.blobs) {
    if (former == nullptr || !former->blobs.contains(digest)) found.push_back({digest, size});
  }
  return found;
}

std::pair<std::uint64_t, std::uint64_t> new_files(const Generation& next, const Generation* former) {
  std::set<Digest> seen;
  std::uint64_t bytes = 0, inodes = 0;
  for (const bundle::BundledImage& image : next.images) {
    std::uint64_t all = 0, fresh = 0;
    for (const Digest& blob : image.blobs) {
      const std::uint64_t size = next.blobs.at(blob);
      all += size;
      const bool is_new = former == nullptr || !former->blobs.contains(blob);
      if (seen.insert(blob).second && is_new) fresh += size;
    }
    if (all == 0) continue;
    const auto share = [&](std::uint64_t value) {
      return static_cast<std::uint64_t>(static_cast<double>(value) * static_cast<double>(fresh) /
                                        static_cast<double>(all));
    };
    bytes += share(image.installed);
    inodes += share(image.inodes);
  }
  return {bytes, inodes};
}

}  // namespace whittle::gateway
