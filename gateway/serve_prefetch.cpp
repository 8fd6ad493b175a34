#include "gateway/serve_prefetch.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "base/error.hpp"
#include "base/text.hpp"
#include "oci/platform.hpp"

namespace whittle::gateway {

namespace {

constexpr int kDeepest = 4;
constexpr std::chrono::milliseconds kLook{200};

std::string read_text(const Shelf::OpenBlob& blob) {
  std::string text(std::min<std::uint64_t>(blob.size, oci::kMaximumManifest), '\0');
  const ssize_t count = ::pread(blob.file.get(), text.data(), text.size(), 0);
  text.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
  return text;
}

// What an engine of this machine would choose: attestations and other platforms stay where they are.
bool is_wanted(const oci::Descriptor& child) {
  const oci::Platform host = oci::Platform::host();
  return !child.platform || (child.platform->os == host.os && child.platform->architecture == host.architecture);
}

}  // namespace

void Prefetch::notice() {
  const std::lock_guard lock(mutex_);
  ended_.notify_all();
}

void Prefetch::wait_for_turn() {
  std::unique_lock lock(mutex_);
  while (!stop_.stop_requested() && fetches_.running() > 0) ended_.wait_for(lock, stop_, kLook, [] { return false; });
}

bool Prefetch::wait_for(const std::shared_ptr<const Fetch>& fetch) {
  std::unique_lock lock(mutex_);
  while (fetch && !fetch->is_over() && !stop_.stop_requested()) {
    ended_.wait_for(lock, stop_, kLook, [&] { return fetch->is_over(); });
  }
  return fetch && fetch->state() == Fetch::State::done;
}

bool Prefetch::bring(const oci::Reference& image, const Digest& manifest, int depth) {
  auto blob = shelf_.open(manifest);
  if (!blob) {
    oci::Reference exact = image;
    exact.digest = manifest;
    wait_for_turn();
    if (!wait_for(fetches_.manifest(exact))) return false;
    blob = shelf_.open(manifest);
  }
  const std::optional<oci::Descriptor> described = shelf_.describe(manifest);
  if (!blob || !described || depth > kDeepest) return false;
  const std::string text = read_text(*blob), what = manifest.str();
  if (oci::media_type::is_index(described->media_type)) {
    bool is_here = true;
    for (const oci::Descriptor& child : oci::Index::decode(text, what).manifests) {
      is_here = (!is_wanted(child) || bring(image, child.digest, depth + 1)) && is_here;
    }
    return is_here;
  }
  const oci::Manifest decoded = oci::Manifest::decode(text, what);
  std::vector<oci::Descriptor> blobs = decoded.layers;
  blobs.push_back(decoded.config);
  for (const oci::Descriptor& one : blobs) {
    if (stop_.stop_requested()) return false;
    if (shelf_.open(one.digest)) continue;
    wait_for_turn();
    if (!wait_for(fetches_.blob(image, one))) return false;
  }
  return true;
}

bool Prefetch::bring_image(const oci::Reference& image) {
  if (image.digest) return bring(image, *image.digest, 0);
  const auto target = [&]() -> std::optional<Digest> {
    const auto catalog = shelf_.catalog();
    const auto* repository = catalog->find({.path = image.repository, .registry = image.host});
    if (repository == nullptr) return std::nullopt;
    const auto tag = repository->tags.find(image.tag_or_latest());
    if (tag == repository->tags.end()) return std::nullopt;
    return tag->second.digest;
  };
  std::optional<Digest> digest = target();
  if (!digest) {
    wait_for_turn();
    oci::Reference named = image;
    named.tag = image.tag_or_latest();
    if (!wait_for(fetches_.manifest(named))) return false;
    digest = target();
  }
  return digest && bring(image, *digest, 0);
}

void Prefetch::run(std::vector<oci::Reference> images) {
  for (const Catalog::Image& image : shelf_.catalog()->images()) images.push_back(image.reference);
  metrics_.prefetch_left = static_cast<std::int64_t>(images.size());
  for (const oci::Reference& image : images) {
    if (stop_.stop_requested()) return;
    try {
      if (fetches_.covers(image) && bring_image(image)) {
        events_.verbose(cat(image.str(), " is here"));
      }
    } catch (const Error& error) {
      events_.warn(cat("cannot fetch ", image.str(), " ahead: ", error.message()));
    }
    --metrics_.prefetch_left;
  }
}

}  // namespace whittle::gateway
