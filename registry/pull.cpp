#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "oci/partial_blob.hpp"
#include "registry/blob_download.hpp"
#include "registry/client.hpp"
#include "registry/platform_choice.hpp"
#include "registry/progress.hpp"
#include "registry/session.hpp"
#include "registry/whereabouts.hpp"

namespace whittle::registry {

namespace {

struct Fetched {
  oci::Descriptor descriptor;
  std::string json;
};

std::string without_parameters(std::string_view content_type) {
  return lower(trim(content_type.substr(0, content_type.find(';'))));
}

class Puller {
 public:
  Puller(const oci::Reference& reference, const PullOptions& wanted, oci::BlobStore& into, HttpTransport& transport,
         const ClientOptions& options, ThreadPool& pool, EventSink& events, std::stop_token stop)
      : reference_(reference),
        wanted_(wanted),
        into_(into),
        places_(options.memory, reference.host),
        session_(reference, Session::Access::pull, transport, options, events, std::move(stop)),
        pool_(pool),
        events_(events) {}

  oci::Descriptor run() {
    Fetched root = fetch_root();
    if (!oci::media_type::is_index(root.descriptor.media_type)) return finish({}, {root});
    const oci::Index index = oci::Index::decode(root.json, cat("the index of ", backticked(reference_.str())));
    if (!wanted_.all_platforms) {
      const oci::Descriptor chosen = choose_platform(index, wanted_.platform, reference_.str());
      return finish({}, {fetch_manifest(chosen)});
    }
    std::vector<Fetched> manifests;
    for (const oci::Descriptor& manifest : index.manifests) manifests.push_back(fetch_manifest(manifest));
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

  Fetched fetch_root() {
    if (reference_.digest) {
      return fetch_checked(reference_.digest->str(), *reference_.digest);
    }
    const std::string tag = reference_.tag_or_latest();
    const HttpResponse response = get_manifest(tag, cat("the manifest of tag ", backticked(tag)));
    const Digest computed = digest_of(response.body);
    const auto named = response.header("docker-content-digest");
    // The bytes came without a digest to hold against; where the header disagrees, the digest decides.
    if (named && *named != computed.str()) {
      const auto digest = Digest::parse(*named);
      if (!digest) throw different(cat("tag ", backticked(tag)), printable(*named), computed.str());
      return fetch_checked(named.value(), *digest);
    }
    return described(response, computed);
  }

  Fetched fetch_manifest(const oci::Descriptor& manifest) {
    if (into_.has(manifest.digest, manifest.size)) return {manifest, into_.read(manifest, oci::kMaximumManifest)};
    if (manifest.size > oci::kMaximumManifest) {
      throw Error(Exit::registry_content,
                  cat(short_name(manifest), " is larger than ", human_size(oci::kMaximumManifest)));
    }
    Fetched fetched = fetch_checked(manifest.digest.str(), manifest.digest);
    fetched.descriptor.platform = manifest.platform;
    return fetched;
  }

  // What arrives damaged is fetched once more: the damage may have been on the way.
  Fetched fetch_checked(const std::string& name, const Digest& expected) {
    HttpResponse response = get_manifest(name, cat("manifest ", name));
    if (digest_of(response.body) != expected) response = get_manifest(name, cat("manifest ", name));
    const Digest computed = digest_of(response.body);
    if (computed != expected) throw different("the manifest", expected.str(), computed.str());
    return described(response, computed);
  }

  HttpResponse get_manifest(const std::string& name, const std::string& what) {
    using namespace oci::media_type;
    return session_
        .send({.doing = cat("download of ", what),
               .target = session_.path(cat("manifests/", name)),
               .headers = {{"Accept", cat(kIndex, ", ", kManifest, ", ", kDockerList, ", ", kDockerManifest)}}})
        .response;
  }

  // CVE-2021-41190: one text that is a manifest to one client and an index to another.
  Fetched described(const HttpResponse& response, const Digest& digest) {
    const std::string what = cat("the manifest of ", backticked(reference_.str()));
    const Json document = parse_json(response.body, what, static_cast<int>(Exit::registry_content));
    const std::string answered = without_parameters(response.header("content-type").value_or(""));
    const bool has_type = document.is_object() && document.contains("mediaType") && document["mediaType"].is_string();
    const std::string type = has_type ? document["mediaType"].get<std::string>() : answered;
    const bool is_known = oci::media_type::is_index(type) || oci::media_type::is_manifest(type);
    if (!is_known) {
      throw content_error(cat("whittle cannot read images of the type ", backticked(type)));
    }
    const bool is_registry_type = oci::media_type::is_index(answered) || oci::media_type::is_manifest(answered);
    if (is_registry_type && answered != type) {
      throw content_error(cat("it was sent as ", backticked(answered), " and calls itself ", backticked(type)));
    }
    if (document.contains("manifests") && (document.contains("layers") || document.contains("config"))) {
      throw content_error("it is a manifest and an index at once");
    }
    return {{.media_type = type, .digest = digest, .size = response.body.size()}, response.body};
  }

  Error content_error(std::string why) const {
    Error error(Exit::registry_content, cat("cannot use the manifest of ", backticked(reference_.str())));
    error.cause(std::move(why));
    return error;
  }

  Error different(const std::string& what, const std::string& expected, const std::string& computed) const {
    Error error(Exit::registry_content, cat(backticked(session_.host()), " sent something else than ", what));
    error.detail(cat("expected: ", expected)).detail(cat("received: ", computed));
    return error;
  }

  const oci::Reference& reference_;
  const PullOptions& wanted_;
  oci::BlobStore& into_;
  Whereabouts places_;
  Session session_;
  ThreadPool& pool_;
  EventSink& events_;
};

}  // namespace

oci::Descriptor pull(const oci::Reference& reference, const PullOptions& pull_options, oci::BlobStore& into,
                     HttpTransport& transport, const ClientOptions& options, ThreadPool& pool, EventSink& events,
                     std::stop_token stop) {
  return Puller(reference, pull_options, into, transport, options, pool, events, std::move(stop)).run();
}

}  // namespace whittle::registry
