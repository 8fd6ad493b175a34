#include "bundle/differences.hpp"

#include "tests/bundle/delta_support.hpp"

using namespace whittle;
using namespace whittle::bundle;

namespace {

std::string around(std::string_view old) {
  return std::string(kOldBefore, '\0') + std::string(old) + std::string(kOldAfter, '\0');
}

std::string coded(std::string_view old, std::string_view fresh, std::size_t piece) {
  const std::string padded = around(old);
  StringSink out;
  DifferenceEncoder encoder(out);
  for (std::size_t at = 0; at < fresh.size(); at += piece) {
    const std::size_t size = std::min(piece, fresh.size() - at);
    encoder.differences(bytes_of(padded).subspan(at, size + kOldBefore + kOldAfter), at,
                        bytes_of(fresh).subspan(at, size));
  }
  encoder.finish();
  return out.text;
}

std::string decoded(std::string_view old, std::string_view code, std::size_t size) {
  const std::string padded = around(old);
  StringSource source(code);
  DifferenceDecoder decoder(source);
  std::string fresh(size, '\0');
  decoder.differences(bytes_of(padded).first(size + kOldBefore + kOldAfter), 0,
                      std::as_writable_bytes(std::span(fresh)));
  return fresh;
}

}  // namespace

TEST_CASE("numbers of all lengths come back") {
  std::vector<std::uint64_t> numbers = {0, 1, 2, 3, 127, 128, ~0ULL, ~0ULL - 1, 1ULL << 63};
  for (int i = 0; i < 64; ++i) numbers.push_back((1ULL << i) + static_cast<std::uint64_t>(i));
  StringSink out;
  DifferenceEncoder encoder(out);
  const auto kind_of = [](std::size_t i) { return static_cast<DeltaNumber>(i % kDeltaNumbers); };
  for (std::size_t i = 0; i < numbers.size(); ++i) encoder.number(kind_of(i), numbers[i]);
  encoder.finish();
  StringSource source(out.text);
  DifferenceDecoder decoder(source);
  for (std::size_t i = 0; i < numbers.size(); ++i) CHECK(decoder.number(kind_of(i)) == numbers[i]);
}

TEST_CASE("any bytes come back from their differences to any others") {
  std::mt19937 random(1);
  for (int round = 0; round < 60; ++round) {
    const std::size_t size = random() % 5000;
    const std::string old = round % 2 == 0 ? noise(size, random()) : program(size / 8 + 1, random()).substr(0, size);
    std::string fresh = round % 3 == 0 ? noise(size, random()) : old;
    for (std::size_t i = 0; i < fresh.size(); i += 1 + random() % 50) fresh[i] = static_cast<char>(random());
    CHECK(decoded(old, coded(old, fresh, size + 1), size) == fresh);
  }
  CHECK(decoded("", coded("", "", 1), 0).empty());
}

TEST_CASE("how a run is cut does not change its code") {
  const std::string old = program(2000, 3), fresh = program(2000, 3, 5000);
  CHECK(coded(old, fresh, 7) == coded(old, fresh, old.size()));
}

TEST_CASE("equal bytes cost nearly nothing, and moved displacements little") {
  const std::string old = program(100'000, 4);
  CHECK(coded(old, old, 1000).size() < 100);
  // 400,000 displacements are half of the bytes, and half of them lead to what was moved.
  const std::string code = coded(old, program(100'000, 4, 400'000), 1000);
  MESSAGE("bytes for 100,000 displacements: ", code.size());
  CHECK(code.size() < 25'000);
}

TEST_CASE("the code is the same on every machine") {
  CHECK(digest_of(coded(program(5000, 5), program(5000, 5, 20'000), 100)).hex().substr(0, 16) == "9487174e8319ab3d");
}

TEST_CASE("a decoder of any bytes gives something") {
  const std::string old = program(1000, 6);
  for (std::uint32_t seed = 0; seed < 20; ++seed) CHECK(decoded(old, noise(seed * 20, seed), 5000).size() == 5000);
}
