// What a finished build is remembered by: input key → image. With it `build` of an unchanged tree only
// stats the tree and the image's blobs. Lost or damaged records cost a rebuild, nothing else.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "oci/blob_store.hpp"

namespace whittle::cli {

class BuildRecords {
 public:
  // `folder` is in the cache. Borrows `store`.
  BuildRecords(fs::path folder, const oci::BlobStore& store) : folder_(std::move(folder)), store_(store) {}

  struct Record {
    oci::Descriptor root;
    std::vector<std::string> warnings;  // of the build, told again
    std::uint64_t installed = 0;        // the content of all files
    std::string sandbox = {};           // what its steps ran in: builder::Built::sandbox
  };
  // Nothing when there is no record, or when a blob of its image is gone or damaged (see BlobStore::has).
  std::optional<Record> find(const Digest& key) const;
  void remember(const Digest& key, const Record& record);

 private:
  fs::path path(const Digest& key) const { return folder_ / key.hex(); }

  fs::path folder_;
  const oci::BlobStore& store_;
};

}  // namespace whittle::cli
