#include <algorithm>

#include "base/digest.hpp"
#include "base/text.hpp"
#include "tests/lab/api.hpp"

namespace whittle::testing {

namespace {

constexpr std::size_t kMostManifestBytes = 4 << 20;
constexpr const char* kIndex = "application/vnd.oci.image.index.v1+json";

std::string text_member(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string artifact_type(const Json& manifest) {
  const std::string own = text_member(manifest, "artifactType");
  const auto config = manifest.find("config");
  return own.empty() && config != manifest.end() ? text_member(*config, "mediaType") : own;
}

std::string without_parameters(const std::string& type) {
  return std::string(trim(std::string_view(type).substr(0, type.find(';'))));
}

}  // namespace

Answer Api::manifest(const Question& question, const Route& route) {
  if (question.method == "GET" || question.method == "HEAD") return serve_manifest(question, route);
  if (question.method == "PUT") return store_manifest(question, route);
  if (question.method == "DELETE") return delete_manifest(route);
  return error_answer(405, "UNSUPPORTED", "method not allowed");
}

std::string Api::resolve(const Repository& repository, const std::string& name) const {
  const auto tag = repository.tags.find(name);
  if (tag != repository.tags.end()) return tag->second;
  if (options_.personality.resolves_digest_tags && name.starts_with("sha256-")) return "sha256:" + name.substr(7);
  return name;
}

Answer Api::serve_manifest(const Question& question, const Route& route) {
  const auto repository = repositories.find(route.repository);
  if (repository == repositories.end()) {
    return error_answer(404, "NAME_UNKNOWN", "repository name not known to registry");
  }
  const std::string digest = resolve(repository->second, route.name);
  const auto found = repository->second.manifests.find(digest);
  if (found == repository->second.manifests.end()) {
    return error_answer(404, "MANIFEST_UNKNOWN", "manifest unknown");
  }
  bool is_accepted = false;
  const auto [first, last] = question.headers.equal_range("accept");
  for (auto accept = first; accept != last; ++accept) {
    is_accepted = is_accepted || accept->second.find(found->second.media_type) != std::string::npos ||
                  accept->second.find("*/*") != std::string::npos;
  }
  if (!is_accepted) return error_answer(404, "MANIFEST_UNKNOWN", "no manifest of an accepted type");
  return {.headers = {{"Content-Type", found->second.media_type}, {"Docker-Content-Digest", digest}},
          .body = corrupted.count(digest) > 0 ? flipped(found->second.json) : found->second.json};
}

Answer Api::store_manifest(const Question& question, const Route& route) {
  const Personality& personality = options_.personality;
  if (personality.is_busy_at_manifests && !was_busy_) {
    was_busy_ = true;
    Answer answer = error_answer(429, "TOOMANYREQUESTS", "too many requests");
    answer.headers.emplace_back("Retry-After", "1");
    return answer;
  }
  if (question.body.size() > kMostManifestBytes) return error_answer(413, "SIZE_INVALID", "the manifest is too large");
  const Json json = Json::parse(question.body, nullptr, false);
  const std::string type = question.header("content-type");
  if (!json.is_object() || (json.contains("mediaType") && text_member(json, "mediaType") != type)) {
    return error_answer(400, "MANIFEST_INVALID", "Content-Type and mediaType differ");
  }
  const std::string digest = digest_of(question.body).str();
  if (is_digest(route.name) && route.name != digest) {
    return error_answer(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
  }
  const auto subject = json.find("subject");
  if (subject != json.end() && personality.refuses_subjects) {
    return error_answer(405, "UNSUPPORTED", "this manifest is not supported");
  }
  Repository& repository = repositories[route.repository];
  if (const std::string missing = missing_below(repository, json); !missing.empty()) {
    return error_answer(personality.missing_blob_status, "MANIFEST_BLOB_UNKNOWN",
                        cat("blob unknown to registry: ", missing));
  }
  repository.manifests[digest] = {type, question.body};
  if (!is_digest(route.name)) repository.tags[route.name] = digest;
  Answer answer{.status = 201,
                .headers = {{"Docker-Content-Digest", digest},
                            {"Location", cat("/v2/", route.repository, "/manifests/", digest)}}};
  if (subject != json.end() && personality.has_referrers) {
    answer.headers.emplace_back("OCI-Subject", text_member(*subject, "digest"));
  }
  return answer;
}

std::string Api::missing_below(const Repository& repository, const Json& json) const {
  for (const Json& child : json.value("manifests", Json::array())) {
    if (repository.manifests.count(text_member(child, "digest")) == 0) return text_member(child, "digest");
  }
  if (json.contains("manifests")) return {};
  Json blobs = json.value("layers", Json::array());
  blobs.push_back(json.value("config", Json::object()));
  for (const Json& blob : blobs) {
    const auto found = repository.blobs.find(text_member(blob, "digest"));
    if (found == repository.blobs.end() || found->second.size() != blob.value("size", 0U)) {
      return text_member(blob, "digest");
    }
  }
  return {};
}

std::string Api::problem() const {
  for (const auto& [name, repository] : repositories) {
    for (const auto& [digest, content] : repository.blobs) {
      if (digest_of(content).str() != digest) return cat(name, ": the blob ", digest, " is damaged");
    }
    for (const auto& [digest, stored] : repository.manifests) {
      const std::string missing = missing_below(repository, Json::parse(stored.json, nullptr, false));
      if (digest_of(stored.json).str() != digest) return cat(name, ": the manifest ", digest, " is damaged");
      if (!missing.empty()) return cat(name, ": ", missing, " is missing below ", digest);
    }
    for (const auto& [tag, digest] : repository.tags) {
      if (repository.manifests.count(digest) == 0) return cat(name, ": nothing is behind the tag ", tag);
    }
  }
  return {};
}

Answer Api::delete_manifest(const Route& route) {
  Repository& repository = repositories[route.repository];
  if (is_digest(route.name)) {
    if (repository.manifests.erase(route.name) == 0) return error_answer(404, "MANIFEST_UNKNOWN", "manifest unknown");
    std::erase_if(repository.tags, [&](const auto& tag) { return tag.second == route.name; });
    return {.status = 202};
  }
  if (repository.tags.erase(route.name) == 0) return error_answer(404, "MANIFEST_UNKNOWN", "manifest unknown");
  return {.status = 202};
}

Answer Api::list_tags(const Question& question, const Route& route) {
  const Personality& personality = options_.personality;
  const auto repository = repositories.find(route.repository);
  if (question.method != "GET") return error_answer(405, "UNSUPPORTED", "method not allowed");
  if (route.name != "list") return error_answer(404, "NOT_FOUND", "no such place");
  if (repository == repositories.end()) return error_answer(404, "NAME_UNKNOWN", "repository name not known");
  const std::string last = question.parameter("last").value_or("");
  const auto asked = question.parameter("n");
  const auto most = asked ? parse_number(*asked) : UINT64_MAX;
  if (!most || (asked && *most > personality.most_tags)) {
    return error_answer(400, "UNSUPPORTED", "n is out of range");
  }
  const std::uint64_t page = std::min(*most, personality.most_tags);
  Json names = Json::array();
  std::string link;
  for (const auto& [tag, digest] : repository->second.tags) {
    if (tag <= last) continue;
    if (names.size() == page) {
      const std::string previous = names.empty() ? last : names.back().get<std::string>();
      link = cat("</v2/", route.repository, "/tags/list?n=", page, "&last=", previous, ">; rel=\"next\"");
      break;
    }
    names.push_back(tag);
    if (personality.lists_digest_tags) names.push_back(digest);
  }
  Json list{{"name", route.repository}, {"tags", names}};
  if (personality.lists_null_tags && names.empty()) list["tags"] = nullptr;
  Answer answer{.headers = {{"Content-Type", "application/json"}}, .body = canonical_json(list)};
  if (!link.empty()) answer.headers.emplace_back("Link", link);
  return answer;
}

Answer Api::list_referrers(const Question& question, const Route& route) {
  if (!options_.personality.has_referrers) return error_answer(404, "NOT_FOUND", "page not found");
  if (!is_digest(route.name)) return error_answer(400, "DIGEST_INVALID", "invalid digest");
  const auto wanted = question.parameter("artifactType");
  Json list = Json::array();
  for (const auto& [digest, stored] : repositories[route.repository].manifests) {
    const Json manifest = Json::parse(stored.json, nullptr, false);
    const auto subject = manifest.find("subject");
    if (subject == manifest.end() || text_member(*subject, "digest") != route.name) continue;
    if (wanted && artifact_type(manifest) != *wanted) continue;
    Json entry{{"mediaType", without_parameters(stored.media_type)},
               {"digest", digest},
               {"size", stored.json.size()},
               {"artifactType", artifact_type(manifest)}};
    if (manifest.contains("annotations")) entry["annotations"] = manifest["annotations"];
    list.push_back(std::move(entry));
  }
  Answer answer{.headers = {{"Content-Type", kIndex}},
                .body = canonical_json(Json{{"schemaVersion", 2}, {"mediaType", kIndex}, {"manifests", list}})};
  if (wanted) answer.headers.emplace_back("OCI-Filters-Applied", "artifactType");
  return answer;
}

}  // namespace whittle::testing
