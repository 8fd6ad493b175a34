// A blob on its way into a store that outlives its process: what has come of it lies in `.partial-HEX` in the
// store's root, and the next to receive the same blob goes on from there. Nothing in it is believed before the whole
// has the right digest.
#pragma once

#include "oci/blob_store.hpp"

namespace whittle::oci {

class PartialBlob : public Sink {
 public:
  // Takes up what is there (reading it once, for the hash); a file that another process is writing is left alone, and
  // a second one begun. Both arguments are borrowed.
  PartialBlob(BlobStore& store, const Descriptor& blob);
  ~PartialBlob() override;  // keeps what has come
  PartialBlob(const PartialBlob&) = delete;
  PartialBlob& operator=(const PartialBlob&) = delete;

  std::uint64_t size() const { return hash_.size(); }
  // Throws Error(registry_content) when it gets more than the blob's size; the file is as before then.
  void write(Bytes bytes) override;
  void restart();
  Digest digest() const { return hash_.digest(); }  // of what has come
  bool is_whole() const { return size() == blob_.size && hash_.digest() == blob_.digest; }
  // Of a whole one: makes it durable under its digest.
  void commit();

  // Removes what nobody came back for: after a week, and the oldest beyond 64 files or 16 GB. Failures are ignored.
  static void remove_old(const BlobStore& store) noexcept;

 private:
  bool take(const fs::path& path);

  BlobStore& store_;
  const Descriptor& blob_;
  fs::path path_;
  FileDescriptor file_;
  HashSink hash_;
};

}  // namespace whittle::oci
