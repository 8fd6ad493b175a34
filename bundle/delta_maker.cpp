#include "bundle/delta_maker.hpp"

#include <algorithm>
#include <deque>
#include <tuple>

#include "base/error.hpp"
#include "base/text.hpp"
#include "base/zstd_frames.hpp"
#include "bundle/delta_payload.hpp"
#include "bundle/differences.hpp"
#include "bundle/file_pairs.hpp"
#include "bundle/matches.hpp"

namespace whittle::bundle {

namespace {

constexpr std::string_view kCompressionKey = "io.whittle.compression";

// Files above this are compared piece by piece, each with what lies around the same place of the old one.
constexpr std::size_t kComparedWhole = 256 << 20, kPiece = 64 << 20, kAround = 96 << 20;
// Equal bytes that are not worth a look at each by the device. The coder takes a thousandth of a bit for each
// otherwise.
constexpr std::uint64_t kCopied = 16 << 10;
// Old bytes between two that are needed: cheaper kept than told of.
constexpr std::uint64_t kGap = 4 << 10;
// Inserted bytes are compressed with level 19 up to here, beyond it takes minutes.
constexpr std::uint64_t kCompressedWell = 64 << 20;
// What a delta must save at least, for rebuilding takes the device time and room.
constexpr std::uint64_t kWorthAFraction = 16;
constexpr std::size_t kBuffer = 64 << 10;

// A layer in its parts.
class Parts {
 public:
  explicit Parts(const fs::path& scratch)
      : files_{ScratchFile(scratch), ScratchFile(scratch), ScratchFile(scratch), ScratchFile(scratch)} {}

  LayerPartSinks sinks() {
    LayerPartSinks sinks{};
    for (std::size_t i = 0; i < kLayerParts; ++i) sinks[i] = &files_[i];
    return sinks;
  }
  void read() {
    for (std::size_t i = 0; i < kLayerParts; ++i) bytes[i] = files_[i].map();
    entries = tar_entries(tar());
  }
  Bytes tar() const { return bytes[static_cast<std::size_t>(LayerPart::tar)]; }
  TarView view() const { return {tar(), entries}; }

  std::array<Bytes, kLayerParts> bytes;
  std::vector<TarEntry> entries;

 private:
  std::array<ScratchFile, kLayerParts> files_;
};

struct OldPlace {
  std::uint32_t base = 0;
  LayerPart part = LayerPart::tar;
  std::uint64_t offset = 0;
};

// So many bytes of the result resemble old ones.
struct Run {
  std::uint64_t fresh = 0;
  OldPlace old;
  std::uint64_t size = 0;
};

class Comparison {
 public:
  Comparison(const Parts& target, const std::deque<Parts>& bases, std::stop_token stop)
      : target_(target), bases_(bases), stop_(std::move(stop)) {
    std::uint64_t at = 0;
    for (std::size_t i = 0; i < kLayerParts; ++i) {
      begins_[i] = at;
      at += target.bytes[i].size();
    }
  }

  std::vector<Run> run() {
    compare_files();
    compare_tables();
    std::sort(runs_.begin(), runs_.end(), [](const Run& one, const Run& other) { return one.fresh < other.fresh; });
    std::vector<Run> joined;
    for (const Run& run : runs_) {
      const bool goes_on = !joined.empty() && joined.back().fresh + joined.back().size == run.fresh &&
                           joined.back().old.base == run.old.base && joined.back().old.part == run.old.part &&
                           joined.back().old.offset + joined.back().size == run.old.offset;
      if (goes_on) {
        joined.back().size += run.size;
      } else {
        joined.push_back(run);
      }
    }
    return joined;
  }

 private:
  void check_stop() const {
    if (stop_.stop_requested()) throw Error(Exit::transient, "stopped while making a delta");
  }

  void compare_files() {
    std::vector<TarView> old;
    for (const Parts& base : bases_) old.push_back(base.view());
    taken_.resize(bases_.size());
    const TarView fresh = target_.view();
    const std::vector<std::optional<Pair>> pairs = pair_files(old, fresh);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      if (!pairs[i]) continue;
      check_stop();
      const TarEntry& entry = fresh.entries[i];
      const auto base = static_cast<std::uint32_t>(pairs[i]->tar);
      const TarEntry& other = old[base].entries[pairs[i]->entry];
      // Headers of one length are alike, whosever they are.
      const std::uint64_t header = entry.content - entry.begin;
      if (header == other.content - other.begin) add(entry.begin, {base, LayerPart::tar, other.begin}, header);
      if (entry.end == entry.content) continue;
      taken_[base] += entry.size;
      if (pairs[i]->is_equal && other.end - other.content == entry.end - entry.content) {
        add(entry.content, {base, LayerPart::tar, other.content}, entry.end - entry.content);
      } else {
        compare(LayerPart::tar, entry.content, entry.end - entry.content, {base, LayerPart::tar, other.content},
                other.end - other.content);
      }
    }
  }

  // Sizes, rest and texts resemble those of the base that most was taken from.
  void compare_tables() {
    const auto most = std::max_element(taken_.begin(), taken_.end());
    if (most == taken_.end() || *most == 0) return;
    const auto base = static_cast<std::uint32_t>(most - taken_.begin());
    for (const LayerPart part : {LayerPart::sizes, LayerPart::rest, LayerPart::texts}) {
      const auto index = static_cast<std::size_t>(part);
      compare(part, 0, target_.bytes[index].size(), {base, part, 0}, bases_[base].bytes[index].size());
    }
  }

  void compare(LayerPart part, std::uint64_t offset, std::uint64_t size, OldPlace old, std::uint64_t old_size) {
    const auto index = static_cast<std::size_t>(part);
    const Bytes fresh = target_.bytes[index].subspan(offset, size);
    const Bytes before = bases_[old.base].bytes[static_cast<std::size_t>(old.part)].subspan(old.offset, old_size);
    if (before.size() <= kComparedWhole) {
      compare(begins_[index] + offset, fresh, old, before);
      return;
    }
    for (std::size_t at = 0; at < fresh.size(); at += kPiece) {
      const auto middle = static_cast<std::size_t>(static_cast<double>(at) / static_cast<double>(fresh.size()) *
                                                   static_cast<double>(before.size()));
      const std::size_t begin = middle < kAround ? 0 : middle - kAround;
      const Bytes window = before.subspan(begin, std::min(before.size() - begin, 2 * kAround + kPiece));
      compare(begins_[index] + offset + at, fresh.subspan(at, std::min(kPiece, fresh.size() - at)),
              {old.base, old.part, old.offset + begin}, window);
    }
  }

  void compare(std::uint64_t place, Bytes fresh, OldPlace old, Bytes before) {
    check_stop();
    const std::vector<Match> matches = find_matches(before, fresh);
    std::uint64_t equal = 0;
    for (const Match& match : matches) {
      for (std::uint64_t i = 0; i < match.size; ++i) equal += before[match.old + i] == fresh[match.fresh + i] ? 1 : 0;
    }
    // Files that have little in common are told in fewer bytes by themselves.
    if (equal < fresh.size() / 4) return;
    for (const Match& match : matches) {
      runs_.push_back({place + match.fresh, {old.base, old.part, old.offset + match.old}, match.size});
    }
  }

  void add(std::uint64_t offset, OldPlace old, std::uint64_t size) {
    runs_.push_back({begins_[static_cast<std::size_t>(LayerPart::tar)] + offset, old, size});
  }

  const Parts& target_;
  const std::deque<Parts>& bases_;
  std::stop_token stop_;
  std::array<std::uint64_t, kLayerParts> begins_{};
  std::vector<Run> runs_;
  std::vector<std::uint64_t> taken_;  // bytes from each base
};

auto order_of(const OldPlace& place) {
  return std::tuple(place.base, place.part, place.offset);
}

// The old bytes that runs need, those in between where that is less to say.
std::vector<OldExtent> extents_of(const std::vector<Run>& runs) {
  std::vector<Run> sorted = runs;
  std::sort(sorted.begin(), sorted.end(),
            [](const Run& one, const Run& other) { return order_of(one.old) < order_of(other.old); });
  std::vector<OldExtent> extents;
  for (std::uint64_t gap = kGap;; gap *= 4) {
    extents.clear();
    for (const Run& run : sorted) {
      OldExtent* const last = extents.empty() ? nullptr : &extents.back();
      const bool joins = last != nullptr && last->base == run.old.base && last->part == run.old.part &&
                         run.old.offset <= last->offset + last->size + gap;
      if (joins) {
        last->size = std::max(last->size, run.old.offset + run.size - last->offset);
      } else {
        extents.push_back({run.old.base, run.old.part, run.old.offset, run.size});
      }
    }
    if (extents.size() <= kMaximumExtents / 10) return extents;
  }
}

// Where each run's old bytes lie among those that are kept.
class Places {
 public:
  explicit Places(const std::vector<OldExtent>& extents) : extents_(extents) {
    std::uint64_t at = 0;
    for (const OldExtent& extent : extents) {
      begins_.push_back(at);
      at += extent.size;
    }
  }
  std::uint64_t of(const OldPlace& place) const {
    const auto after =
        std::upper_bound(extents_.begin(), extents_.end(), place, [](const OldPlace& one, const OldExtent& other) {
          return order_of(one) < std::tuple(other.base, other.part, other.offset);
        });
    const auto index = static_cast<std::size_t>(after - extents_.begin()) - 1;
    return begins_[index] + place.offset - extents_[index].offset;
  }

 private:
  const std::vector<OldExtent>& extents_;
  std::vector<std::uint64_t> begins_;
};

// Writes the records of `delta_payload.hpp`.
class Coding {
 public:
  Coding(OldBytes& old, Sink& coded, Sink& inserted)
      : encoder_(coded), inserted_(inserted), old_(old), old_bytes_(old.file().map()) {}

  void insert(Bytes bytes) {
    inserted_.write(bytes);
    pending_insert_ += bytes.size();
    inserted_size_ += bytes.size();
  }
  void run(std::uint64_t place, Bytes fresh) {
    std::size_t at = 0;
    while (at < fresh.size()) {
      std::size_t add = 0, copy = 0;
      while (at + add < fresh.size()) {
        const std::size_t equal = equal_from(place + at + add, fresh.subspan(at + add));
        if (equal >= kCopied) {
          copy = equal;
          break;
        }
        add += equal;
        if (at + add < fresh.size()) ++add;
      }
      record(place + at, fresh.subspan(at, add), copy);
      at += add + copy;
    }
  }
  void finish() {
    if (pending_insert_ > 0) record(last_, {}, 0);
    encoder_.finish();
    inserted_.finish();
  }
  std::uint64_t inserted_size() const { return inserted_size_; }

 private:
  std::size_t equal_from(std::uint64_t place, Bytes fresh) const {
    const Bytes old = old_bytes_.subspan(place, fresh.size());
    return static_cast<std::size_t>(std::mismatch(fresh.begin(), fresh.end(), old.begin()).first - fresh.begin());
  }
  void record(std::uint64_t place, Bytes add, std::uint64_t copy) {
    encoder_.number(DeltaNumber::insert, std::exchange(pending_insert_, 0));
    encoder_.number(DeltaNumber::seek, place >= last_ ? 2 * (place - last_) : 2 * (last_ - place) - 1);
    encoder_.number(DeltaNumber::copy, copy);
    encoder_.number(DeltaNumber::add, add.size());
    last_ = place + add.size() + copy;
    while (!add.empty()) {
      const Bytes now = add.first(std::min(add.size(), kBuffer));
      around_.resize(now.size() + kOldBefore + kOldAfter);
      old_.read(static_cast<std::int64_t>(place) - static_cast<std::int64_t>(kOldBefore), around_);
      encoder_.differences(around_, place, now);
      place += now.size();
      add = add.subspan(now.size());
    }
  }

  DifferenceEncoder encoder_;
  Sink& inserted_;
  const OldBytes& old_;
  const Bytes old_bytes_;
  std::vector<std::byte> around_;
  std::uint64_t last_ = 0, pending_insert_ = 0, inserted_size_ = 0;
};

std::string packed_head(const DeltaHead& head) {
  PackedText packed(19);
  packed.append(head.encode());
  return packed.finish();
}

class Maker {
 public:
  Maker(const DeltaTask& task, std::stop_token stop) : task_(task), stop_(std::move(stop)), target_(task.scratch) {}

  std::optional<MadeDelta> make() {
    if (!take_target_apart()) return std::nullopt;
    take_bases_apart();
    const std::vector<Run> runs = Comparison(target_, bases_, stop_).run();
    if (runs.empty()) return std::nullopt;
    DeltaHead head{.compressor = map_.packs() ? compressor_version() : "", .map = map_};
    for (std::size_t i = 0; i < kLayerParts; ++i) head.sizes[i] = target_.bytes[i].size();
    head.extents = renumbered(extents_of(runs));

    ScratchFile coded(task_.scratch), inserted(task_.scratch);
    write_streams(head, runs, coded, inserted);
    head.coded = coded.size();
    const std::string packed = packed_head(head);
    const std::uint64_t size = kDeltaMagic.size() + 4 + packed.size() + coded.size() + inserted.size();
    if (size >= task_.target.size - task_.target.size / kWorthAFraction || packed.size() > kMaximumHead)
      return std::nullopt;
    return try_out(write_payload(packed, coded, inserted), head);
  }

 private:
  bool take_target_apart() {
    const auto compression = task_.target.annotations.find(std::string(kCompressionKey));
    const std::optional<int> level =
        compression == task_.target.annotations.end() ? std::nullopt : level_in(compression->second);
    const std::unique_ptr<Source> blob = task_.from.open(task_.target);
    const std::optional<FrameMap> map =
        map_frames(*blob, level, target_.sinks(), cat("the layer ", task_.target.digest.str()));
    if (!map) return false;
    map_ = *map;
    target_.read();
    return true;
  }

  void take_bases_apart() {
    for (const oci::Descriptor& base : task_.bases) {
      if (stop_.stop_requested()) throw Error(Exit::transient, "stopped while making a delta");
      Parts& parts = bases_.emplace_back(task_.scratch);
      const std::unique_ptr<Source> blob = task_.old.open(base);
      try {
        take_apart(*blob, parts.sinks(), cat("the layer ", base.digest.str()));
        parts.read();
      } catch (const Error& error) {
        // A layer that needs more memory than a device gives, or that only others can read.
        if (error.exit() != Exit::registry_content) throw;
      }
    }
  }

  // Bases that nothing is taken from are left out.
  std::vector<OldExtent> renumbered(std::vector<OldExtent> extents) {
    for (OldExtent& extent : extents) {
      if (used_.empty() || used_.back() != extent.base) used_.push_back(extent.base);
      extent.base = static_cast<std::uint32_t>(used_.size() - 1);
    }
    return extents;
  }

  void write_streams(const DeltaHead& head, const std::vector<Run>& runs, Sink& coded, Sink& inserted) {
    OldBytes old(head.extents, task_.scratch);
    for (std::uint32_t i = 0; i < used_.size(); ++i) {
      const oci::Descriptor& base = task_.bases[used_[i]];
      old.add(i, *task_.old.open(base), cat("the layer ", base.digest.str()));
    }
    std::vector<std::uint32_t> number(task_.bases.size());
    for (std::uint32_t i = 0; i < used_.size(); ++i) number[used_[i]] = i;
    const Places places(head.extents);

    std::uint64_t total = 0, matched = 0;
    for (const std::uint64_t size : head.sizes) total += size;
    for (const Run& run : runs) matched += run.size;
    FrameSink packed(inserted, total - matched <= kCompressedWell ? 19 : 9, kInsertWindow);
    Coding coding(old, coded, packed);
    std::uint64_t at = 0;
    const auto insert_up_to = [&](std::uint64_t end) {
      for_each_part(at, end - at, [&](Bytes bytes) { coding.insert(bytes); });
      at = end;
    };
    for (const Run& run : runs) {
      if (stop_.stop_requested()) throw Error(Exit::transient, "stopped while making a delta");
      insert_up_to(run.fresh);
      std::uint64_t place = places.of({number[run.old.base], run.old.part, run.old.offset});
      for_each_part(at, run.size, [&](Bytes bytes) {
        coding.run(place, bytes);
        place += bytes.size();
      });
      at += run.size;
    }
    insert_up_to(total);
    coding.finish();
  }

  // The pieces of the result, which is the target's parts one after another.
  template <class Use>
  void for_each_part(std::uint64_t at, std::uint64_t size, Use&& use) const {
    std::uint64_t begin = 0;
    for (const Bytes part : target_.bytes) {
      const std::uint64_t end = begin + part.size();
      const std::uint64_t from = std::max(at, begin), to = std::min(at + size, end);
      if (from < to) use(part.subspan(from - begin, to - from));
      begin = end;
    }
  }

  oci::Descriptor write_payload(const std::string& head, ScratchFile& coded, ScratchFile& inserted) {
    oci::BlobStore::Writer writer(task_.payloads);
    writer.write(bytes_of(kDeltaMagic));
    std::string size;
    for (int i = 0; i < 4; ++i) size += static_cast<char>(head.size() >> 8 * i & 0xFF);
    writer.write(bytes_of(size));
    writer.write(bytes_of(head));
    writer.write(coded.map());
    writer.write(inserted.map());
    return writer.commit(kDeltaType);
  }

  std::optional<MadeDelta> try_out(const oci::Descriptor& payload, const DeltaHead& head) {
    MadeDelta made{.rebuilt = {.blob = {task_.target.digest, task_.target.size},
                               .payload = payload.digest,
                               .bases = {},
                               .compressor = head.compressor,
                               .scratch = head.old_size() + head.sizes[0] + head.sizes[1] + head.sizes[2]},
                   .payload = payload};
    std::vector<BlobSize> bases;
    for (const std::uint32_t base : used_) {
      bases.push_back({task_.bases[base].digest, task_.bases[base].size});
      made.rebuilt.bases.push_back(task_.bases[base].digest);
    }
    HashSink nowhere;
    try {
      rebuild({.rebuilt = made.rebuilt,
               .payload_size = made.payload.size,
               .bases = bases,
               .payloads = task_.payloads,
               .old = task_.old,
               .scratch = task_.scratch},
              nowhere, stop_);
    } catch (const Error& error) {
      if (error.exit() != Exit::refused) throw;
      task_.payloads.remove(made.payload.digest);
      return std::nullopt;
    }
    return made;
  }

  const DeltaTask& task_;
  std::stop_token stop_;
  Parts target_;
  FrameMap map_;
  std::deque<Parts> bases_;
  std::vector<std::uint32_t> used_;  // bases, by their number in the payload
};

}  // namespace

std::optional<MadeDelta> make_delta(const DeltaTask& task, std::stop_token stop) {
  return with_context(cat("cannot make a delta for the layer ", task.target.digest.str()),
                      [&] { return Maker(task, std::move(stop)).make(); });
}

}  // namespace whittle::bundle
