#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <utility>

namespace whittle {

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> pieces;
  std::size_t start = 0;
  for (;;) {
    const std::size_t end = text.find(separator, start);
    if (end == std::string_view::npos) break;
    pieces.emplace_back(text.substr(start, end - start));
    start = end + 1;
  }
  pieces.emplace_back(text.substr(start));
  return pieces;
}

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines = split(text, '\n');
  for (std::string& line : lines) {
    if (line.ends_with('\r')) line.pop_back();
  }
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

std::string join(std::span<const std::string> pieces, std::string_view separator) {
  std::string out;
  for (const std::string& piece : pieces) {
    if (&piece != pieces.data()) out += separator;
    out += piece;
  }
  return out;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(c < 0x80 ? std::tolower(c) : c); });
  return out;
}

namespace {

// The length of the valid UTF-8 sequence at the start of `text`, or 0 (RFC 3629).
std::size_t utf8_sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  std::size_t length = 0;
  unsigned low = 0x80, high = 0xBF;
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) length = 2;
  if (lead >= 0xE0 && lead <= 0xEF) length = 3;
  if (lead >= 0xF0 && lead <= 0xF4) length = 4;
  if (length == 0 || text.size() < length) return 0;
  if (lead == 0xE0) low = 0xA0;
  if (lead == 0xED) high = 0x9F;
  if (lead == 0xF0) low = 0x90;
  if (lead == 0xF4) high = 0x8F;
  if (byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xBF) return 0;
  }
  return length;
}

std::string escaped(unsigned char c) {
  if (c == '\n') return "\\n";
  if (c == '\t') return "\\t";
  if (c == '\r') return "\\r";
  std::array<char, 8> hex{};
  std::snprintf(hex.data(), hex.size(), "\\x%02x", c);
  return hex.data();
}

}  // namespace

std::string hex_of(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(2 * bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 15U];
  }
  return out;
}

int line_at(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  return 1 + static_cast<int>(std::count(before.begin(), before.end(), '\n'));
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_sequence(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text[0]);
    const std::size_t length = utf8_sequence(text);
    // U+0080 to U+009F are control characters too; terminals act on them.
    const bool is_c1 = length == 2 && c == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0;
    if (length == 0 || c < 0x20 || c == 0x7F || is_c1) {
      out += escaped(c);
      text.remove_prefix(1);
    } else {
      out += text.substr(0, length);
      text.remove_prefix(length);
    }
  }
  return out;
}

std::string backticked(std::string_view text) {
  return cat('`', printable(text), '`');
}

std::string shell_words(std::span<const std::string> words) {
  constexpr std::string_view kSafe = "@%+=:,./-_";
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += ' ';
    const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [&](unsigned char c) {
      return std::isalnum(c) != 0 || kSafe.find(static_cast<char>(c)) != std::string_view::npos;
    });
    if (plain) {
      out += word;
      continue;
    }
    out += '\'';
    for (const char c : word) {
      if (c == '\'') {
        out += "'\\''";
      } else {
        out += c;
      }
    }
    out += '\'';
  }
  return out;
}

std::string shell_line(std::span<const std::string> argv) {
  return printable(shell_words(argv));
}

std::string human_size(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 999.5 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  std::array<char, 32> out{};
  std::snprintf(out.data(), out.size(), unit == 0 || value >= 99.95 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return out.data();
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  text = trim(text);
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::optional<std::uint64_t> number = parse_number(text.substr(0, digits));
  if (!number) return std::nullopt;
  const std::string unit = lower(trim(text.substr(digits)));
  struct Unit {
    std::string_view name;
    std::uint64_t factor;
  };
  constexpr std::array<Unit, 11> kUnits = {{{"", 1},
                                            {"b", 1},
                                            {"kb", 1000},
                                            {"mb", 1000'000},
                                            {"gb", 1000'000'000},
                                            {"kib", 1ULL << 10},
                                            {"mib", 1ULL << 20},
                                            {"gib", 1ULL << 30},
                                            {"k", 1000},
                                            {"m", 1000'000},
                                            {"g", 1000'000'000}}};
  for (const Unit& known : kUnits) {
    if (unit != known.name) continue;
    std::uint64_t bytes = 0;
    if (__builtin_mul_overflow(*number, known.factor, &bytes)) return std::nullopt;
    return bytes;
  }
  return std::nullopt;
}

namespace {

// With two neighbours swapped as one edit, the commonest slip of all (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> older, old(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    older = std::move(old);
    old = std::move(row);
    row.assign(b.size() + 1, i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({old[j] + 1, row[j - 1] + 1, old[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      const bool is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (is_swap) row[j] = std::min(row[j], older[j - 2] + 1);
    }
  }
  return row.back();
}

}  // namespace

std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates) {
  std::optional<std::string> best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(lower(word), lower(candidate));
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

namespace {

// One path component against a pattern of `*`, `?` and `[...]`, by backtracking to the last star.
bool matches_component(std::string_view pattern, std::string_view name) {
  std::size_t p = 0, n = 0, star = std::string_view::npos, resume = 0;
  const auto matches_one = [&](std::size_t& at) {
    if (at >= pattern.size()) return false;
    if (pattern[at] == '?') return ++at, true;
    if (pattern[at] == '[') {
      const std::size_t close = pattern.find(']', at + 2);
      if (close != std::string_view::npos) {
        const bool negated = pattern[at + 1] == '!' || pattern[at + 1] == '^';
        bool found = false;
        for (std::size_t i = at + (negated ? 2 : 1); i < close; ++i) {
          if (i + 2 < close && pattern[i + 1] == '-') {
            found = found || (pattern[i] <= name[n] && name[n] <= pattern[i + 2]);
            i += 2;
          } else {
            found = found || pattern[i] == name[n];
          }
        }
        at = close + 1;
        return found != negated;
      }
    }
    return pattern[at++] == name[n];
  };
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
      continue;
    }
    std::size_t next = p;
    if (matches_one(next)) {
      p = next;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

// What is left of a path, component by component.
class Components {
 public:
  explicit Components(std::string_view path) : path_(path) {}
  bool is_empty() const { return begin_ > path_.size(); }
  std::string_view front() const { return path_.substr(begin_, path_.find('/', begin_) - begin_); }
  Components rest() const {
    Components rest = *this;
    rest.begin_ += front().size() + 1;
    return rest;
  }

 private:
  std::string_view path_;
  std::size_t begin_ = 0;
};

}  // namespace

std::string last_part(std::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));
}

bool matches_glob(std::string_view pattern, std::string_view path) {
  // By backtracking to the last `**`, which is enough: what an earlier one could take, it can take too.
  Components wanted(pattern), given(path);
  std::optional<std::pair<Components, Components>> last;  // what follows it, and from where that is tried
  while (!given.is_empty()) {
    if (!wanted.is_empty() && wanted.front() == "**") {
      wanted = wanted.rest();
      last.emplace(wanted, given);
    } else if (!wanted.is_empty() && matches_component(wanted.front(), given.front())) {
      wanted = wanted.rest();
      given = given.rest();
    } else if (last) {
      last->second = last->second.rest();
      wanted = last->first;
      given = last->second;
    } else {
      return false;
    }
  }
  while (!wanted.is_empty() && wanted.front() == "**") wanted = wanted.rest();
  return wanted.is_empty();
}

}  // namespace whittle
