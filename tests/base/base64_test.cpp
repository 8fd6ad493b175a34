#include "base/base64.hpp"

#include <doctest/doctest.h>

#include <map>

using namespace whittle;

TEST_CASE("base64 is that of the standard, and is read back with or without its padding") {
  for (const auto& [plain, encoded] : std::map<std::string, std::string>{
           {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xff\xfe\xfd", "//79"}}) {
    CHECK(base64_of(bytes_of(plain)) == encoded);
    CHECK(base64_decoded(encoded) == plain);
    CHECK(base64_decoded(encoded.substr(0, encoded.find('='))) == plain);
  }
  for (const char* nonsense : {"Zg=x", "Zm 9v", "Zm9v\n", "-_79"}) CHECK_FALSE(base64_decoded(nonsense));
}
