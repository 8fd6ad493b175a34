// A view of bytes that somebody else owns. The server is linked without the standard library of C++, so it brings the
// little of it that it needs.
#pragma once

#include <stddef.h>
#include <string.h>

namespace whittle::server {

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

class Text {
 public:
  static constexpr size_t kNone = static_cast<size_t>(-1);

  constexpr Text() = default;
  constexpr Text(const char* data, size_t size) : data_(data), size_(size) {}
  constexpr Text(const char* literal) : data_(literal), size_(__builtin_strlen(literal)) {}

  constexpr const char* data() const { return data_; }
  constexpr size_t size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr const char* begin() const { return data_; }
  constexpr const char* end() const { return data_ + size_; }
  constexpr char operator[](size_t at) const { return data_[at]; }

  // Both stop at the end.
  constexpr Text first(size_t count) const { return {data_, count < size_ ? count : size_}; }
  constexpr Text from(size_t at) const { return at < size_ ? Text(data_ + at, size_ - at) : Text(end(), 0); }

  constexpr size_t find(char wanted, size_t at = 0) const {
    for (; at < size_; ++at) {
      if (data_[at] == wanted) return at;
    }
    return kNone;
  }
  constexpr size_t find_last(char wanted) const {
    for (size_t at = size_; at-- > 0;) {
      if (data_[at] == wanted) return at;
    }
    return kNone;
  }
  constexpr bool has(char wanted) const { return find(wanted) != kNone; }

  bool starts_with(Text other) const { return size_ >= other.size_ && first(other.size_) == other; }
  bool ends_with(Text other) const { return size_ >= other.size_ && from(size_ - other.size_) == other; }

  // Without the blanks and tabs around it.
  constexpr Text trimmed() const {
    Text text = *this;
    while (!text.empty() && (text[0] == ' ' || text[0] == '\t')) text = text.from(1);
    while (!text.empty() && (text[text.size_ - 1] == ' ' || text[text.size_ - 1] == '\t')) --text.size_;
    return text;
  }

  friend bool operator==(Text a, Text b) {
    return a.size_ == b.size_ && (a.size_ == 0 || memcmp(a.data_, b.data_, a.size_) == 0);
  }

 private:
  const char* data_ = nullptr;
  size_t size_ = 0;
};

// Where upper and lower case mean the same.
inline bool is_same_word(Text a, Text b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

constexpr bool is_letter(char c) {
  return lower(c) >= 'a' && lower(c) <= 'z';
}

// What follows the last slash, or all of it.
constexpr Text file_name(Text path) {
  const size_t slash = path.find_last('/');
  return slash == Text::kNone ? path : path.from(slash + 1);
}

// Takes the part before the next `separator` off the front of `rest`, which is then what follows it.
constexpr Text take_until(Text& rest, char separator) {
  const size_t at = rest.find(separator);
  const Text part = at == Text::kNone ? rest : rest.first(at);
  rest = at == Text::kNone ? Text() : rest.from(at + 1);
  return part;
}

// Digits and nothing else, in 63 bits.
inline bool read_number(Text text, long long& number) {
  if (text.empty()) return false;
  number = 0;
  for (const char c : text) {
    if (!is_digit(c) || __builtin_mul_overflow(number, 10LL, &number)) return false;
    if (__builtin_add_overflow(number, static_cast<long long>(c - '0'), &number)) return false;
  }
  return true;
}

}  // namespace whittle::server
