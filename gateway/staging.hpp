// Blobs on their way from a bundle into the store, and out of it.
#pragma once

#include <span>

#include "gateway/apply.hpp"
#include "oci/blob_store.hpp"

namespace whittle::gateway {

class Stager {
 public:
  // Borrows all.
  Stager(const Workshop& workshop, const Offer& offer, oci::BlobStore& store)
      : workshop_(workshop), offer_(offer), store_(store) {}

  // Brings what `next` has and the device has not: carried blobs with `carried`, rebuilt ones in any case. Goes on
  // inside a blob where it was interrupted. Returns how many bytes were written.
  std::uint64_t stage(const Generation& next, bool carried) const;
  // One blob, if the bundle has it.
  bool bring(const Digest& blob, std::uint64_t& written) const;

 private:
  std::uint64_t copy_carried(const bundle::BlobSize& blob) const;
  std::uint64_t rebuild(const bundle::Rebuilt& rebuilt) const;
  std::uint64_t size_of(const Digest& digest) const;  // as the root document says

  const Workshop& workshop_;
  const Offer& offer_;
  oci::BlobStore& store_;
};

// What an interrupted apply left of these blobs, in bytes.
std::uint64_t staged_already(const oci::BlobStore& store, std::span<const bundle::BlobSize> blobs);
// Every blob that no generation has goes, also the unfinished ones.
void remove_blobs(const fs::path& store, const std::vector<Generation>& kept);

}  // namespace whittle::gateway
