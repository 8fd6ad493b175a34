// Text that is put together in room of a fixed size. What does not fit makes it overflow, which is asked for once, at
// the end.
#pragma once

#include "server/text.hpp"

namespace whittle::server {

template <size_t kRoom>
class Buffer {
 public:
  void clear() { size_ = 0, overflown_ = false; }
  bool overflown() const { return overflown_; }
  size_t size() const { return size_; }
  Text text() const { return {bytes_, size_}; }
  const char* data() const { return bytes_; }
  // As C wants it.
  const char* terminated() {
    if (size_ == kRoom) overflown_ = true;
    bytes_[size_ < kRoom ? size_ : kRoom - 1] = '\0';
    return bytes_;
  }

  void truncate(size_t size) { size_ = size < size_ ? size : size_; }

  Buffer& add(Text text) {
    if (text.size() > kRoom - size_) {
      overflown_ = true;
    } else if (!text.empty()) {
      memcpy(bytes_ + size_, text.data(), text.size());
      size_ += text.size();
    }
    return *this;
  }
  Buffer& add(char c) { return add(Text(&c, 1)); }
  Buffer& add_number(long long number) {
    char digits[20];
    size_t at = sizeof(digits);
    do {
      digits[--at] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number > 0);
    return add(Text(digits + at, sizeof(digits) - at));
  }
  Buffer& add_hex(unsigned long long number) {
    char digits[16];
    size_t at = sizeof(digits);
    do {
      digits[--at] = "0123456789abcdef"[number & 15U];
      number >>= 4U;
    } while (number > 0);
    return add(Text(digits + at, sizeof(digits) - at));
  }
  Buffer& add_two_digits(int number) {
    return add(static_cast<char>('0' + number / 10 % 10)).add(static_cast<char>('0' + number % 10));
  }

 private:
  char bytes_[kRoom];
  size_t size_ = 0;
  bool overflown_ = false;
};

}  // namespace whittle::server
