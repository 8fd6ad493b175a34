#include "gateway/serve_catalog.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::gateway {

namespace {

constexpr int kDeepest = 4;
constexpr std::size_t kMostManifests = 20'000, kMostBlobs = 200'000, kLongestPath = 255;
constexpr const char* kContainerdName = "io.containerd.image.name";
constexpr std::string_view kHub = "docker.io";

bool is_hub(std::string_view host) {
  return host == kHub || host == "index.docker.io" || host == "registry-1.docker.io";
}

// One host and one path for what people call by several.
void make_canonical(oci::Reference& image) {
  if (!is_hub(image.host)) return;
  image.host = kHub;
  if (image.repository.find('/') == std::string::npos) image.repository.insert(0, "library/");
}

bool is_host(std::string_view component) {
  return component.find('.') != std::string_view::npos || component == "localhost";
}

bool is_component(std::string_view text) {
  const auto is_alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (text.empty() || !is_alphanumeric(text.front()) || !is_alphanumeric(text.back())) return false;
  for (std::size_t at = 0; at < text.size();) {
    if (is_alphanumeric(text[at])) {
      ++at;
      continue;
    }
    const std::size_t end = std::min(text.size(), text.find_first_not_of(text[at], at));
    const std::size_t count = end - at;
    const bool is_separator = (text[at] == '.' && count == 1) || (text[at] == '_' && count <= 2) || text[at] == '-';
    if (!is_separator || !is_alphanumeric(text[end])) return false;
    at = end;
  }
  return true;
}

std::optional<oci::Reference> reference_of(const oci::Layout::Entry& entry) {
  const auto full = entry.descriptor.annotations.find(kContainerdName);
  const std::string& name = full != entry.descriptor.annotations.end() ? full->second : entry.name;
  if (name.empty()) return std::nullopt;
  try {
    oci::Reference reference = oci::Reference::parse(name);
    make_canonical(reference);
    return reference;
  } catch (const Error&) {
    return std::nullopt;  // a name of another tool's, which no client can ask for
  }
}

// Without what the index says beside it: another name's annotations are nobody's business.
oci::Descriptor bare(const oci::Descriptor& descriptor) {
  return {.media_type = descriptor.media_type, .digest = descriptor.digest, .size = descriptor.size};
}

std::optional<oci::Descriptor> descriptor_in(const Json& object) {
  if (!object.is_object()) return std::nullopt;
  const auto digest = Digest::parse(json_text(object, "digest"));
  const auto size = object.find("size");
  if (!digest || size == object.end() || !size->is_number_unsigned()) return std::nullopt;
  oci::Descriptor descriptor{.media_type = json_text(object, "mediaType"), .digest = *digest};
  descriptor.size = size->get<std::uint64_t>();
  return descriptor;
}

}  // namespace

bool is_repository_path(std::string_view text) {
  if (text.size() > kLongestPath) return false;
  const std::vector<std::string> parts = split(text, '/');
  return std::all_of(parts.begin(), parts.end(), [](const std::string& part) { return is_component(part); });
}

std::string manifest_type(const Json& document) {
  if (!document.is_object()) return {};
  std::string type = json_text(document, "mediaType");
  if (!type.empty()) return oci::media_type::is_index(type) || oci::media_type::is_manifest(type) ? type : "";
  if (document.value("manifests", Json()).is_array()) return std::string(oci::media_type::kIndex);
  if (document.value("layers", Json()).is_array()) return std::string(oci::media_type::kManifest);
  return {};
}

oci::Reference AskedRepository::image() const {
  oci::Reference image{.host = registry, .repository = path, .tag = {}, .digest = {}};
  const std::size_t slash = path.find('/');
  if (registry.empty() && slash != std::string::npos && is_host(std::string_view(path).substr(0, slash))) {
    image.host = path.substr(0, slash);
    image.repository = path.substr(slash + 1);
  }
  make_canonical(image);
  return image;
}

Catalog::Catalog(std::span<const oci::Layout* const> layouts, EventSink& events) : events_(events) {
  for (const oci::Layout* layout : layouts) stores_.push_back(&layout->blobs());
  for (const oci::Layout* layout : layouts) {
    for (const oci::Layout::Entry& entry : layout->entries()) {
      const oci::Descriptor target = bare(entry.descriptor);
      if (const auto reference = reference_of(entry)) {
        Repository& repository = repositories_[reference->name()];
        repository.host = reference->host;
        repository.path = reference->repository;
        if (!reference->digest || !reference->tag.empty()) {
          repository.tags.emplace(reference->tag_or_latest(), target);
        }
        images_.push_back({*reference, target});
      }
      add(target, 0);
    }
  }
  for (const auto& [name, repository] : repositories_) by_path_[repository.path].push_back(&repository);
  for (auto& [subject, list] : referrers_) {
    std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.digest < b.digest; });
  }
}

// Nothing when no layout has it: an index may name platforms that are not carried.
std::optional<std::string> Catalog::read(const oci::Descriptor& target) const {
  for (const oci::BlobStore* store : stores_) {
    try {
      if (!fs::exists(store->path(target.digest))) continue;
      return store->read(target, oci::kMaximumManifest);
    } catch (const Error& error) {
      events_.warn(cat("left out: ", error.message()));
    }
  }
  return std::nullopt;
}

void Catalog::add(const oci::Descriptor& target, int depth) {
  if (depth > kDeepest || manifests_.contains(target.digest) || manifests_.size() >= kMostManifests) return;
  const std::optional<std::string> text = read(target);
  if (!text) return;
  Json document;
  try {
    document = parse_json(*text, target.digest.str());
  } catch (const Error& error) {
    events_.warn(cat("left out: ", error.message()));
    return;
  }
  oci::Descriptor described = target;
  if (const std::string type = manifest_type(document); !type.empty()) described.media_type = type;
  if (!oci::media_type::is_index(described.media_type) && !oci::media_type::is_manifest(described.media_type)) return;
  manifests_.emplace(target.digest, described);
  add_referrer(document, described);
  add_children(document, depth);
}

void Catalog::add_children(const Json& document, int depth) {
  const auto each = [&](const char* key, const auto& action) {
    const auto list = document.find(key);
    if (list == document.end() || !list->is_array()) return;
    for (const Json& item : *list) {
      if (const auto descriptor = descriptor_in(item)) action(*descriptor);
    }
  };
  const auto remember = [&](const oci::Descriptor& blob) {
    if (blobs_.size() < kMostBlobs) blobs_.emplace(blob.digest, blob.size);
  };
  each("manifests", [&](const oci::Descriptor& child) { add(child, depth + 1); });
  each("layers", remember);
  if (const auto config = document.find("config"); config != document.end()) {
    if (const auto descriptor = descriptor_in(*config)) remember(*descriptor);
  }
}

// distribution-spec, "Listing Referrers": the type of an artifact is what it says, else that of its config.
void Catalog::add_referrer(const Json& document, const oci::Descriptor& described) {
  const auto subject = document.find("subject");
  if (subject == document.end()) return;
  const auto target = descriptor_in(*subject);
  if (!target) return;
  oci::Descriptor referrer = described;
  referrer.artifact_type = json_text(document, "artifactType");
  const auto config = document.find("config");
  if (referrer.artifact_type.empty() && config != document.end() && config->is_object()) {
    referrer.artifact_type = json_text(*config, "mediaType");
  }
  if (const auto annotations = document.find("annotations"); annotations != document.end()) {
    for (const auto& [key, value] : annotations->items()) {
      if (value.is_string()) referrer.annotations.emplace(key, value.get<std::string>());
    }
  }
  referrers_[target->digest].push_back(std::move(referrer));
}

const Catalog::Repository* Catalog::find(const AskedRepository& asked) const {
  const oci::Reference image = asked.image();
  if (const auto exact = repositories_.find(image.name()); exact != repositories_.end()) return &exact->second;
  if (!asked.registry.empty()) return nullptr;
  const auto found = by_path_.find(asked.path);
  return found != by_path_.end() && found->second.size() == 1 ? found->second.front() : nullptr;
}

std::size_t Catalog::tags() const {
  std::size_t count = 0;
  for (const auto& [name, repository] : repositories_) count += repository.tags.size();
  return count;
}

std::vector<std::string> Catalog::names() const {
  std::set<std::string> names;
  for (const auto& [path, repositories] : by_path_) {
    for (const Repository* repository : repositories) {
      // A port cannot be part of a path: such a repository is found by `ns` alone.
      const bool is_unique = repositories.size() == 1 || repository->host.empty();
      if (is_unique) names.insert(path);
      if (!is_unique && repository->host.find(':') == std::string::npos) names.insert(repository->name());
    }
  }
  return {names.begin(), names.end()};
}

const oci::Descriptor* Catalog::manifest(const Digest& digest) const {
  const auto found = manifests_.find(digest);
  return found == manifests_.end() ? nullptr : &found->second;
}

std::optional<std::uint64_t> Catalog::blob_size(const Digest& digest) const {
  const auto found = blobs_.find(digest);
  if (found == blobs_.end()) return std::nullopt;
  return found->second;
}

std::span<const oci::Descriptor> Catalog::referrers(const Digest& subject) const {
  const auto found = referrers_.find(subject);
  if (found == referrers_.end()) return {};
  return found->second;
}

}  // namespace whittle::gateway
