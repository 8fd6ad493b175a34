#include "bundle/delta_payload.hpp"

#include <algorithm>
#include <memory>

#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/varint.hpp"

namespace whittle::bundle {

namespace {

// As much as is unpacked of any layer, and far from overflow.
constexpr std::uint64_t kMaximumSize = 64ULL << 30;

Error broken() {
  return Error(Exit::refused, "the delta is damaged").cause("its head makes no sense");
}

// Keeps the extents of one part of one base, where each belongs in the old bytes.
class ExtentSink : public Sink {
 public:
  explicit ExtentSink(ScratchFile& file) : file_(file) {}
  void add(const OldExtent& extent, std::uint64_t place) { wanted_.push_back({extent.offset, extent.size, place}); }

  void write(Bytes bytes) override {
    const std::uint64_t begin = at_, end = at_ + bytes.size();
    at_ = end;
    while (next_ < wanted_.size()) {
      const Wanted& one = wanted_[next_];
      const std::uint64_t from = std::max(begin, one.offset), to = std::min(end, one.offset + one.size);
      if (from < to) file_.write_at(one.place + (from - one.offset), bytes.subspan(from - begin, to - from));
      if (one.offset + one.size > end) break;
      ++next_;
    }
  }
  bool is_complete() const { return next_ == wanted_.size(); }

 private:
  struct Wanted {
    std::uint64_t offset, size, place;
  };
  ScratchFile& file_;
  std::vector<Wanted> wanted_;
  std::size_t next_ = 0;
  std::uint64_t at_ = 0;
};

}  // namespace

std::string DeltaHead::encode() const {
  std::string text;
  append_varint(text, compressor.size());
  text += compressor;
  for (const std::uint64_t size : sizes) append_varint(text, size);
  append_varint(text, coded);
  append_varint(text, extents.size());
  OldExtent last;
  for (const OldExtent& extent : extents) {
    const bool goes_on = extent.base == last.base && extent.part == last.part;
    append_varint(text,
                  (std::uint64_t{extent.base} - last.base) * kLayerParts + static_cast<std::uint64_t>(extent.part));
    append_varint(text, goes_on ? extent.offset - (last.offset + last.size) : extent.offset);
    append_varint(text, extent.size);
    last = extent;
  }
  return text + map.encode();
}

DeltaHead DeltaHead::decode(std::string_view text) {
  const auto number = [&](std::uint64_t limit) {
    const std::optional<std::uint64_t> value = take_varint(text);
    if (!value || *value > limit) throw broken();
    return *value;
  };
  DeltaHead head;
  const std::uint64_t length = number(100);
  if (length > text.size()) throw broken();
  head.compressor = text.substr(0, length);
  text.remove_prefix(length);
  for (std::uint64_t& size : head.sizes) size = number(kMaximumSize);
  head.coded = number(kMaximumSize);
  const std::uint64_t count = number(kMaximumExtents);
  OldExtent last;
  std::uint64_t total = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t place = number(1 << 20);
    OldExtent extent{.base = last.base + static_cast<std::uint32_t>(place / kLayerParts),
                     .part = static_cast<LayerPart>(place % kLayerParts),
                     .offset = number(kMaximumSize),
                     .size = number(kMaximumSize)};
    if (extent.base == last.base && i > 0) {
      if (extent.part < last.part) throw broken();
      if (extent.part == last.part) extent.offset += last.offset + last.size;
    }
    total += extent.size;
    if (extent.size == 0 || extent.offset > kMaximumSize || total > kMaximumSize) throw broken();
    head.extents.push_back(extent);
    last = extent;
  }
  head.map = FrameMap::decode(text, "the delta");
  return head;
}

std::uint64_t DeltaHead::old_size() const {
  std::uint64_t total = 0;
  for (const OldExtent& extent : extents) total += extent.size;
  return total;
}

OldBytes::OldBytes(std::vector<OldExtent> extents, const fs::path& scratch)
    : extents_(std::move(extents)), file_(scratch) {
  for (const OldExtent& extent : extents_) size_ += extent.size;
}

bool OldBytes::needs(std::uint32_t base) const {
  return std::any_of(extents_.begin(), extents_.end(), [&](const OldExtent& one) { return one.base == base; });
}

void OldBytes::add(std::uint32_t base, Source& blob, std::string_view what) {
  std::vector<std::unique_ptr<ExtentSink>> sinks;
  LayerPartSinks parts{};
  for (Sink*& part : parts) {
    sinks.push_back(std::make_unique<ExtentSink>(file_));
    part = sinks.back().get();
  }
  std::uint64_t place = 0;
  for (const OldExtent& extent : extents_) {
    if (extent.base == base) sinks[static_cast<std::size_t>(extent.part)]->add(extent, place);
    place += extent.size;
  }
  take_apart(blob, parts, what);
  for (const auto& sink : sinks) {
    if (!sink->is_complete()) {
      throw Error(Exit::refused, cat("the delta is not for ", what)).cause("it reads what is not there");
    }
  }
}

void OldBytes::read(std::int64_t position, std::span<std::byte> room) const {
  const std::int64_t end = position + static_cast<std::int64_t>(room.size());
  const std::int64_t from = std::clamp<std::int64_t>(0, position, end);
  const std::int64_t to = std::clamp<std::int64_t>(static_cast<std::int64_t>(size_), from, end);
  const auto before = static_cast<std::size_t>(from - position), inside = static_cast<std::size_t>(to - from);
  std::fill(room.begin(), room.begin() + static_cast<std::ptrdiff_t>(before), std::byte{});
  if (inside > 0) file_.read_at(static_cast<std::uint64_t>(from), room.subspan(before, inside));
  std::fill(room.begin() + static_cast<std::ptrdiff_t>(before + inside), room.end(), std::byte{});
}

}  // namespace whittle::bundle
