// A bundle as it lies on a medium. Opening reads the heads alone; nothing of it is believed before `check_trust`, and
// no blob before its digest was computed.
#pragma once

#include <memory>
#include <span>
#include <stop_token>

#include "base/event.hpp"
#include "bundle/root.hpp"
#include "bundle/trust.hpp"
#include "bundle/volumes.hpp"
#include "oci/blob_store.hpp"

namespace whittle::bundle {

class BundleReader : public oci::BlobSource {
 public:
  // One file of it is enough: the other volumes are looked for beside it, under any name; or all are given, in any
  // order. Throws Error(refused) for a file that is no bundle, and for volumes of another bundle; names the volumes
  // that are missing.
  explicit BundleReader(std::span<const fs::path> files);
  BundleReader(BundleReader&&) noexcept;
  ~BundleReader() override;

  const Root& root() const;
  Digest root_digest() const;
  const SignedText& signed_root() const;
  const TrustChain& trust() const;
  std::uint64_t size() const;           // of all volumes
  std::vector<fs::path> files() const;  // the volumes, in their order

  // Throws Error(refused) unless a trust that follows from `pinned` has signed the root and is for its set; gives that
  // trust.
  Trust check_trust(const Trust& pinned) const;
  // Reads every byte: sizes, headers, digests. Throws Error(refused) naming the volume, the offset and the blob of the
  // first damage.
  void verify(EventSink& events, std::stop_token stop) const;

  bool has(const Digest& digest, std::uint64_t size) const override;  // carried
  std::string read(const oci::Descriptor& blob, std::uint64_t limit) const override;
  // Throws at the end when the digest differs.
  std::unique_ptr<Source> open(const oci::Descriptor& blob) const override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace whittle::bundle
