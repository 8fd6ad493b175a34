// What layouts hold, as a registry tells it: repositories, their tags, manifests, and what refers to what. A picture of
// one moment; a new one is made when an index changes. Immutable, so any number of threads may read it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/event.hpp"
#include "base/json.hpp"
#include "oci/layout.hpp"
#include "oci/reference.hpp"

namespace whittle::gateway {

// A repository as a client names it: by its path alone, by a path that begins with the registry's host, or by a path
// and the registry that this one stands for (`?ns=`, distribution-spec "Registry Proxying").
struct AskedRepository {
  std::string path;
  std::string registry;  // of `ns`; may be empty

  // With a host, if one is named in either way; Docker Hub's names in their long form.
  oci::Reference image() const;
};

class Catalog {
 public:
  // Of the layouts in their order: the first that has a name decides what it means. What cannot be read is left out,
  // with a warning.
  Catalog(std::span<const oci::Layout* const> layouts, EventSink& events);

  struct Repository {
    std::string host, path;
    std::map<std::string, oci::Descriptor, std::less<>> tags;
    std::string name() const { return host.empty() ? path : host + "/" + path; }
  };
  // Nothing when there is none, or several of that path and no host to tell them apart.
  const Repository* find(const AskedRepository& asked) const;
  std::size_t repositories() const { return repositories_.size(); }
  std::size_t tags() const;  // of all of them
  // Every repository under the shortest name that finds it; sorted.
  std::vector<std::string> names() const;

  // Manifests and indexes below the names; media type and size.
  const oci::Descriptor* manifest(const Digest& digest) const;
  // Bytes of a config or layer that a manifest names.
  std::optional<std::uint64_t> blob_size(const Digest& digest) const;
  std::span<const oci::Descriptor> referrers(const Digest& subject) const;

  struct Image {
    oci::Reference reference;
    oci::Descriptor target;
  };
  // Those with a name, in the order of the indexes.
  std::span<const Image> images() const { return images_; }

 private:
  void add(const oci::Descriptor& target, int depth);
  void add_children(const Json& document, int depth);
  void add_referrer(const Json& document, const oci::Descriptor& described);
  std::optional<std::string> read(const oci::Descriptor& target) const;

  std::vector<const oci::BlobStore*> stores_;
  EventSink& events_;
  std::map<std::string, Repository, std::less<>> repositories_;  // by name()
  std::map<std::string, std::vector<const Repository*>, std::less<>> by_path_;
  std::vector<Image> images_;
  std::map<Digest, oci::Descriptor> manifests_;
  std::map<Digest, std::uint64_t> blobs_;
  std::map<Digest, std::vector<oci::Descriptor>> referrers_;
};

// Whether `text` may name a repository (distribution-spec, "Pulling manifests").
bool is_repository_path(std::string_view text);

// The media type of a manifest by what it says of itself; empty when it is none.
std::string manifest_type(const Json& document);

}  // namespace whittle::gateway
