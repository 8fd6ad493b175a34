// Small text functions that the standard library of GCC 12 lacks.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace whittle {

namespace text_detail {
inline void append(std::string& out, std::string_view piece) {
  out += piece;
}
inline void append(std::string& out, char piece) {
  out += piece;
}
template <class Number>
requires(std::is_arithmetic_v<Number> && !std::is_same_v<Number, char>) void append(std::string& out, Number piece) {
  out += std::to_string(piece);
}
}  // namespace text_detail

// Concatenates strings, characters and numbers.
template <class... Pieces>
std::string cat(const Pieces&... pieces) {
  std::string out;
  (text_detail::append(out, pieces), ...);
  return out;
}

std::vector<std::string> split(std::string_view text, char separator);
std::vector<std::string> split_lines(std::string_view text);  // without line ends; CRLF too
std::string join(std::span<const std::string> pieces, std::string_view separator);
std::string_view trim(std::string_view text);  // spaces, tabs, line ends
std::string lower(std::string_view text);      // ASCII only

// Safe to print: control characters and invalid UTF-8 become `\n`, `\x1b`, `\xff`.
std::string printable(std::string_view text);
// `text` made printable and put in backticks, the way messages name the user's objects.
std::string backticked(std::string_view text);
// Words quoted for a POSIX shell where they need it, joined by spaces; bytes are left as they are.
std::string shell_words(std::span<const std::string> words);
// A command line that could be pasted into a shell, made printable.
std::string shell_line(std::span<const std::string> argv);

bool is_utf8(std::string_view text);

// Two lower-case digits a byte.
std::string hex_of(std::string_view bytes);

// The line, counted from 1, that the byte at `offset` stands in.
int line_at(std::string_view text, std::size_t offset);

// "4.6 MB": decimal units, at most one digit after the point.
std::string human_size(std::uint64_t bytes);
// "15MB", "64KiB", "1024": decimal and binary units; nothing on other text or overflow.
std::optional<std::uint64_t> parse_size(std::string_view text);
// Decimal digits only, the whole text; nothing on other text or overflow.
std::optional<std::uint64_t> parse_number(std::string_view text);

// The candidate with the least edit distance, when it is near enough to be what was meant.
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates);

// "b" of "a/b".
std::string last_part(std::string_view path);

// `*` and `?` within a path component, `**` across components, `[abc]`; no braces.
bool matches_glob(std::string_view pattern, std::string_view path);

}  // namespace whittle
