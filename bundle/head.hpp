// What every volume of a bundle begins with (docs/design/gateway.md, "What travels").
#pragma once

#include <optional>
#include <string>

#include "bundle/root.hpp"
#include "bundle/trust.hpp"
#include "oci/blob_store.hpp"

namespace whittle::bundle {

// What makes a whole bundle in one file an archive for other tools: an OCI layout and docker's manifest.json, derived
// from root document and manifests.
struct RuntimeDocuments {
  std::string layout, index, docker;
  bool operator==(const RuntimeDocuments&) const = default;
};
RuntimeDocuments runtime_documents(const Root& root, const oci::BlobSource& blobs);

struct Head {
  SignedText root;
  TrustChain trust;
  std::optional<RuntimeDocuments> runtime;

  // The bytes at the beginning of volume `volume` (from 0) of `of`; of the same length for all of them.
  std::string encode(std::size_t volume, std::size_t of) const;
};

struct ReadHead {
  Head head;
  Digest root;  // of the root document's text
  std::size_t volume = 0, of = 0;
  std::uint64_t size = 0;  // of the head
};

// Reads a head from the beginning of a volume. Nothing when the file is no volume of a bundle at all; throws
// Error(refused) naming `what` for one that is damaged.
std::optional<ReadHead> read_head(Source& volume, std::string_view what);

}  // namespace whittle::bundle
