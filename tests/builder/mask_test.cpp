#include "builder/mask.hpp"

#include <doctest/doctest.h>

#include "base/text.hpp"

using namespace whittle;
using namespace whittle::builder;

namespace {

std::string masked(const std::vector<std::string>& parts, const std::vector<std::string>& pieces) {
  Mask mask(parts);
  std::string out;
  for (const std::string& piece : pieces) out += mask.shown(piece);
  return out + mask.rest();
}

bool is_part(std::string_view secret, std::string_view part) {
  for (const std::string& one : parts_of_secret(secret)) {
    if (one == part) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("a secret is masked wherever it stands, also when it comes in pieces") {
  CHECK(masked({"hunter2"}, {"the word is hunter2.\n"}) == "the word is ***.\n");
  CHECK(masked({"hunter2"}, {"hun", "te", "r2hunter2"}) == "******");
  CHECK(masked({"hunter2"}, {"hunhunter2 hunter"}) == "hun*** hunter");
  CHECK(masked({"aab"}, {"a", "a", "a", "b"}) == "a***");
  CHECK(masked({"secret", "secret-and-more"}, {"secret-and", "-more secret-and-less"}) == "*** ***-and-less");
  CHECK(masked({}, {"any", "thing"}) == "anything");
}

TEST_CASE("only the beginning of what may be a secret is held back") {
  Mask mask({"hunter2"});
  CHECK(mask.shown("all this at once hunt") == "all this at once ");
  CHECK(mask.shown("ing\n") == "hunting\n");
}

TEST_CASE("of a file of settings, passwords and tokens are masked alone too") {
  CHECK(is_part("npm_abcdef123\n", "npm_abcdef123"));
  CHECK(is_part("registry=https://r.example/\n//r.example/:_authToken=npm_abcdef\n", "npm_abcdef"));
  CHECK(is_part("machine r.example login ci password s3cr3t", "s3cr3t"));
  CHECK(is_part("machine r.example\n  login ci\n  password s3cr3t\n", "s3cr3t"));
  CHECK(is_part("[global]\nindex-url = https://ci:s3cr3t@r.example/simple\n", "s3cr3t"));
  CHECK(is_part("[registry]\ntoken = \"s3cr3t\"\n", "s3cr3t"));
  CHECK(is_part("{\"auths\": {\"r.example\": {\"auth\": \"Y2k6czNjcjN0\"}}}", "Y2k6czNjcjN0"));
  CHECK(is_part("<server><username>ci</username><password>s3cr3t</password></server>", "s3cr3t"));
  CHECK_FALSE(is_part("machine r.example login ci password s3cr3t", "r.example"));
  CHECK_FALSE(is_part("registry=https://r.example/\n//r.example/:_authToken=npm_abcdef\n", "https"));
  CHECK(parts_of_secret("abc").empty());
}
