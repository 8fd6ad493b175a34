#include "registry/manifest_reader.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "registry/progress.hpp"
#include "registry/questions.hpp"

namespace whittle::registry {

Fetched ManifestReader::fetch_root() {
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

Fetched ManifestReader::fetch(const oci::Descriptor& manifest) {
  if (manifest.size > oci::kMaximumManifest) {
    throw Error(Exit::registry_content,
                cat(short_name(manifest), " is larger than ", human_size(oci::kMaximumManifest)));
  }
  Fetched fetched = fetch_checked(manifest.digest.str(), manifest.digest);
  fetched.descriptor.platform = manifest.platform;
  return fetched;
}

// What arrives damaged is fetched once more: the damage may have been on the way.
Fetched ManifestReader::fetch_checked(const std::string& name, const Digest& expected) {
  HttpResponse response = get_manifest(name, cat("manifest ", name));
  if (digest_of(response.body) != expected) response = get_manifest(name, cat("manifest ", name));
  const Digest computed = digest_of(response.body);
  if (computed != expected) throw different("the manifest", expected.str(), computed.str());
  return described(response, computed);
}

HttpResponse ManifestReader::get_manifest(const std::string& name, const std::string& what) {
  return session_
      .send({.doing = cat("download of ", what),
             .target = session_.path(cat("manifests/", name)),
             .headers = {{"Accept", manifest_types()}}})
      .response;
}

// CVE-2021-41190: one text that is a manifest to one client and an index to another.
Fetched ManifestReader::described(const HttpResponse& response, const Digest& digest) {
  const std::string what = cat("the manifest of ", backticked(reference_.str()));
  const Json document = parse_json(response.body, what, static_cast<int>(Exit::registry_content));
  const std::string answered = response.media_type();
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

Error ManifestReader::content_error(std::string why) const {
  Error error(Exit::registry_content, cat("cannot use the manifest of ", backticked(reference_.str())));
  error.cause(std::move(why));
  return error;
}

Error ManifestReader::different(const std::string& what, const std::string& expected,
                                const std::string& computed) const {
  Error error(Exit::registry_content, cat(backticked(session_.host()), " sent something else than ", what));
  error.detail(cat("expected: ", expected)).detail(cat("received: ", computed));
  return error;
}

}  // namespace whittle::registry
