// Images as an archive that containerd imports, computed from what they are: the same images give the same bytes, and
// where a blob lies in it is known without reading it. Blobs that the other side has may be left out.
#pragma once

#include <memory>
#include <vector>

#include "base/files.hpp"
#include "gateway/generations.hpp"
#include "oci/blob_store.hpp"

namespace whittle::gateway {

class ImageArchive {
 public:
  struct Name {
    std::string name;
    oci::Descriptor target;
  };
  ImageArchive(const std::vector<Name>& names, const std::vector<bundle::BlobSize>& blobs);

  std::uint64_t size() const;
  // Borrows both.
  std::unique_ptr<Source> stream(const oci::BlobSource& blobs) const;

  struct Piece {
    std::string text;          // headers, padding, documents
    bundle::BlobSize blob;     // after the text; nothing when its size is 0
    std::uint64_t offset = 0;  // of the blob
  };
  const std::vector<Piece>& pieces() const { return pieces_; }

 private:
  std::vector<Piece> pieces_;
};

// Makes `file` hold what `content` gives: what is in it is compared and kept as far as it is right, so that an
// interrupted writer goes on where it was. Synced on return, also the folder.
void write_resumed(const fs::path& file, Source& content, const std::function<void()>& check_stop);

}  // namespace whittle::gateway
