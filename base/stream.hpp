// Bytes in motion: sinks are pushed into, sources are pulled from. Nothing here buffers a whole stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace whittle {

using Bytes = std::span<const std::byte>;

inline Bytes bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}
inline std::string_view text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class Sink {
 public:
  virtual ~Sink() = default;
  virtual void write(Bytes bytes) = 0;
  // Nothing may be written afterwards. A sink that is destroyed unfinished leaves nothing behind.
  virtual void finish() {}
};

class Source {
 public:
  virtual ~Source() = default;
  // Fills at most `room`, returns how much; 0 only at the end.
  virtual std::size_t read(std::span<std::byte> room) = 0;
};

// Both borrow; a write reaches the first before the second.
class TeeSink : public Sink {
 public:
  TeeSink(Sink& first, Sink& second) : first_(first), second_(second) {}
  void write(Bytes bytes) override {
    first_.write(bytes);
    second_.write(bytes);
  }
  void finish() override {
    first_.finish();
    second_.finish();
  }

 private:
  Sink& first_;
  Sink& second_;
};

class StringSink : public Sink {
 public:
  void write(Bytes bytes) override { text += text_of(bytes); }
  std::string text;
};

class StringSource : public Source {
 public:
  explicit StringSource(std::string_view text) : rest_(bytes_of(text)) {}  // borrows
  std::size_t read(std::span<std::byte> room) override;

 private:
  Bytes rest_;
};

// Moves everything from `from` to `to` through a buffer of 128 KiB; returns the number of bytes.
std::uint64_t copy(Source& from, Sink& to);
// Reads to the end; throws Error(exit usage) naming `what` when there are more than `limit` bytes.
std::string read_all(Source& from, std::uint64_t limit, std::string_view what);

}  // namespace whittle
