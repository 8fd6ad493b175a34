#include "layers/known_frames.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "layers/crc64.hpp"

namespace whittle::layers {

namespace {

// Digest, offset, packed and plain size, checksum.
constexpr std::size_t kFrameBytes = 32 + 8 + 4 + 4 + 8;
constexpr std::size_t kHeadBytes = 32 + 8;

template <class Number>
void append(std::string& out, Number number) {
  for (std::size_t i = 0; i < sizeof number; ++i) out += static_cast<char>(number >> (8 * i) & 0xFF);
}

template <class Number>
Number number_at(std::string_view bytes) {
  Number number = 0;
  for (std::size_t i = sizeof number; i-- > 0;) {
    number = static_cast<Number>(number << 8 | static_cast<unsigned char>(bytes[i]));
  }
  return number;
}

Digest digest_at(std::string_view bytes) {
  Digest digest;
  std::memcpy(digest.sha256.data(), bytes.data(), digest.sha256.size());
  return digest;
}

}  // namespace

void KnownFrames::add(const oci::BlobStore& store, const Digest& blob, const std::vector<ChunkFrame>& frames) {
  FileDescriptor file(::open(store.path(blob).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return;
  for (const ChunkFrame& frame : frames) frames_.try_emplace(frame.digest, Place{files_.size(), frame});
  files_.push_back(std::move(file));
}

std::size_t KnownFrames::copy(const Digest& plain, std::size_t plain_size, std::span<std::byte> room) const {
  const auto found = frames_.find(plain);
  if (found == frames_.end()) return 0;
  const ChunkFrame& frame = found->second.frame;
  if (frame.plain_size != plain_size || frame.packed_size > room.size()) return 0;
  std::size_t done = 0;
  while (done < frame.packed_size) {
    const ssize_t size = ::pread(files_[found->second.file].get(), room.data() + done, frame.packed_size - done,
                                 static_cast<off_t>(frame.offset + done));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return 0;
    done += static_cast<std::size_t>(size);
  }
  return crc64_of(room.first(done)) == frame.checksum ? done : 0;
}

std::string FrameRecord::encode() const {
  std::string body(text_of(blob.sha256));
  append(body, blob_size);
  for (const ChunkFrame& frame : frames) {
    body += text_of(frame.digest.sha256);
    append(body, frame.offset);
    append(body, frame.packed_size);
    append(body, frame.plain_size);
    append(body, frame.checksum);
  }
  return std::string(text_of(digest_of(body).sha256)) + body;
}

std::optional<FrameRecord> FrameRecord::decode(std::string_view text) {
  constexpr std::size_t kChecksum = 32;
  if (text.size() < kChecksum + kHeadBytes || (text.size() - kChecksum - kHeadBytes) % kFrameBytes != 0) return {};
  std::string_view rest = text.substr(kChecksum);
  if (digest_of(rest) != digest_at(text)) return {};
  FrameRecord record{.blob = digest_at(rest), .blob_size = number_at<std::uint64_t>(rest.substr(32)), .frames = {}};
  for (rest.remove_prefix(kHeadBytes); !rest.empty(); rest.remove_prefix(kFrameBytes)) {
    record.frames.push_back({.offset = number_at<std::uint64_t>(rest.substr(32)),
                             .packed_size = number_at<std::uint32_t>(rest.substr(40)),
                             .plain_size = number_at<std::uint32_t>(rest.substr(44)),
                             .digest = digest_at(rest),
                             .checksum = number_at<std::uint64_t>(rest.substr(48))});
  }
  return record;
}

}  // namespace whittle::layers
