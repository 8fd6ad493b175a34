#include "server/conditions.hpp"

#include <doctest/doctest.h>

#include "server/http_date.hpp"
#include "tests/server/support.hpp"

using namespace whittle;
using server::Request;
using server::Validators;
using test::string_of;
using test::view;

namespace {

const Validators kTagged = {.tag = "\"abc\""};
const Validators kDated = {.tag = "\"abc\"", .modified = 784111777};
constexpr std::string_view kDate = "Sun, 06 Nov 1994 08:49:37 GMT", kEarlier = "Sun, 06 Nov 1994 08:49:36 GMT";

int checked(server::Text Request::*field, std::string_view value, const Validators& validators) {
  Request request;
  request.*field = view(value);
  return server::check_conditions(request, validators);
}

}  // namespace

TEST_CASE("who has the content is told that nothing changed") {
  CHECK(checked(&Request::if_none_match, "\"abc\"", kTagged) == 304);
  CHECK(checked(&Request::if_none_match, "\"x\", W/\"abc\"", kTagged) == 304);
  CHECK(checked(&Request::if_none_match, "*", kTagged) == 304);
  CHECK(checked(&Request::if_none_match, "\"x\"", kTagged) == 0);
  CHECK(checked(&Request::if_none_match, "abc", kTagged) == 0);
  CHECK(checked(&Request::if_none_match, "\"ab", kTagged) == 0);
  CHECK(checked(&Request::if_none_match, "\"abc\"", {}) == 0);
  CHECK(checked(&Request::if_modified_since, kDate, kDated) == 304);
  CHECK(checked(&Request::if_modified_since, kEarlier, kDated) == 0);
  CHECK(checked(&Request::if_modified_since, kDate, kTagged) == 0);
}

TEST_CASE("who wants only one certain content is refused another") {
  CHECK(checked(&Request::if_match, "\"x\", \"abc\"", kTagged) == 0);
  CHECK(checked(&Request::if_match, "W/\"abc\"", kTagged) == 412);
  CHECK(checked(&Request::if_match, "\"x\"", kTagged) == 412);
  CHECK(checked(&Request::if_match, "*", kTagged) == 0);
  CHECK(checked(&Request::if_unmodified_since, kEarlier, kDated) == 412);
  CHECK(checked(&Request::if_unmodified_since, kDate, kDated) == 0);
}

TEST_CASE("tags go before dates") {
  Request request;
  request.if_none_match = "\"x\"";
  request.if_modified_since = view(kDate);
  CHECK(server::check_conditions(request, kDated) == 0);
}

TEST_CASE("a part is sent only of what the client has another part of") {
  const auto applies = [](std::string_view value, const Validators& validators) {
    Request request;
    request.if_range = view(value);
    return server::range_applies(request, validators);
  };
  CHECK(server::range_applies({}, kTagged));
  CHECK(applies("\"abc\"", kTagged));
  CHECK_FALSE(applies("W/\"abc\"", kTagged));
  CHECK_FALSE(applies("\"x\"", kTagged));
  CHECK(applies(kDate, kDated));
  CHECK_FALSE(applies(kEarlier, kDated));
  CHECK_FALSE(applies(kDate, kTagged));
}

TEST_CASE("dates are written and read in the one form that is sent") {
  CHECK(string_of(server::format_date(784111777).text()) == kDate);
  CHECK(string_of(server::format_date(0).text()) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(string_of(server::format_date(1709164800).text()) == "Thu, 29 Feb 2024 00:00:00 GMT");
  for (const long long seconds : {0LL, 951827696LL, 1709251199LL, 4102444799LL, 253402300799LL}) {
    long long read = -1;
    CHECK(server::parse_date(server::format_date(seconds).text(), read));
    CHECK(read == seconds);
  }
  for (const std::string_view text : {"Sun, 31 Feb 2024 00:00:00 GMT", "Mon, 06 Nov 1994 08:49:37 GMT",
                                      "Sunday, 06-Nov-94 08:49:37 GMT", "", "Sun, 06 Nov 1994 08:49:37 UTC"}) {
    CAPTURE(text);
    long long read = -1;
    CHECK_FALSE(server::parse_date(view(text), read));
  }
}
