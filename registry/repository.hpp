// One repository of a registry, asked about its tags over one conversation. Not for several threads.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "registry/client.hpp"

namespace whittle::registry {

class Repository {
 public:
  enum class For { reading, removing };
  Repository(const oci::Reference& reference, For purpose, const Client& client);
  ~Repository();

  // The digest that a tag or digest names, by one HEAD; nothing when it names nothing.
  std::optional<std::string> digest_of(const std::string& name);
  // Every tag, in the registry's order; what is no tag is left out.
  std::vector<std::string> tags();
  // Takes a tag away; where the registry can remove only manifests, the manifest, if that is allowed. False: it would
  // do neither.
  bool remove_tag(const std::string& tag, bool may_remove_manifest);

 private:
  std::string name_;
  std::unique_ptr<Session> session_;
};

// The descriptor of the manifest or index that a reference names.
oci::Descriptor describe(const oci::Reference& reference, const Client& client);
// Asks the registry whether it knows these credentials; throws Error(registry_credentials) when it does not.
void check_credentials(const std::string& host, const Credentials& credentials, const Client& client);

}  // namespace whittle::registry
