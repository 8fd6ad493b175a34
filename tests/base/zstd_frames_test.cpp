#include "base/zstd_frames.hpp"

#include <doctest/doctest.h>

#include <random>

#include "base/error.hpp"
#include "base/text.hpp"
#include "tests/support/errors.hpp"

using namespace whittle;
using test::error_of;

namespace {

std::string noise(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string text(size, '\0');
  for (char& byte : text) byte = static_cast<char>(random() % 23 + 'a');
  return text;
}

std::string frame_of(std::string_view text, int level = 3) {
  std::vector<std::byte> room(frame_bound(text.size()));
  const std::size_t size = FrameCompressor(level).compress(bytes_of(text), room);
  return std::string(text_of(std::span(room).first(size)));
}

std::string skippable(unsigned number, std::string_view content) {
  std::string bytes{static_cast<char>(0x50 + number), 0x2A, 0x4D, 0x18};
  for (int i = 0; i < 4; ++i) bytes += static_cast<char>(content.size() >> 8 * i & 0xFF);
  return bytes.append(content);
}

// Gives out a few bytes at a time.
struct Drops : Source {
  explicit Drops(std::string_view text, std::size_t size) : rest(bytes_of(text)), drop(size) {}
  std::size_t read(std::span<std::byte> room) override {
    const std::size_t size = std::min({room.size(), rest.size(), drop});
    std::copy_n(rest.begin(), size, room.begin());
    rest = rest.subspan(size);
    return size;
  }
  Bytes rest;
  std::size_t drop;
};

struct Read {
  std::vector<std::pair<std::string, std::string>> frames;  // content, with its number before it; packed
  bool operator==(const Read&) const = default;
};

Read read(std::string_view stream, std::size_t drop, std::size_t room_size) {
  Drops source(stream, drop);
  StringSink packed;
  FrameReader reader(source, "the stream", &packed);
  Read all;
  std::vector<std::byte> room(room_size);
  while (reader.next()) {
    std::string content = reader.skippable() ? cat(*reader.skippable(), ":") : "";
    while (const std::size_t size = reader.read(room)) content += text_of(std::span(room).first(size));
    all.frames.emplace_back(std::move(content), std::exchange(packed.text, {}));
  }
  return all;
}

void read_all_frames(std::string_view stream) {
  read(stream, 1000, 1000);
}

}  // namespace

TEST_CASE("a stream of frames is taken apart at their borders, however it arrives") {
  const std::string large = noise(700'000, 1);
  const std::vector<std::pair<std::string, std::string>> frames = {{"hello", frame_of("hello")},
                                                                   {"", frame_of("")},
                                                                   {"3:between", skippable(3, "between")},
                                                                   {"0:", skippable(0, "")},
                                                                   {large, frame_of(large, 7)}};
  std::string stream;
  for (const auto& [content, packed] : frames) stream += packed;
  for (const std::size_t drop : {1UL, 5UL, 1UL << 20}) {
    for (const std::size_t room : {7UL, 4096UL, 1UL << 20}) {
      if (drop == 1 && room == 7) continue;
      CHECK(read(stream, drop, room).frames == frames);
    }
  }
  CHECK(read("", 1, 1).frames.empty());
}

TEST_CASE("frames that nobody reads are passed over") {
  const std::string stream = frame_of(noise(300'000, 2)) + skippable(1, noise(50'000, 3)) + frame_of("last");
  Drops source(stream, 999);
  StringSink packed;
  FrameReader reader(source, "the stream", &packed);
  for (int i = 0; i < 3; ++i) CHECK(reader.next());
  std::array<std::byte, 10> room;
  CHECK(reader.read(room) == 4);
  CHECK_FALSE(reader.next());
  CHECK(packed.text == stream);
}

TEST_CASE("streams that are no frames are refused") {
  const std::string frame = frame_of(noise(10'000, 4));
  for (const std::string& stream : {std::string("hello, world"), frame.substr(0, frame.size() - 1), frame.substr(0, 3),
                                    frame + "x", skippable(1, "abc").substr(0, 10), skippable(1, "").substr(0, 6)}) {
    CAPTURE(stream.size());
    CHECK(error_of([&] { read_all_frames(stream); }).exit() == Exit::registry_content);
  }
}

TEST_CASE("a frame that needs more memory than is given is refused") {
  StringSink out;
  FrameSink sink(out, 3, 22);
  sink.write(bytes_of(noise(5 << 20, 5)));
  sink.finish();
  const auto read_with = [&](int window_log) {
    StringSource source(out.text);
    FrameReader reader(source, "the stream", nullptr, window_log);
    reader.next();
    std::array<std::byte, 10> room;
    return reader.read(room);
  };
  CHECK(read_with(22) == 10);
  CHECK(error_of([&] { read_with(20); }).causes().front().find("requires too much memory") != std::string::npos);
}

TEST_CASE("a long stream becomes one frame, however it was cut into writes") {
  const std::string text = noise(1'500'000, 6);
  const auto packed = [&](std::size_t piece) {
    StringSink out;
    FrameSink sink(out, 5, 20);
    for (std::size_t at = 0; at < text.size(); at += piece)
      sink.write(bytes_of(std::string_view(text).substr(at, piece)));
    sink.finish();
    return out.text;
  };
  const std::string once = packed(text.size());
  CHECK(packed(1000) == once);
  const Read all = read(once, 4096, 4096);
  REQUIRE(all.frames.size() == 1);
  CHECK(all.frames[0].first == text);
}
