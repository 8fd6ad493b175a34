#include "server/encodings.hpp"

#include <doctest/doctest.h>

#include "tests/server/support.hpp"

using namespace whittle;
using server::Encoding;
using test::view;

namespace {

// Of identity, gzip, brotli, zstd.
std::string wishes(std::string_view header) {
  const server::EncodingWishes wishes = server::parse_accept_encoding(view(header));
  std::string text;
  for (const int quality : wishes.quality) text += std::to_string(quality) + " ";
  return text;
}

}  // namespace

TEST_CASE("wishes for forms are weighed") {
  CHECK(wishes("gzip, deflate, br, zstd") == "1 1000 1000 1000 ");
  CHECK(wishes("gzip;q=0.5, zstd;q=0.25, br;q=0") == "1 500 0 250 ");
  CHECK(wishes("GZIP; Q=1.000") == "1 1000 0 0 ");
  CHECK(wishes("x-gzip") == "1 1000 0 0 ");
  CHECK(wishes("identity;q=0.5, gzip;q=0.5") == "500 500 0 0 ");
  CHECK(wishes("*") == "1000 1000 1000 1000 ");
  CHECK(wishes("identity, *;q=0") == "1000 0 0 0 ");
  CHECK(wishes("gzip, *;q=0") == "0 1000 0 0 ");
  CHECK(wishes("") == "1 0 0 0 ");
}

TEST_CASE("a weight that is none means that the form is not wanted") {
  for (const std::string_view header : {"gzip;q=2", "gzip;q=", "gzip;q=x", "gzip;q=1.5", "gzip;q=0,5", "gzip;q=-1"}) {
    CAPTURE(header);
    CHECK(server::parse_accept_encoding(view(header))[Encoding::gzip] == 0);
  }
}
