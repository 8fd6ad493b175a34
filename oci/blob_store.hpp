// A folder of blobs by content (`blobs/sha256/HEX`), as in an OCI image layout. Blobs are immutable:
// several processes may add to one folder at once, and a blob that is there is complete and synced.
//
// A blob whose content has been checked is *sealed*: the nanoseconds of its modification time are taken
// from its digest. So one `stat` tells a blob that nobody touched since; any other is read and hashed
// before it is believed, and one found damaged counts as absent and is replaced (docs/design/store.md).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "oci/image.hpp"

namespace whittle::oci {

// Where the blobs of an image can be had.
class BlobSource {
 public:
  virtual ~BlobSource() = default;
  virtual bool has(const Digest& digest, std::uint64_t size) const = 0;
  // As BlobStore's.
  virtual std::string read(const Descriptor& blob, std::uint64_t limit) const = 0;
  virtual std::unique_ptr<Source> open(const Descriptor& blob) const = 0;
};

class BlobStore : public BlobSource {
 public:
  explicit BlobStore(fs::path root) : root_(std::move(root)) {}  // `root` holds `blobs/`; made when needed

  // Present, intact as far as its seal or its content tells, and of that size.
  bool has(const Digest& digest, std::uint64_t size) const override;
  bool has(const Digest& digest) const;
  std::uint64_t size(const Digest& digest) const;  // throws when absent; looks at the file system only
  fs::path path(const Digest& digest) const;

  // Reads the whole blob into memory and verifies it; throws Error naming the blob when it is absent,
  // larger than `limit` or corrupted.
  std::string read(const Descriptor& blob, std::uint64_t limit) const override;
  // A stream that throws at the end, or at the first byte too many, when size or digest differ. Either
  // way of reading breaks the seal of a damaged blob, so that the next `has` is false.
  std::unique_ptr<Source> open(const Descriptor& blob) const override;

  // Adds a text; returns its descriptor. Durable on return.
  Descriptor put(std::string_view content, std::string_view media_type);
  // Makes `file` (open as `descriptor`, on the same file system), whose content has this digest, the blob; durable on
  // return. It is gone from where it was.
  void adopt(const fs::path& file, int descriptor, const Digest& digest);
  // Removes a blob that was found to be corrupted, so that it is fetched or built again.
  void remove(const Digest& digest);

  // A blob being written. Hashes and counts what passes; unless committed it leaves nothing behind.
  class Writer : public Sink {
   public:
    explicit Writer(BlobStore& store);
    void write(Bytes bytes) override;
    std::uint64_t size() const { return hash_.size(); }
    Digest digest() const { return hash_.digest(); }
    // Makes it durable under its digest. With `expected`, throws Error(registry_content) and keeps
    // nothing unless size and digest are those.
    Descriptor commit(std::string_view media_type);
    void commit(const Descriptor& expected);

   private:
    void place(const Digest& digest);
    BlobStore& store_;
    AtomicFile file_;
    HashSink hash_;
  };

  const fs::path& root() const { return root_; }

 private:
  fs::path folder() const;
  fs::path root_;
};

}  // namespace whittle::oci
