#include "gateway/image_archive.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/tar.hpp"
#include "base/text.hpp"

namespace whittle::gateway {

namespace {

std::string text_entry(const std::string& path, const std::string& text) {
  std::string entry = tar_header({.path = path, .size = text.size()}) + text;
  entry.append(tar_padding(text.size()), '\0');
  return entry;
}

std::string index_of(const std::vector<ImageArchive::Name>& names) {
  oci::Index index{.media_type = std::string(oci::media_type::kIndex), .manifests = {}, .annotations = {}};
  for (const ImageArchive::Name& name : names) {
    oci::Descriptor entry = name.target;
    entry.annotations["io.containerd.image.name"] = name.name;
    entry.annotations["org.opencontainers.image.ref.name"] = name.name;
    index.manifests.push_back(std::move(entry));
  }
  return index.encode();
}

class ArchiveSource : public Source {
 public:
  ArchiveSource(std::vector<ImageArchive::Piece> pieces, const oci::BlobSource& blobs)
      : pieces_(std::move(pieces)), blobs_(blobs) {}

  std::size_t read(std::span<std::byte> room) override {
    if (room.empty()) return 0;
    while (at_ < pieces_.size()) {
      const ImageArchive::Piece& piece = pieces_[at_];
      if (in_text_ < piece.text.size()) {
        const std::size_t size = std::min(room.size(), piece.text.size() - in_text_);
        std::memcpy(room.data(), piece.text.data() + in_text_, size);
        in_text_ += size;
        return size;
      }
      if (piece.blob.size > 0) {
        if (!blob_) blob_ = blobs_.open({.media_type = {}, .digest = piece.blob.digest, .size = piece.blob.size});
        if (const std::size_t size = blob_->read(room)) return size;
      }
      blob_.reset();
      in_text_ = 0;
      ++at_;
    }
    return 0;
  }

 private:
  std::vector<ImageArchive::Piece> pieces_;
  const oci::BlobSource& blobs_;
  std::unique_ptr<Source> blob_;
  std::size_t at_ = 0, in_text_ = 0;
};

}  // namespace

ImageArchive::ImageArchive(const std::vector<Name>& names, const std::vector<bundle::BlobSize>& blobs) {
  std::string text = text_entry("oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
  text += text_entry("index.json", index_of(names));
  std::uint64_t offset = 0;
  for (const bundle::BlobSize& blob : blobs) {
    text += tar_header({.path = cat("blobs/sha256/", blob.digest.hex()), .size = blob.size});
    offset += text.size();
    pieces_.push_back({.text = std::move(text), .blob = blob, .offset = offset});
    offset += blob.size;
    text.assign(tar_padding(blob.size), '\0');
  }
  text.append(kTarEnd, '\0');
  pieces_.push_back({.text = std::move(text), .blob = {}, .offset = offset});
}

std::uint64_t ImageArchive::size() const {
  std::uint64_t size = 0;
  for (const Piece& piece : pieces_) size += piece.text.size() + piece.blob.size;
  return size;
}

std::unique_ptr<Source> ImageArchive::stream(const oci::BlobSource& blobs) const {
  return std::make_unique<ArchiveSource>(pieces_, blobs);
}

void write_resumed(const fs::path& file, Source& content, const std::function<void()>& check_stop) {
  const auto failed = [&] {
    return system_error(Exit::export_failed, cat("cannot write ", backticked(file.native())));
  };
  const FileDescriptor out(::open(file.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!out) throw failed();
  std::array<std::byte, 128 * 1024> room{}, there{};
  std::uint64_t done = 0;
  bool is_same = true;  // so far, and there is more of it
  while (const std::size_t size = content.read(room)) {
    check_stop();
    std::size_t same = 0;
    if (is_same) {
      const ssize_t got = ::pread(out.get(), there.data(), size, static_cast<off_t>(done));
      const std::size_t comparable = got > 0 ? static_cast<std::size_t>(got) : 0;
      while (same < comparable && there[same] == room[same]) ++same;
      if (same < size) {
        is_same = false;
        if (::ftruncate(out.get(), static_cast<off_t>(done + same)) != 0) throw failed();
        if (::lseek(out.get(), static_cast<off_t>(done + same), SEEK_SET) < 0) throw failed();
      }
    }
    if (same < size) write_all(out, std::span(room).subspan(same, size - same), file);
    done += size;
  }
  if (is_same && ::ftruncate(out.get(), static_cast<off_t>(done)) != 0) throw failed();
  if (::fsync(out.get()) != 0) throw failed();
  sync_folder(file.parent_path());
}

}  // namespace whittle::gateway
