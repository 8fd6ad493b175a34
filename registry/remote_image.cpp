#include "base/error.hpp"
#include "base/text.hpp"
#include "oci/blob_store.hpp"
#include "registry/blob_download.hpp"
#include "registry/client.hpp"
#include "registry/manifest_reader.hpp"
#include "registry/session.hpp"
#include "registry/whereabouts.hpp"

namespace whittle::registry {

namespace {

constexpr int kDeepestIndex = 4;

}  // namespace

RemoteImage::RemoteImage(const oci::Reference& reference, oci::BlobStore& spool, const Client& client)
    : spool_(spool),
      events_(client.events),
      places_(std::make_unique<Whereabouts>(client.options.memory, reference.host)),
      session_(std::make_unique<Session>(reference, Session::Access::pull, client.transport, client.options,
                                         client.events, client.stop)) {
  const Fetched root = ManifestReader(*session_, reference).fetch_root();
  root_ = root.descriptor;
  collect(root, 0);
  // So that a delivery to the same registry can mount.
  places_.reset();
}

RemoteImage::~RemoteImage() = default;

void RemoteImage::collect(const Fetched& fetched, int depth) {
  spool_.put(fetched.json, fetched.descriptor.media_type);
  places_->learn(fetched.descriptor.digest, session_->repository());
  const auto promise = [&](const oci::Descriptor& blob) {
    promised_[blob.digest] = blob.size;
    places_->learn(blob.digest, session_->repository());
  };
  if (!oci::media_type::is_index(fetched.descriptor.media_type)) {
    const oci::Manifest manifest = oci::Manifest::decode(fetched.json, short_name(fetched.descriptor));
    for (const oci::Descriptor& layer : manifest.layers) promise(layer);
    promise(manifest.config);
    return;
  }
  if (depth == kDeepestIndex)
    throw Error(Exit::registry_content, cat(short_name(fetched.descriptor), " is nested too deeply"));
  ManifestReader manifests(*session_, {});
  for (const oci::Descriptor& child : oci::Index::decode(fetched.json, short_name(fetched.descriptor)).manifests) {
    if (!spool_.has(child.digest, child.size)) collect(manifests.fetch(child), depth + 1);
  }
}

bool RemoteImage::has(const Digest& digest, std::uint64_t size) const {
  const auto found = promised_.find(digest);
  return (found != promised_.end() && found->second == size) || spool_.has(digest, size);
}

std::string RemoteImage::read(const oci::Descriptor& blob, std::uint64_t limit) const {
  bring(blob);
  return spool_.read(blob, limit);
}

std::unique_ptr<Source> RemoteImage::open(const oci::Descriptor& blob) const {
  bring(blob);
  return spool_.open(blob);
}

// Several may ask for one blob at a time; one fetches it.
void RemoteImage::bring(const oci::Descriptor& blob) const {
  std::mutex* busy = nullptr;
  {
    const std::lock_guard lock(mutex_);
    std::unique_ptr<std::mutex>& one = busy_[blob.digest];
    if (!one) one = std::make_unique<std::mutex>();
    busy = one.get();
  }
  const std::lock_guard lock(*busy);
  if (!spool_.has(blob.digest, blob.size)) BlobDownload(*session_, blob, spool_, events_).run();
}

}  // namespace whittle::registry
