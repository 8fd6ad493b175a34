// Manifests of one repository: fetched, held against their digests, and known to be one thing only.
#pragma once

#include <optional>
#include <string>

#include "oci/image.hpp"
#include "registry/session.hpp"

namespace whittle::registry {

struct Fetched {
  oci::Descriptor descriptor;
  std::string json;
};

class ManifestReader {
 public:
  ManifestReader(Session& session, const oci::Reference& reference) : session_(session), reference_(reference) {}

  // What the reference names.
  Fetched fetch_root();
  // A manifest that another one names.
  Fetched fetch(const oci::Descriptor& manifest);

 private:
  Fetched fetch_checked(const std::string& name, const Digest& expected);
  HttpResponse get_manifest(const std::string& name, const std::string& what);
  Fetched described(const HttpResponse& response, const Digest& digest);
  Error content_error(std::string why) const;
  Error different(const std::string& what, const std::string& expected, const std::string& computed) const;

  Session& session_;
  oci::Reference reference_;
};

}  // namespace whittle::registry
