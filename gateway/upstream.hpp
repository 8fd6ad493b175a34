// Where a gateway with a link gets what its store lacks. Implemented above this folder, which knows no registries.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "oci/blob_store.hpp"
#include "oci/reference.hpp"

namespace whittle::gateway {

class Upstream {
 public:
  virtual ~Upstream() = default;

  // All may be called from several threads at once, and throw Error(transient) where there is no link.

  // Whether `image`, which has a host, may be asked for: clients name hosts, and not each is to be called.
  virtual bool covers(const oci::Reference& image) const = 0;
  // The manifest or index of a tag or digest, put into `into`; nothing when the far side has none.
  virtual std::optional<oci::Descriptor> manifest(const oci::Reference& image, oci::BlobStore& into) = 0;
  // Brings a blob of `image`'s repository into the store, through an oci::PartialBlob: what has come of it can be read
  // while the rest is on its way.
  virtual void blob(const oci::Reference& image, const oci::Descriptor& blob, oci::BlobStore& into) = 0;
};

}  // namespace whittle::gateway
