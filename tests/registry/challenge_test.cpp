#include "registry/challenge.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace whittle::registry;

TEST_CASE("a bearer challenge gives its parameters") {
  const auto found = parse_challenges(
      R"(Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push")");
  REQUIRE(found.size() == 1);
  CHECK(found[0].scheme == "bearer");
  CHECK(found[0].parameter("realm") == "https://auth.example/token");
  CHECK(found[0].parameter("service") == "registry.example");
  CHECK(found[0].parameter("scope") == "repository:a/b:pull,push");
  CHECK(found[0].parameter("error").empty());
}

TEST_CASE("several challenges in one line are told apart") {
  const auto found = parse_challenges(
      R"(Negotiate, NTLM abc==, Basic realm="a, \"b\"", BEARER Realm = token , x=y,Digest qop="auth")");
  REQUIRE(found.size() == 5);
  CHECK(found[0].scheme == "negotiate");
  CHECK(found[1].scheme == "ntlm");
  CHECK(found[2].scheme == "basic");
  CHECK(found[2].parameter("realm") == "a, \"b\"");
  CHECK(found[3].scheme == "bearer");
  CHECK(found[3].parameter("realm") == "token");
  CHECK(found[3].parameter("x") == "y");
  CHECK(found[4].parameter("qop") == "auth");
}

TEST_CASE("the first challenge that can be answered is chosen") {
  CHECK(answerable({"Negotiate", R"(Bearer realm="x")"})->scheme == "bearer");
  CHECK(answerable({R"(Basic realm="x", Bearer realm="y")"})->scheme == "basic");
  CHECK_FALSE(answerable({"Negotiate", "Bearer", R"(Bearer service="no realm")"}));
  CHECK_FALSE(answerable({}));
}

TEST_CASE("a repeated parameter does not override the first") {
  CHECK(parse_challenges(R"(Bearer realm="https://good/",realm="https://evil/")")[0].parameter("realm") ==
        "https://good/");
}

TEST_CASE("broken challenges end the parsing and nothing else") {
  for (const char* text : {"", ",,,", "\"", "Bearer realm=\"never closed", "Bearer realm=", "Bearer =x",
                           "= = =", "Bearer\"\"", "\\", "B a b c"}) {
    CAPTURE(text);
    CHECK_NOTHROW(parse_challenges(text));
    CHECK_FALSE(answerable({text}));
  }
  CHECK(parse_challenges(std::string(1 << 20, 'a')).size() == 1);
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "Basic realm=\"x\", ";
  CHECK(parse_challenges(many).size() == 16);
}

TEST_CASE("random text is parsed to an end") {
  constexpr std::string_view kAlphabet = "aB=,\" \\\t;Bearer";
  std::minstd_rand random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random() % 40, ' ');
    for (char& c : text) c = kAlphabet[random() % kAlphabet.size()];
    CHECK(parse_challenges(text).size() <= 16);
  }
}
