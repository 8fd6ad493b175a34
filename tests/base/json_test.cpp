#include "base/json.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "base/text.hpp"

using namespace whittle;

namespace {

Error error_for(std::string_view text) {
  try {
    parse_json(text, "a.json");
  } catch (const Error& error) {
    return error;
  }
  return {Exit::ok, "none"};
}

}  // namespace

TEST_CASE("equal values give equal text, whatever the order of their keys") {
  const Json one = parse_json(R"({"b": [1, 2.5, null, true], "a": "ü"})", "x"),
             two = parse_json(R"({"a":"ü","b":[1,2.5,null,true]})", "y");
  CHECK(canonical_json(one) == R"({"a":"ü","b":[1,2.5,null,true]})");
  CHECK(canonical_json(one) == canonical_json(two));
  CHECK(parse_json(pretty_json(one), "z") == one);
  CHECK(pretty_json(Json{{"a", 1}}) == "{\n  \"a\": 1\n}\n");
}

TEST_CASE("a mistake is shown with line and column") {
  const Error error = error_for("{\n  \"a\": 1\n  \"b\": 2\n}");
  CHECK(error.exit() == Exit::usage);
  CHECK(error.message() == "cannot read a.json as JSON");
  CHECK(error.where() == "a.json:3:5");
  CHECK(error_for("").message() == "cannot read a.json as JSON");
}

TEST_CASE("a repeated key and deep nesting are refused") {
  CHECK(error_for(R"({"a":1,"a":2})").causes().at(0) == "the key `a` appears twice in one object");
  CHECK(error_for(R"([{"a":1},{"a":2}])").message() == "none");
  CHECK(error_for(std::string(70, '[') + std::string(70, ']')).causes().at(0) == "it is nested too deeply");
  CHECK(error_for(std::string(64, '[') + "1" + std::string(64, ']')).message() == "none");
  CHECK(error_for(std::string(65, '[') + std::string(65, ']')).causes().at(0) == "it is nested too deeply");
  CHECK(error_for(std::string(1'000'000, '[')).causes().at(0) == "it is nested too deeply");
}

TEST_CASE("a number that no double holds is refused") {
  CHECK(error_for("[1, 22e222222222222222222]").causes().at(0) == "a number in it is too large");
  CHECK(error_for("1e308").message() == "none");
}

TEST_CASE("text that is no UTF-8 is refused on the way in and replaced on the way out") {
  CHECK(error_for("\"\xff\"").message() == "cannot read a.json as JSON");
  CHECK(canonical_json(Json("\xff")) == "\"\xEF\xBF\xBD\"");
}

TEST_CASE("members are asked for by type, and the error names them") {
  const Json object = {{"name", "x"}, {"count", 3}, {"none", nullptr}};
  CHECK(json_member<std::string>(object, "name", "the plan") == "x");
  CHECK(json_member_or<int>(object, "count", 7, "the plan") == 3);
  CHECK(json_member_or<int>(object, "missing", 7, "the plan") == 7);
  CHECK(json_member_or<int>(object, "none", 7, "the plan") == 7);
  CHECK_THROWS_WITH_AS(json_member<int>(object, "missing", "the plan"), "the plan has no `missing`", Error);
  CHECK_THROWS_WITH_AS(json_member<int>(object, "name", "the plan"), "`name` in the plan must be another type", Error);
  CHECK_THROWS_AS(json_member_or<int>(Json::array(), "a", 1, "the plan"), Error);
}
