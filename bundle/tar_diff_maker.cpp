#include "bundle/tar_diff_maker.hpp"

#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "base/text.hpp"
#include "base/zstd_frames.hpp"
#include "bundle/matches.hpp"
#include "bundle/varint.hpp"

namespace whittle::bundle {

namespace {

enum class Operation : char { data = 0, open = 1, copy = 2, add = 3, seek = 4 };

constexpr int kWindow = 23;
// Above this level 22 takes minutes.
constexpr std::size_t kCompressedBest = 64 << 20;
// Larger files are not compared, only copied when they are equal.
constexpr std::uint64_t kCompared = 256 << 20;
// Readers hold what is added in memory.
constexpr std::size_t kLongestAdd = 4 << 20;
// Equal bytes that are copied. Added as zeros they cost more: two operations of a few bytes each pack better than what
// lies between differences.
constexpr std::size_t kCopied = 4;

class View : public OldFile {
 public:
  explicit View(Bytes bytes) : bytes_(bytes) {}
  std::uint64_t size() const override { return bytes_.size(); }
  void read_at(std::uint64_t position, std::span<std::byte> room) const override {
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(position), room.size(), room.begin());
  }

 private:
  Bytes bytes_;
};

std::string_view folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

// What lies at each path when layers are put one over another.
class Merged {
 public:
  struct Place {
    std::size_t tar = 0, entry = 0;
  };

  void add(std::size_t tar, std::span<const TarEntry> entries) {
    constexpr std::string_view kWhiteout = ".wh.", kOpaque = ".wh..wh..opq";
    // Whiteouts are of what lies below, wherever they stand in a layer.
    for (const TarEntry& entry : entries) {
      const std::string_view folder = folder_of(entry.name);
      const std::string name = last_part(entry.name);
      if (name == kOpaque) {
        remove_below(std::string(folder));
      } else if (name.starts_with(kWhiteout)) {
        const std::string hidden = name.substr(kWhiteout.size());
        remove(folder.empty() ? hidden : cat(folder, '/', hidden));
      }
    }
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const TarEntry& entry = entries[i];
      if (entry.name.empty() || last_part(entry.name).starts_with(kWhiteout)) continue;
      if (entry.type != '5') remove_below(entry.name);
      types_[entry.name] = entry.type;
      places_[entry.name] = {tar, i};
    }
  }

  // In the order of paths.
  template <class Use>
  void for_each_file(Use&& use) const {
    for (const auto& [path, place] : places_) {
      if (is_below_folders(path)) use(place);
    }
  }

 private:
  void remove(const std::string& path) {
    places_.erase(path);
    types_.erase(path);
    remove_below(path);
  }
  void remove_below(const std::string& path) {
    const auto erase = [&](auto& map) {
      if (path.empty()) {
        map.clear();
        return;
      }
      map.erase(map.lower_bound(path + '/'), map.lower_bound(path + static_cast<char>('/' + 1)));
    };
    erase(places_);
    erase(types_);
  }
  bool is_below_folders(std::string_view path) const {
    for (std::string_view folder = folder_of(path); !folder.empty(); folder = folder_of(folder)) {
      const auto found = types_.find(folder);
      if (found != types_.end() && found->second != '5') return false;
    }
    return true;
  }

  std::map<std::string, Place, std::less<>> places_;
  std::map<std::string, char, std::less<>> types_;
};

class Writer {
 public:
  explicit Writer(Sink& out) : out_(out) {}

  void data(Bytes bytes) { pending_.insert(pending_.end(), bytes.begin(), bytes.end()); }
  void open(const std::string& name) {
    if (name == file_) return;
    write(Operation::open, name.size(), bytes_of(name));
    file_ = name;
    position_ = 0;
  }
  void copy(std::uint64_t position, std::uint64_t size) {
    seek(position);
    write(Operation::copy, size, {});
    position_ += size;
  }
  void add(std::uint64_t position, Bytes old, Bytes fresh) {
    seek(position);
    for (std::size_t at = 0; at < fresh.size(); at += kLongestAdd) {
      const std::size_t size = std::min(kLongestAdd, fresh.size() - at);
      std::vector<std::byte> differences(size);
      for (std::size_t i = 0; i < size; ++i) {
        differences[i] =
            static_cast<std::byte>(std::to_integer<unsigned>(fresh[at + i]) - std::to_integer<unsigned>(old[at + i]));
      }
      write(Operation::add, size, differences);
      position_ += size;
    }
  }
  void finish() {
    flush();
    out_.finish();
  }

 private:
  void seek(std::uint64_t position) {
    if (position == position_) return;
    write(Operation::seek, position, {});
    position_ = position;
  }
  void flush() {
    if (pending_.empty()) return;
    const std::vector<std::byte> bytes = std::exchange(pending_, {});
    write(Operation::data, bytes.size(), bytes);
  }
  void write(Operation operation, std::uint64_t size, Bytes bytes) {
    flush();
    std::string head(1, static_cast<char>(operation));
    append_varint(head, size);
    out_.write(bytes_of(head));
    if (!bytes.empty()) out_.write(bytes);
  }

  Sink& out_;
  std::string file_;
  std::uint64_t position_ = 0;
  std::vector<std::byte> pending_;
};

void write_match(Writer& writer, const Match& match, Bytes old, Bytes fresh) {
  const Bytes before = old.subspan(match.old, match.size), after = fresh.subspan(match.fresh, match.size);
  std::size_t begin = 0;
  while (begin < after.size()) {
    std::size_t end = begin, equal = 0;
    while (end < after.size()) {
      equal = static_cast<std::size_t>(std::mismatch(after.begin() + static_cast<std::ptrdiff_t>(end), after.end(),
                                                     before.begin() + static_cast<std::ptrdiff_t>(end))
                                           .first -
                                       after.begin()) -
              end;
      if (equal >= kCopied) break;
      end += equal;
      equal = 0;
      if (end < after.size()) ++end;
    }
    if (end > begin)
      writer.add(match.old + begin, before.subspan(begin, end - begin), after.subspan(begin, end - begin));
    if (equal > 0) writer.copy(match.old + end, equal);
    begin = end + equal;
  }
}

}  // namespace

UnpackedTars::UnpackedTars(std::span<const Bytes> tars) : tars_(tars.begin(), tars.end()), seen_(tars.size()) {
  std::vector<std::vector<TarEntry>> entries;
  Merged merged;
  for (std::size_t i = 0; i < tars_.size(); ++i) {
    entries.push_back(tar_entries(tars_[i]));
    merged.add(i, entries.back());
  }
  merged.for_each_file([&](const Merged::Place& place) {
    const TarEntry& entry = entries[place.tar][place.entry];
    if (entry.is_file() && entry.size > 0) seen_[place.tar].push_back(entry);
  });
}

std::unique_ptr<OldFile> UnpackedTars::open(std::string_view path) const {
  for (std::size_t i = 0; i < seen_.size(); ++i) {
    const auto found =
        std::lower_bound(seen_[i].begin(), seen_[i].end(), path,
                         [](const TarEntry& entry, std::string_view wanted) { return entry.name < wanted; });
    if (found != seen_[i].end() && found->name == path) {
      return std::make_unique<View>(tars_[i].subspan(found->content, found->size));
    }
  }
  return nullptr;
}

std::vector<TarView> UnpackedTars::views() const {
  std::vector<TarView> views;
  for (std::size_t i = 0; i < tars_.size(); ++i) views.push_back({tars_[i], seen_[i]});
  return views;
}

void write_tar_diff(Bytes tar, const UnpackedTars& old, Sink& out, const std::stop_token& stop) {
  out.write(bytes_of(kTarDiffMagic));
  FrameSink packed(out, tar.size() <= kCompressedBest ? 22 : 19, kWindow);
  Writer writer(packed);
  const std::vector<TarEntry> entries = tar_entries(tar);
  const std::vector<TarView> views = old.views();
  const auto pairs = pair_files(views, {tar, entries});
  std::uint64_t done = 0;
  const auto data_up_to = [&](std::uint64_t end) {
    writer.data(tar.subspan(done, end - done));
    done = end;
  };
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (stop.stop_requested()) throw Error(Exit::transient, "stopped while making a tar-diff");
    const TarEntry& entry = entries[i];
    if (!pairs[i] || !entry.is_file() || entry.size == 0) continue;
    const TarEntry& other = views[pairs[i]->tar].entries[pairs[i]->entry];
    const Bytes before = views[pairs[i]->tar].bytes.subspan(other.content, other.size),
                after = tar.subspan(entry.content, entry.size);
    if (pairs[i]->is_equal) {
      data_up_to(entry.content);
      writer.open(other.name);
      writer.copy(0, entry.size);
      done += entry.size;
      continue;
    }
    if (before.size() > kCompared) continue;
    for (const Match& match : find_matches(before, after)) {
      data_up_to(entry.content + match.fresh);
      writer.open(other.name);
      write_match(writer, match, before, after);
      done += match.size;
    }
  }
  data_up_to(tar.size());
  writer.finish();
}

}  // namespace whittle::bundle
