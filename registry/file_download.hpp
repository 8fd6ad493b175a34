// Files of package registries, which are known by their digest: the same retries, resumption and redirects as blobs,
// and no credentials.
#pragma once

#include "oci/blob_store.hpp"
#include "registry/client.hpp"

namespace whittle::registry {

struct RemoteFile {
  std::string what;  // "zig 0.15.2"
  std::string url;
  Digest digest;
  std::uint64_t size = 0;
};

// The file is in `into` on return. Throws Error(input_unavailable) when the server has another file, naming both
// digests, or does not have it, and Error(transient) when it cannot be reached.
void download_file(const RemoteFile& file, oci::BlobStore& into, const Client& client);

// A page of at most 4 MiB.
std::string download_page(const std::string& what, const std::string& url, const Client& client);

}  // namespace whittle::registry
