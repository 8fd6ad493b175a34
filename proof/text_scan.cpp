#include "proof/text_scan.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <cerrno>
#include <string>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::proof {

namespace {

constexpr std::size_t kBlock = 1 << 20;
constexpr std::size_t kAround = 256;  // bytes of text that are shown on either side of a match

bool is_text(char c) {
  return c >= 0x20 && c < 0x7F;
}

unsigned pair_at(const char* text) {
  return static_cast<unsigned>(static_cast<unsigned char>(text[0])) << 8 | static_cast<unsigned char>(text[1]);
}

// Most positions are dismissed by their first two bytes, so the number of patterns hardly matters.
class Matcher {
 public:
  Matcher(std::span<const std::string_view> patterns, const std::function<void(const TextMatch&)>& met)
      : patterns_(patterns), met_(met) {
    for (const std::string_view pattern : patterns) starts_.set(pair_at(pattern.data()));
  }

  // Looks for matches that begin in [from, to) of `text`.
  void look(std::string_view text, std::size_t from, std::size_t to) const {
    to = std::min(to, text.size() < 2 ? 0 : text.size() - 1);
    for (std::size_t at = from; at < to; ++at) {
      if (!starts_.test(pair_at(text.data() + at))) continue;
      for (std::size_t i = 0; i < patterns_.size(); ++i) {
        if (text.substr(at).starts_with(patterns_[i])) report(text, at, i);
      }
    }
  }

 private:
  void report(std::string_view text, std::size_t at, std::size_t index) const {
    std::size_t begin = at, end = at + patterns_[index].size();
    while (begin > 0 && at - begin < kAround && is_text(text[begin - 1])) --begin;
    const std::size_t limit = std::min(text.size(), end + kAround);
    while (end < limit && is_text(text[end])) ++end;
    const bool begins_at_zero = begin == 0 || text[begin - 1] == '\0';
    const bool ends_at_zero = end < text.size() && text[end] == '\0';
    const std::string_view run = text.substr(begin, end - begin);
    met_({.pattern = index,
          .run = run,
          .is_whole = begins_at_zero && ends_at_zero && run == patterns_[index],
          .ends_at_zero = ends_at_zero});
  }

  std::span<const std::string_view> patterns_;
  const std::function<void(const TextMatch&)>& met_;
  std::bitset<65536> starts_;
};

std::size_t read_at(int file, char* room, std::size_t size, std::uint64_t offset, const fs::path& name) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = ::pread(file, room + done, size - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw system_error(Exit::usage, cat("cannot read ", backticked(name.native())));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

// Overlapping segments (a hostile file, or an unusual linker) must not be read twice.
std::vector<ElfFile::Range> merged(std::span<const ElfFile::Range> ranges) {
  std::vector<ElfFile::Range> sorted(ranges.begin(), ranges.end()), out;
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.offset < b.offset; });
  for (const ElfFile::Range& range : sorted) {
    if (!out.empty() && range.offset <= out.back().offset + out.back().size) {
      out.back().size = std::max(out.back().size, range.offset + range.size - out.back().offset);
    } else {
      out.push_back(range);
    }
  }
  return out;
}

}  // namespace

void scan_texts(const fs::path& file, std::span<const ElfFile::Range> ranges,
                std::span<const std::string_view> patterns, const std::function<void(const TextMatch&)>& met) {
  const FileDescriptor opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!opened) throw system_error(Exit::usage, cat("cannot open ", backticked(file.native())));
  const Matcher matcher(patterns, met);
  // Blocks overlap, so that every match is seen once with what surrounds it.
  std::string buffer(kBlock + 2 * kAround, '\0');
  for (const ElfFile::Range& range : merged(ranges)) {
    for (std::uint64_t at = 0; at < range.size; at += kBlock) {
      const std::uint64_t before = std::min<std::uint64_t>(at, kAround);
      const std::uint64_t wanted = std::min<std::uint64_t>(buffer.size(), range.size - at + before);
      const std::size_t got = read_at(opened.get(), buffer.data(), wanted, range.offset + at - before, file);
      matcher.look({buffer.data(), got}, before, before + kBlock);
    }
  }
}

}  // namespace whittle::proof
