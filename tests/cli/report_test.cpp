#include "cli/report.hpp"

#include <doctest/doctest.h>

using namespace whittle;

TEST_CASE("an error says what, where, details and causes, then hints and notes after a blank line") {
  Error error(Exit::build_failed, "build step `compile` failed with exit status 2");
  error.at("make -j2").detail("last lines:").cause("no such file").hint("look at the log").note("nothing was changed");
  CHECK(cli::render(error, false) ==
        "error: build step `compile` failed with exit status 2\n"
        "  --> make -j2\n"
        "  last lines:\n"
        "  caused by: no such file\n"
        "\n"
        "hint: look at the log\n"
        "note: nothing was changed\n");
}

TEST_CASE("an outer view becomes the first line and the inner message the first cause") {
  Error error(Exit::transient, "connection reset by peer");
  error.inside("cannot push `host/app:1`");
  CHECK(cli::render(error, false) == "error: cannot push `host/app:1`\n  caused by: connection reset by peer\n");
}

TEST_CASE("the same hint is given once") {
  Error error(Exit::usage, "no");
  error.hint("try this").hint("try this");
  CHECK(cli::render(error, false) == "error: no\n\nhint: try this\n");
}

TEST_CASE("a message of several lines stays one block") {
  const Error error(Exit::usage, "first\nsecond");
  CHECK(cli::render(error, false) == "error: first\n  second\n");
}

TEST_CASE("an error as JSON keeps every part and the exit code") {
  Error error(Exit::ambiguous, "two answers");
  error.at("whittle.toml:3").hint("say which");
  const Json json = cli::to_json(error);
  CHECK(json["exit"] == 21);
  CHECK(json["error"] == "two answers");
  CHECK(json["where"] == "whittle.toml:3");
  CHECK(json["hints"] == Json({"say which"}));
}
