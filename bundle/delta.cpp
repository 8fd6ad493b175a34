#include "bundle/delta.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "base/zstd_frames.hpp"
#include "bundle/delta_payload.hpp"
#include "bundle/differences.hpp"

namespace whittle::bundle {

namespace {

constexpr std::size_t kBuffer = 64 << 10;
// What a layer may unpack to, as of archives: a delta for a small blob must not keep a device busy for hours.
constexpr std::uint64_t kUnpacked = 16 << 20, kRatio = 2000;

Error damaged(std::string cause) {
  return Error(Exit::refused, "the delta is damaged").cause(std::move(cause));
}

// At most so many bytes of a source.
class LimitedSource : public Source {
 public:
  LimitedSource(Source& source, std::uint64_t left) : source_(source), left_(left) {}
  std::size_t read(std::span<std::byte> room) override {
    const std::size_t size = source_.read(room.first(std::min<std::uint64_t>(room.size(), left_)));
    left_ -= size;
    return size;
  }

 private:
  Source& source_;
  std::uint64_t left_;
};

std::string take(Source& source, std::uint64_t size) {
  std::string text;
  std::vector<std::byte> buffer(std::min<std::uint64_t>(size, kBuffer));
  while (text.size() < size) {
    const std::size_t now =
        source.read(std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), size - text.size())));
    if (now == 0) throw damaged("it ends too early");
    text += text_of(std::span(buffer).first(now));
  }
  return text;
}

void pass_over(Source& source, std::uint64_t size) {
  std::vector<std::byte> buffer(kBuffer);
  while (size > 0) {
    const std::size_t now = source.read(std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), size)));
    if (now == 0) throw damaged("it ends too early");
    size -= now;
  }
}

// The payload after its head.
std::string take_head(Source& payload) {
  if (take(payload, kDeltaMagic.size()) != kDeltaMagic) throw damaged("it does not begin as a delta does");
  const std::string size = take(payload, 4);
  std::uint64_t packed = 0;
  for (std::size_t i = 4; i-- > 0;) packed = packed << 8 | static_cast<unsigned char>(size[i]);
  if (packed > kMaximumHead) throw damaged("its head is too long");
  return take(payload, packed);
}

DeltaHead decode_head(std::string_view packed) {
  try {
    return DeltaHead::decode(unpack_frame(packed, kMaximumHead, "the head of a delta"));
  } catch (const Error& error) {
    if (error.exit() == Exit::refused) throw;
    throw damaged(error.message());
  }
}

// Refuses more bytes than the blob has; hashes.
class BlobOut : public Sink {
 public:
  BlobOut(Sink& out, std::uint64_t limit) : out_(out), limit_(limit) {}
  void write(Bytes bytes) override {
    if (bytes.size() > limit_ - hash_.size()) throw damaged("it makes more bytes than the blob has");
    hash_.write(bytes);
    out_.write(bytes);
  }
  const HashSink& hash() const { return hash_; }

 private:
  Sink& out_;
  const std::uint64_t limit_;
  HashSink hash_;
};

// Sizes, rest and texts are needed while the tar comes, so they are kept; the tar is packed at once.
class PartsSink : public Sink {
 public:
  PartsSink(const DeltaHead& head, const fs::path& scratch, Sink& out)
      : head_(head), kept_(scratch), out_(out), kept_size_(head.sizes[0] + head.sizes[1] + head.sizes[2]) {
    if (kept_size_ == 0) begin_tar();
  }

  void write(Bytes bytes) override {
    if (!packer_) {
      const Bytes now = bytes.first(std::min<std::uint64_t>(bytes.size(), kept_size_ - kept_.size()));
      kept_.write(now);
      bytes = bytes.subspan(now.size());
      if (kept_.size() == kept_size_) begin_tar();
    }
    if (!bytes.empty()) packer_->write(bytes);
  }
  void finish() override { packer_->finish(); }

 private:
  void begin_tar() {
    std::uint64_t at = 0;
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      sources_[i].emplace(kept_, at, head_.sizes[i]);
      at += head_.sizes[i];
    }
    packer_.emplace(head_.map, *sources_[0], *sources_[1], *sources_[2], out_);
  }

  const DeltaHead& head_;
  ScratchFile kept_;
  Sink& out_;
  const std::uint64_t kept_size_;
  std::array<std::optional<ScratchSource>, 3> sources_;
  std::optional<BlobPacker> packer_;
};

class Applier {
 public:
  Applier(Source& coded, Source& inserted, const OldBytes& old, std::uint64_t size, Sink& out, std::stop_token stop)
      : decoder_(coded),
        inserted_(inserted, "what the delta inserts", nullptr, kInsertWindow),
        old_(old),
        left_(size),
        out_(out),
        stop_(std::move(stop)),
        buffer_(kBuffer),
        around_(kBuffer + kOldBefore + kOldAfter) {}

  void run() {
    while (left_ > 0) {
      const std::uint64_t insert = decoder_.number(DeltaNumber::insert), seek = decoder_.number(DeltaNumber::seek),
                          copy = decoder_.number(DeltaNumber::copy), add = decoder_.number(DeltaNumber::add);
      if (insert > left_ || add > left_ - insert || copy > left_ - insert - add || insert + add + copy == 0) {
        throw damaged("it makes more bytes than it says");
      }
      append_inserted(insert);
      position_ += seek % 2 == 0 ? seek / 2 : ~(seek / 2);
      if (add + copy > 0 && (position_ > old_.size() || add + copy > old_.size() - position_)) {
        throw damaged("it reads where nothing is");
      }
      append_old(add, true);
      append_old(copy, false);
    }
  }

 private:
  void append_inserted(std::uint64_t size) {
    while (size > 0) {
      const std::size_t now = read_inserted(std::span(buffer_).first(std::min<std::uint64_t>(size, buffer_.size())));
      append(now);
      size -= now;
    }
  }
  std::size_t read_inserted(std::span<std::byte> room) try {
    std::size_t size = 0;
    while (size == 0) {
      if (is_in_frame_) size = inserted_.read(room);
      if (size == 0 && !(is_in_frame_ = inserted_.next())) throw damaged("it ends too early");
    }
    return size;
  } catch (const Error& error) {
    if (error.exit() != Exit::registry_content) throw;
    throw damaged(error.causes().empty() ? error.message() : error.causes().front());
  }
  void append_old(std::uint64_t size, bool has_differences) {
    while (size > 0) {
      const std::size_t now = std::min<std::uint64_t>(size, buffer_.size());
      if (has_differences) {
        const std::span around = std::span(around_).first(now + kOldBefore + kOldAfter);
        old_.read(static_cast<std::int64_t>(position_) - static_cast<std::int64_t>(kOldBefore), around);
        decoder_.differences(around, position_, std::span(buffer_).first(now));
      } else {
        old_.read(static_cast<std::int64_t>(position_), std::span(buffer_).first(now));
      }
      append(now);
      position_ += now;
      size -= now;
    }
  }
  void append(std::size_t size) {
    if (stop_.stop_requested()) throw Error(Exit::transient, "stopped while rebuilding a layer");
    out_.write(std::span(buffer_).first(size));
    left_ -= size;
  }

  DifferenceDecoder decoder_;
  FrameReader inserted_;
  const OldBytes& old_;
  std::uint64_t left_, position_ = 0;
  Sink& out_;
  std::stop_token stop_;
  std::vector<std::byte> buffer_, around_;
  bool is_in_frame_ = false;
};

void rebuild_blob(const RebuildTask& task, Sink& out, const std::stop_token& stop) {
  const Rebuilt& rebuilt = task.rebuilt;
  const oci::Descriptor payload{
      .media_type = std::string(kDeltaType), .digest = rebuilt.payload, .size = task.payload_size};
  const std::unique_ptr<Source> first = task.payloads.open(payload), second = task.payloads.open(payload);
  const std::string packed_head = take_head(*first);
  const DeltaHead head = decode_head(packed_head);
  if (head.compressor != rebuilt.compressor || (head.map.packs() && head.compressor != compressor_version())) {
    throw damaged("it was made for another compressor than was said");
  }
  std::uint64_t kept = head.old_size();
  for (std::size_t i = 0; i + 1 < kLayerParts; ++i) kept += head.sizes[i];
  std::uint64_t size = 0;
  for (const std::uint64_t part : head.sizes) size += part;
  if (size > std::max(kUnpacked, rebuilt.blob.size * kRatio)) throw damaged("it unpacks to more than any layer does");
  if (kept > rebuilt.scratch) throw damaged("it would take more room than was said");
  if (!head.extents.empty() && head.extents.back().base >= task.bases.size()) throw damaged("it has too few bases");

  OldBytes old(head.extents, task.scratch);
  for (std::uint32_t base = 0; base < task.bases.size(); ++base) {
    if (!old.needs(base)) continue;
    if (stop.stop_requested()) throw Error(Exit::transient, "stopped while rebuilding a layer");
    const BlobSize& one = task.bases[base];
    const std::unique_ptr<Source> blob = task.old.open({.media_type = {}, .digest = one.digest, .size = one.size});
    old.add(base, *blob, cat("the layer ", one.digest.str()));
  }

  pass_over(*second, kDeltaMagic.size() + 4 + packed_head.size() + head.coded);
  LimitedSource coded(*first, head.coded);
  BlobOut blob(out, rebuilt.blob.size);
  PartsSink parts(head, task.scratch, blob);
  Applier(coded, *second, old, size, parts, stop).run();
  parts.finish();
  if (blob.hash().size() != rebuilt.blob.size || blob.hash().digest() != rebuilt.blob.digest) {
    throw damaged("what came out is another blob");
  }
}

}  // namespace

void check_compressor(const Rebuilt& rebuilt) {
  if (rebuilt.compressor.empty() || rebuilt.compressor == compressor_version()) return;
  throw Error(Exit::refused, cat("the layer ", rebuilt.blob.digest.str(), " cannot be made here"))
      .detail(cat("it was compressed by ", rebuilt.compressor, ", and this program has ", compressor_version()))
      .hint("make the delta from a receipt of this device: it names the compressor");
}

void rebuild(const RebuildTask& task, Sink& out, std::stop_token stop) {
  check_compressor(task.rebuilt);
  with_context(cat("cannot rebuild the layer ", task.rebuilt.blob.digest.str()),
               [&] { rebuild_blob(task, out, stop); });
}

void rebuild(const RebuildTask& task, oci::BlobStore& store, std::stop_token stop) {
  check_compressor(task.rebuilt);
  oci::BlobStore::Writer writer(store);
  rebuild(task, writer, std::move(stop));
  writer.commit({.media_type = {}, .digest = task.rebuilt.blob.digest, .size = task.rebuilt.blob.size});
}

}  // namespace whittle::bundle
