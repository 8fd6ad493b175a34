#include "bundle/layer_parts.hpp"

#include "base/zstd_frames.hpp"
#include "bundle/relative_offsets.hpp"
#include "layers/gzip_sink.hpp"
#include "tests/bundle/delta_support.hpp"
#include "tests/support/errors.hpp"

using namespace whittle;
using namespace whittle::bundle;
using test::error_of;

namespace {

struct Taken {
  std::array<StringSink, kLayerParts> parts;
  LayerPartSinks sinks() { return {&parts[0], &parts[1], &parts[2], &parts[3]}; }
  const std::string& operator[](LayerPart part) const { return parts[static_cast<std::size_t>(part)].text; }
};

std::optional<FrameMap> mapped(std::string_view blob, Taken& taken, std::optional<int> level = std::nullopt) {
  StringSource source(blob);
  return map_frames(source, level, taken.sinks(), "the layer");
}

std::string packed(const FrameMap& map, const Taken& taken, std::size_t piece = 100'000) {
  StringSource sizes(taken[LayerPart::sizes]), rest(taken[LayerPart::rest]), texts(taken[LayerPart::texts]);
  StringSink out;
  BlobPacker packer(map, sizes, rest, texts, out);
  const std::string_view tar = taken[LayerPart::tar];
  for (std::size_t at = 0; at < tar.size(); at += piece) packer.write(bytes_of(tar.substr(at, piece)));
  packer.finish();
  return out.text;
}

// The blob comes back from its map, and the map from its text; gives the bytes that had to be kept as they are.
std::size_t comes_back(std::string_view blob, std::optional<int> level = std::nullopt) {
  Taken taken;
  const std::optional<FrameMap> map = mapped(blob, taken, level);
  REQUIRE(map);
  CHECK(packed(*map, taken) == blob);
  CHECK(packed(*map, taken, 511) == blob);
  const FrameMap again = FrameMap::decode(map->encode(), "the map");
  CHECK(again.pieces == map->pieces);
  CHECK(again.level == map->level);

  Taken as_base;
  StringSource source(blob);
  take_apart(source, as_base.sinks(), "the layer");
  CHECK(as_base[LayerPart::tar] == taken[LayerPart::tar]);
  if (taken[LayerPart::rest].size() == as_base[LayerPart::rest].size()) {
    CHECK(as_base[LayerPart::texts] == taken[LayerPart::texts]);
    CHECK(as_base[LayerPart::sizes] == taken[LayerPart::sizes]);
  }
  return taken[LayerPart::rest].size();
}

std::string frame_of(std::string_view text, int level) {
  std::vector<std::byte> room(frame_bound(text.size()));
  return std::string(text_of(std::span(room).first(FrameCompressor(level).compress(bytes_of(text), room))));
}

std::string filtered(std::string_view text, OffsetsFilter::To direction, std::size_t piece) {
  StringSink out;
  OffsetsFilter filter(out, direction);
  for (std::size_t at = 0; at < text.size(); at += piece) filter.write(bytes_of(text.substr(at, piece)));
  filter.finish();
  return out.text;
}

}  // namespace

TEST_CASE("layers of both forms and all levels come back to the byte") {
  DeltaRig rig;
  const Tree files = {{"bin/app", program(30'000, 1)},
                      {"etc/empty", ""},
                      {"etc/text", "hello"},
                      {"lib/zeros", std::string(1'500'000, '\0')}};
  for (const layers::LayerForm form : {layers::LayerForm::plain, layers::LayerForm::chunked}) {
    for (const int level : {1, 3, 9, 19}) {
      CAPTURE(level);
      const oci::Descriptor layer = rig.layer(files, form, level);
      const std::string blob = read_file(rig.store.path(layer.digest));
      // Of a chunked layer, the footers.
      const std::size_t kept = form == layers::LayerForm::plain ? 0 : 120;
      CHECK(comes_back(blob, level) == kept);
      if (level < 19) CHECK(comes_back(blob) == kept);
    }
  }
}

TEST_CASE("a plain tar comes back, and what other compressors made does not") {
  const std::string tar = program(50'000, 2);
  CHECK(comes_back(tar) == 0);
  CHECK(comes_back("") == 0);
  Taken taken;
  CHECK_FALSE(mapped(layers::gzipped(bytes_of(tar)), taken));
  StringSink one_frame;
  FrameSink sink(one_frame, 3, 21);
  sink.write(bytes_of(noise(2 << 20, 1)));
  sink.finish();
  CHECK_FALSE(mapped(one_frame.text, taken));
}

TEST_CASE("a few frames by another hand are kept as they are") {
  const std::string text = program(100'000, 3);
  StringSink other;
  FrameSink sink(other, 9, 18);
  sink.write(bytes_of(std::string_view(text).substr(0, 20'000)));
  sink.finish();
  const std::string blob = frame_of(text, 5) + other.text + frame_of("", 5) + frame_of(text, 5);
  CHECK(comes_back(blob) == other.text.size());
}

TEST_CASE("layers of any compression are taken apart into their tar") {
  const std::string tar = program(30'000, 4);
  for (const std::string& blob : {tar, layers::gzipped(bytes_of(tar)), frame_of(tar, 3), frame_of(tar, 19)}) {
    Taken taken;
    StringSource source(blob);
    take_apart(source, taken.sinks(), "the layer");
    CHECK(taken[LayerPart::tar] == tar);
  }
}

TEST_CASE("offsets become distances and come back, however the text is cut") {
  const std::string text =
      R"({"entries":[{"offset":100,"endOffset":250},{"chunkOffset":77,"offset":0250,"offset":250},{"offset":9,"endOffset":)"
      R"(999999999999999999},{"offset":"x"},{"offset":1234567890123456789012}],"offset":0})";
  const std::string expected =
      R"({"entries":[{"offset":100,"endOffset":150},{"chunkOffset":77,"offset":0250,"offset":0},{"offset":-241,"endOffset":)"
      R"(999999999999999990},{"offset":"x"},{"offset":1234567890123456789012}],"offset":-999999999999999999})";
  for (const std::size_t piece : {1UL, 3UL, 1000UL}) {
    CHECK(filtered(text, OffsetsFilter::To::relative, piece) == expected);
    CHECK(filtered(expected, OffsetsFilter::To::absolute, piece) == text);
  }
  std::string large;
  for (int i = 0; i < 20'000; ++i)
    large += cat(R"({"offset":)", 300 * i + i % 7, R"(,"endOffset":)", 300 * i + 299, "}");
  CHECK(filtered(filtered(large, OffsetsFilter::To::relative, 777), OffsetsFilter::To::absolute, 5000) == large);
}

TEST_CASE("maps and parts that do not go together are refused") {
  Taken taken;
  const FrameMap map = *mapped(frame_of("hello", 3) + frame_of("world", 3), taken);
  const auto refused = [](const FrameMap& some_map, const Taken& some_parts) {
    return error_of([&] { packed(some_map, some_parts); }).exit() == Exit::refused;
  };
  const auto with = [&](LayerPart part, std::string text) {
    Taken other = taken;
    other.parts[static_cast<std::size_t>(part)].text = std::move(text);
    return other;
  };
  CHECK(refused(map, with(LayerPart::tar, "hell")));
  CHECK(refused(map, with(LayerPart::tar, "helloworld!")));
  CHECK(refused(map, with(LayerPart::sizes, "\x05")));
  CHECK(refused(map, with(LayerPart::sizes, "\xFF\xFF\xFF\x7F\x05")));
  CHECK(refused(map, with(LayerPart::sizes, std::string(20, '\xFF'))));
  using Kind = LayerPiece::Kind;
  CHECK(refused({.level = 3, .pieces = {{.kind = Kind::rest, .count = 1ULL << 60}}}, taken));
  CHECK(refused({.level = 3, .pieces = {{.kind = Kind::text, .count = 5, .number = 0, .level = 3}}}, taken));
  for (const std::string_view text : {"", "\x03", "\x03\x01", "\x03\x01\x07\x01", "\x40\x01\x01\x01",
                                      "\x03\x01\x01\x01rest", "\x03\x01\x03\x01\x10\x03", "\x03\x01\x03\x01\x01\x30"}) {
    CHECK(error_of([&] { FrameMap::decode(text, "the map"); }).exit() == Exit::refused);
  }
}
