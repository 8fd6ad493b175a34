// Several places where blobs can be had, as one.
#pragma once

#include <map>
#include <vector>

#include "base/files.hpp"
#include "oci/blob_store.hpp"

namespace whittle::gateway {

// The first that has a blob gives it. Borrows.
class BlobSources : public oci::BlobSource {
 public:
  explicit BlobSources(std::vector<const oci::BlobSource*> sources) : sources_(std::move(sources)) {}
  bool has(const Digest& digest, std::uint64_t size) const override;
  std::string read(const oci::Descriptor& blob, std::uint64_t limit) const override;
  std::unique_ptr<Source> open(const oci::Descriptor& blob) const override;

 private:
  const oci::BlobSource& holder(const oci::Descriptor& blob) const;
  std::vector<const oci::BlobSource*> sources_;
};

// Another program's `blobs/sha256/HEX`: read, never touched. A blob is there when its content has the digest; that is
// looked at once in the life of the object.
class ForeignBlobs : public oci::BlobSource {
 public:
  explicit ForeignBlobs(fs::path folder) : folder_(std::move(folder)) {}  // holds the HEX files
  bool has(const Digest& digest, std::uint64_t size) const override;
  std::string read(const oci::Descriptor& blob, std::uint64_t limit) const override;
  std::unique_ptr<Source> open(const oci::Descriptor& blob) const override;

 private:
  fs::path folder_;
  mutable std::map<Digest, bool> known_;
};

// Hands on what it reads, and throws at the end unless it was what `blob` says. `what`: where it is from.
class CheckedSource : public Source {
 public:
  CheckedSource(std::unique_ptr<Source> from, const oci::Descriptor& blob, std::string what)
      : from_(std::move(from)), digest_(blob.digest), size_(blob.size), what_(std::move(what)) {}
  std::size_t read(std::span<std::byte> room) override;

 private:
  std::unique_ptr<Source> from_;
  Digest digest_;
  std::uint64_t size_;
  std::string what_;
  HashSink hash_;
};

// Part of a file.
class FilePart : public Source {
 public:
  FilePart(const fs::path& file, std::uint64_t offset, std::uint64_t size);
  std::size_t read(std::span<std::byte> room) override;

 private:
  fs::path name_;
  FileDescriptor file_;
  std::uint64_t offset_, left_;
};

}  // namespace whittle::gateway
