// What refers to an image: signatures, bills of materials (distribution-spec, "Listing Referrers"). Where the registry
// has no list of its own, an index under the tag `sha256-HEX` is one, which every client must keep up itself.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "registry/client.hpp"

namespace whittle::registry {

class Referrers {
 public:
  Referrers(const oci::Reference& repository, bool to_change, const Client& client);
  ~Referrers();

  // Of `type` alone, when one is given. What an index claims and its manifests deny is left out.
  std::vector<oci::Descriptor> list(const Digest& subject, const std::string& type = {});
  // Makes `referrer`, which is in the repository, be listed. Safe against others that do the same at this moment.
  void add(const Digest& subject, const oci::Descriptor& referrer);
  // Takes the manifest away, and its listing. False when there was none.
  bool remove(const Digest& subject, const Digest& referrer);

 private:
  struct Listing {
    bool exists = false;
    std::string entity_tag;
    std::vector<oci::Descriptor> entries;
  };
  std::optional<std::vector<oci::Descriptor>> ask(const Digest& subject);
  Listing read_tag(const Digest& subject);
  // True when the registry took it; false: somebody was faster.
  bool write_tag(const Digest& subject, const Listing& listing);
  std::optional<FileLock> turn() const;
  bool refers_to(const oci::Descriptor& referrer, const Digest& subject);

  std::string name_;
  fs::path locks_;  // of the writers on this machine; empty: none
  std::unique_ptr<Session> session_;
};

// What is to be attached to an image: one blob, with a type.
struct Attachment {
  std::string artifact_type;  // "application/spdx+json"
  std::string content;
  oci::Annotations annotations = {};
};

// A manifest around the attachment that names its subject; put into `into`.
oci::Descriptor make_referrer(const oci::Descriptor& subject, const Attachment& attachment, oci::BlobStore& into);

}  // namespace whittle::registry
