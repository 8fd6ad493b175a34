// Payloads of deltas, replaced by any bytes in whole or in part: the device refuses them or makes the right blob, and
// neither crashes, nor reads elsewhere, nor goes on for ever. The first byte says what the others are: `h` a head, `c`
// the coded stream after a sound head, `t` the operations of a tar-diff, anything else a whole payload.
#include <cstdint>
#include <cstdlib>
#include <map>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/tar.hpp"
#include "base/text.hpp"
#include "base/zstd_frames.hpp"
#include "bundle/delta_maker.hpp"
#include "bundle/delta_payload.hpp"
#include "bundle/tar_diff_maker.hpp"

using namespace whittle;
using namespace whittle::bundle;

namespace {

class OwnedSource : public Source {
 public:
  explicit OwnedSource(std::string text) : text_(std::move(text)), source_(text_) {}
  std::size_t read(std::span<std::byte> room) override { return source_.read(room); }

 private:
  const std::string text_;
  StringSource source_;
};

// Gives out whatever it has under a name, without a look at digests.
struct Memory : oci::BlobSource {
  bool has(const Digest& digest, std::uint64_t) const override { return blobs.contains(digest); }
  std::string read(const oci::Descriptor& blob, std::uint64_t) const override { return blobs.at(blob.digest); }
  std::unique_ptr<Source> open(const oci::Descriptor& blob) const override {
    return std::make_unique<OwnedSource>(blobs.at(blob.digest));
  }
  std::map<Digest, std::string> blobs;
};

std::string tar_of(std::string_view extra) {
  StringSink out;
  TarWriter tar(out);
  std::string text;
  for (int i = 0; i < 400; ++i) text += cat("line ", i * 7919 % 1000, extra, "\n");
  StringSource content(text);
  tar.add({.path = "a/file", .size = text.size(), .link = {}, .attributes = {}}, content);
  tar.finish();
  return out.text;
}

std::string frame_of(std::string_view text) {
  std::vector<std::byte> room(frame_bound(text.size()));
  return std::string(text_of(std::span(room).first(FrameCompressor(3).compress(bytes_of(text), room))));
}

// A delta between two small layers, taken apart.
struct Sound {
  TemporaryFolder scratch{fs::exists("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path()};
  Memory memory;
  std::string old = tar_of("."), blob = frame_of(tar_of("!")), head, streams;
  MadeDelta made;

  Sound() {
    oci::BlobStore store(scratch.path() / "store");
    make_folders(scratch.path() / "store");
    make_folders(scratch.path() / "work");
    const oci::Descriptor base = store.put(old, oci::media_type::kLayerTar),
                          target = store.put(blob, oci::media_type::kLayerZstd);
    const oci::Descriptor bases[] = {base};
    const auto delta = make_delta({.target = target,
                                   .from = store,
                                   .bases = bases,
                                   .old = store,
                                   .payloads = store,
                                   .scratch = scratch.path() / "work"},
                                  {});
    if (!delta) std::abort();
    made = *delta;
    memory.blobs[base.digest] = old;
    const std::string payload = store.read(made.payload, 1 << 20);
    std::uint64_t packed = 0;
    for (std::size_t i = 4; i-- > 0;)
      packed = packed << 8 | static_cast<unsigned char>(payload[kDeltaMagic.size() + i]);
    const std::string_view rest = std::string_view(payload).substr(kDeltaMagic.size() + 4);
    head = unpack_frame(rest.substr(0, packed), kMaximumHead, "head");
    streams = rest.substr(packed);
    made.rebuilt.scratch += 1 << 20;
  }

  std::string with(std::string_view new_head, std::string_view new_streams) const {
    PackedText packed(1);
    packed.append(new_head);
    const std::string& frame = packed.finish();
    std::string payload(kDeltaMagic);
    for (int i = 0; i < 4; ++i) payload += static_cast<char>(frame.size() >> 8 * i & 0xFF);
    return payload + frame + std::string(new_streams);
  }

  void apply(std::string payload) {
    memory.blobs[made.payload.digest] = std::move(payload);
    const BlobSize bases[] = {{made.rebuilt.bases.front(), old.size()}};
    StringSink out;
    try {
      rebuild({.rebuilt = made.rebuilt,
               .payload_size = made.payload.size,
               .bases = bases,
               .payloads = memory,
               .old = memory,
               .scratch = scratch.path() / "work"},
              out, {});
      if (out.text != blob) std::abort();
    } catch (const Error& error) {
      if (error.exit() != Exit::refused || out.text.size() > blob.size()) std::abort();
    }
  }

  void apply_tar_diff_of(std::string_view operations) const {
    StringSink payload;
    payload.write(bytes_of(kTarDiffMagic));
    FrameSink packed(payload, 1, 18);
    packed.write(bytes_of(operations));
    packed.finish();
    const Bytes tars[] = {bytes_of(old)};
    StringSource source(payload.text);
    StringSink out;
    constexpr std::uint64_t kLimit = 1 << 20;
    try {
      apply_tar_diff(source, UnpackedTars(tars), out, kLimit);
    } catch (const Error& error) {
      if (error.exit() != Exit::refused) std::abort();
    }
    if (out.text.size() > kLimit) std::abort();
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Sound sound;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (*data) {
    case 'h':
      sound.apply(sound.with(bytes, sound.streams));
      break;
    case 'c':
      sound.apply(sound.with(sound.head, bytes));
      break;
    case 't':
      sound.apply_tar_diff_of(bytes);
      break;
    default:
      sound.apply(std::string(bytes));
  }
  return 0;
}
