#include "base/digest.hpp"

#include <doctest/doctest.h>

#include "base/text.hpp"

using namespace whittle;

TEST_CASE("digests of the standard's examples") {
  CHECK(digest_of("").str() == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(digest_of("abc").str() == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(digest_of(std::string(1'000'000, 'a')).hex() ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("a digest comes back as it was written, and nothing else parses") {
  const Digest digest = digest_of("abc");
  CHECK(Digest::parse(digest.str()) == digest);
  const std::string hex = digest.hex();
  for (const std::string& text :
       {hex, cat("sha512:", hex, hex), cat("sha256:", hex.substr(1)), cat("sha256:", hex, "0"), cat("SHA256:", hex),
        cat("sha256:", std::string(64, 'A')), cat("sha256:", std::string(64, 'g')), cat(" sha256:", hex),
        cat("sha256:", hex, "\n"), std::string("sha256:../../etc/passwd"), std::string()}) {
    CHECK_FALSE(Digest::parse(text));
  }
}

TEST_CASE("a hash does not depend on how its input was cut, and can be forked and asked midway") {
  const std::string text(1000, 'x');
  Hasher hasher;
  for (std::size_t i = 0; i < text.size(); i += 7) hasher.update(std::string_view(text).substr(i, 7));
  CHECK(hasher.digest() == digest_of(text));
  CHECK(hasher.digest() == digest_of(text));
  Hasher fork = hasher;
  fork.update("more");
  CHECK(fork.digest() == digest_of(text + "more"));
  CHECK(hasher.digest() == digest_of(text));
}

TEST_CASE("a hash sink counts what passes") {
  HashSink sink;
  sink.write(bytes_of("hello"));
  CHECK(sink.size() == 5);
  CHECK(sink.digest() == digest_of("hello"));
}
