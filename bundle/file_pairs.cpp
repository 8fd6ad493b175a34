#include "bundle/file_pairs.hpp"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "base/digest.hpp"
#include "base/text.hpp"

namespace whittle::bundle {

namespace {

// Files of unlike names are compared only when they are worth it.
constexpr std::uint64_t kLarge = 16 << 10;

Bytes content_of(const TarView& tar, const TarEntry& entry) {
  return tar.bytes.subspan(entry.content, entry.size);
}

bool is_hexadecimal(char byte) {
  return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
}

// Not wholly different in size.
bool may_resemble(std::uint64_t one, std::uint64_t other) {
  constexpr std::uint64_t kSmall = 64 << 10;
  return (one < kSmall && other < kSmall) || (one / 10 < other && other / 10 < one);
}

class FileIndex {
 public:
  FileIndex(std::span<const TarView> old, const TarView& fresh) : old_(old), fresh_(fresh) {
    std::unordered_set<std::uint64_t> sizes;
    std::unordered_set<std::string_view> paths;
    for (const TarEntry& entry : fresh.entries) {
      if (entry.is_file()) sizes.insert(entry.size);
      paths.insert(entry.name);
    }
    for (std::size_t tar = 0; tar < old.size(); ++tar) {
      for (std::size_t i = 0; i < old[tar].entries.size(); ++i) {
        const TarEntry& entry = old[tar].entries[i];
        const Place place{tar, i};
        by_path_[entry.name] = place;
        if (!entry.is_file() || entry.size == 0) continue;
        if (sizes.contains(entry.size)) by_content_[digest_of(content_of(old[tar], entry))] = place;
        by_stem_[name_stem(entry.name)].push_back(place);
        if (entry.size >= kLarge && !paths.contains(entry.name)) by_kind_[kind_of(old[tar], entry)].push_back(place);
      }
    }
  }

  std::optional<Pair> find(const TarEntry& entry) const {
    const auto same_path = by_path_.find(entry.name);
    const bool has_path = same_path != by_path_.end() && old_entry(same_path->second).type == entry.type;
    if (!entry.is_file() || entry.size == 0) {
      if (!has_path) return std::nullopt;
      return Pair{same_path->second.tar, same_path->second.entry, true};
    }
    const Bytes content = content_of(fresh_, entry);
    if (has_path) {
      const Place place = same_path->second;
      const Bytes other = content_of(old_[place.tar], old_entry(place));
      if (std::equal(content.begin(), content.end(), other.begin(), other.end()))
        return Pair{place.tar, place.entry, true};
    }
    if (const auto same = by_content_.find(digest_of(content)); same != by_content_.end()) {
      return Pair{same->second.tar, same->second.entry, true};
    }
    std::optional<Place> best;
    if (has_path && old_entry(same_path->second).size > 0 &&
        may_resemble(old_entry(same_path->second).size, entry.size)) {
      best = same_path->second;
    }
    if (!best) best = nearest_in(by_stem_, name_stem(entry.name), entry.size);
    if (!best && entry.size >= kLarge) best = nearest_in(by_kind_, kind_of(fresh_, entry), entry.size);
    if (!best) return std::nullopt;
    return Pair{best->tar, best->entry, false};
  }

 private:
  struct Place {
    std::size_t tar = 0, entry = 0;
  };
  using Places = std::map<std::string, std::vector<Place>>;

  const TarEntry& old_entry(Place place) const { return old_[place.tar].entries[place.entry]; }

  // Its first bytes, which tell programs, archives and scripts apart.
  static std::string kind_of(const TarView& tar, const TarEntry& entry) {
    return std::string(text_of(content_of(tar, entry).first(4)));
  }

  std::optional<Place> nearest_in(const Places& places, const std::string& key, std::uint64_t size) const {
    const auto found = places.find(key);
    if (found == places.end()) return std::nullopt;
    const auto distance = [&](Place place) {
      const std::uint64_t other = old_entry(place).size;
      return other > size ? other - size : size - other;
    };
    std::optional<Place> best;
    for (const Place place : found->second) {
      if (may_resemble(old_entry(place).size, size) && (!best || distance(place) <= distance(*best))) best = place;
    }
    return best;
  }

  std::span<const TarView> old_;
  const TarView& fresh_;
  std::unordered_map<std::string_view, Place> by_path_;
  std::unordered_map<Digest, Place> by_content_;
  Places by_stem_, by_kind_;
};

}  // namespace

std::string name_stem(std::string_view path) {
  const std::string name = last_part(path);
  std::string stem;
  for (std::size_t i = 0; i < name.size();) {
    std::size_t end = i;
    bool has_digit = false;
    while (end < name.size() && is_hexadecimal(name[end])) has_digit |= name[end++] <= '9';
    const bool is_digits =
        end > i && std::all_of(name.begin() + static_cast<std::ptrdiff_t>(i),
                               name.begin() + static_cast<std::ptrdiff_t>(end), [](char byte) { return byte <= '9'; });
    if (is_digits || (has_digit && end - i >= 6)) {
      if (!stem.ends_with('#')) stem += '#';
      i = end;
    } else if (end > i) {
      stem += name.substr(i, end - i);
      i = end;
    } else {
      // Between numbers a point says nothing: 1.2 and 1.2.3 are one kind of name.
      const bool is_point =
          name[i] == '.' && stem.ends_with('#') && i + 1 < name.size() && name[i + 1] >= '0' && name[i + 1] <= '9';
      if (!is_point) stem += name[i];
      ++i;
    }
  }
  return stem;
}

std::vector<std::optional<Pair>> pair_files(std::span<const TarView> old, const TarView& fresh) {
  const FileIndex files(old, fresh);
  std::vector<std::optional<Pair>> pairs;
  pairs.reserve(fresh.entries.size());
  for (const TarEntry& entry : fresh.entries) pairs.push_back(files.find(entry));
  return pairs;
}

}  // namespace whittle::bundle
