#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "oci/partial_blob.hpp"
#include "registry/blob_download.hpp"
#include "registry/client.hpp"
#include "registry/manifest_reader.hpp"
#include "registry/platform_choice.hpp"
#include "registry/questions.hpp"
#include "registry/routes.hpp"
#include "registry/session.hpp"
#include "registry/whereabouts.hpp"

namespace whittle::registry {

namespace {

class Puller {
 public:
  Puller(const oci::Reference& reference, const PullOptions& wanted, oci::BlobStore& into, HttpTransport& transport,
         const ClientOptions& options, ThreadPool& pool, EventSink& events, std::stop_token stop)
      : reference_(reference),
        wanted_(wanted),
        into_(into),
        places_(options.memory, reference.host),
        session_(reference, Session::Access::pull, transport, options, events, std::move(stop)),
        manifests_(session_, reference),
        pool_(pool),
        events_(events) {}

  oci::Descriptor run() {
    Fetched root = manifests_.fetch_root();
    if (!oci::media_type::is_index(root.descriptor.media_type)) return finish({}, {root});
    const oci::Index index = oci::Index::decode(root.json, cat("the index of ", backticked(reference_.str())));
    if (!wanted_.all_platforms) {
      const oci::Descriptor chosen = choose_platform(index, wanted_.platform, reference_.str());
      return finish({}, {fetch(chosen)});
    }
    std::vector<Fetched> manifests;
    for (const oci::Descriptor& manifest : index.manifests) manifests.push_back(fetch(manifest));
    return finish(root, manifests);
  }

 private:
  // Blobs first, then the manifests that name them, the index last: what is visible is complete.
  oci::Descriptor finish(const std::optional<Fetched>& index, const std::vector<Fetched>& manifests) {
    fetch_blobs(manifests);
    for (const Fetched& manifest : manifests) {
      into_.put(manifest.json, manifest.descriptor.media_type);
      places_.learn(manifest.descriptor.digest, session_.repository());
    }
    if (!index) return manifests.front().descriptor;
    into_.put(index->json, index->descriptor.media_type);
    return index->descriptor;
  }

  Fetched fetch(const oci::Descriptor& manifest) {
    if (into_.has(manifest.digest, manifest.size)) return {manifest, into_.read(manifest, oci::kMaximumManifest)};
    return manifests_.fetch(manifest);
  }

  void fetch_blobs(const std::vector<Fetched>& manifests) {
    std::vector<oci::Descriptor> missing;
    std::set<Digest> seen;
    const auto add = [&](const oci::Descriptor& blob) {
      if (seen.insert(blob.digest).second && !into_.has(blob.digest, blob.size)) missing.push_back(blob);
    };
    for (const Fetched& fetched : manifests) {
      const oci::Manifest manifest = oci::Manifest::decode(fetched.json, short_name(fetched.descriptor));
      for (const oci::Descriptor& layer : manifest.layers) add(layer);
      add(manifest.config);
    }
    oci::PartialBlob::remove_old(into_);
    std::stable_sort(missing.begin(), missing.end(), [](const auto& a, const auto& b) { return a.size > b.size; });
    parallel_map(pool_, missing, [&](const oci::Descriptor& blob) {
      BlobDownload(session_, blob, into_, events_).run();
      places_.learn(blob.digest, session_.repository());
      return true;
    });
  }

  const oci::Reference& reference_;
  const PullOptions& wanted_;
  oci::BlobStore& into_;
  Whereabouts places_;
  Session session_;
  ManifestReader manifests_;
  ThreadPool& pool_;
  EventSink& events_;
};

// Those that may be asked, in order. What a tag means is not asked of a mirror that serves digests alone: the registry
// itself says so first.
std::vector<Endpoint> mirrors_of(const oci::Reference& reference, const Client& client) {
  std::vector<Endpoint> found;
  if (client.options.routes == nullptr) return found;
  std::optional<Digest> resolved = reference.digest;
  bool was_asked = resolved.has_value();
  const Route route = client.options.routes->of(reference);
  // The session says why.
  if (!route.blocked_by.empty()) return found;
  for (const Mirror& mirror : route.mirrors) {
    Endpoint endpoint = mirror.endpoint;
    if (reference.digest ? mirror.has_digests : mirror.has_tags) {
      found.push_back(std::move(endpoint));
      continue;
    }
    if (!mirror.has_digests) continue;
    if (!std::exchange(was_asked, true)) {
      Session session(reference, Session::Access::pull, client.transport, client.options, client.events, client.stop);
      resolved = Digest::parse(digest_at(session, reference.tag_or_latest()).value_or(""));
    }
    if (!resolved) continue;
    endpoint.reference.digest = resolved;
    found.push_back(std::move(endpoint));
  }
  return found;
}

}  // namespace

oci::Descriptor pull(const oci::Reference& reference, const PullOptions& pull_options, oci::BlobStore& into,
                     HttpTransport& transport, const ClientOptions& options, ThreadPool& pool, EventSink& events,
                     std::stop_token stop) {
  for (const Endpoint& mirror : mirrors_of(reference, {transport, options, events, stop})) {
    ClientOptions there = options;
    there.routes = nullptr;
    there.allow_http = options.allow_http || mirror.is_insecure;
    try {
      return Puller(mirror.reference, pull_options, into, transport, there, pool, events, stop).run();
    } catch (const Error& error) {
      // What fails on this side would fail with the next one too.
      if (stop.stop_requested() || error.exit() == Exit::export_failed) throw;
      events.info(cat("the mirror ", backticked(mirror.reference.host), " was of no use: ", error.message()));
    }
  }
  return Puller(reference, pull_options, into, transport, options, pool, events, std::move(stop)).run();
}

}  // namespace whittle::registry
