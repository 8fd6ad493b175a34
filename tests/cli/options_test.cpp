#include "cli/options.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "cli/report.hpp"

using namespace whittle;

namespace {

cli::Invocation parse(std::vector<const char*> words) {
  words.insert(words.begin(), "whittle");
  return cli::parse_command_line(static_cast<int>(words.size()), words.data());
}

std::string refused(std::vector<const char*> words) {
  try {
    parse(std::move(words));
  } catch (const Error& error) {
    CHECK(error.exit() == Exit::usage);
    return cli::render(error, false);
  }
  return "accepted";
}

}  // namespace

TEST_CASE("a command with its options is understood") {
  const cli::Invocation invocation = parse({"--quiet", "build", ".", "-t", "a:1", "--push", "--json"});
  CHECK(invocation.global.quiet);
  CHECK(invocation.command);
}

TEST_CASE("global options may stand after the command") {
  CHECK(parse({"images", "--quiet"}).global.quiet);
}

TEST_CASE("--version names the program") {
  CHECK(parse({"--version"}).text.starts_with("whittle "));
}

TEST_CASE("every command has a help text with examples") {
  for (const char* name : {"build", "detect", "plan", "run", "check", "images", "inspect", "validate", "push", "pull",
                           "doctor", "cache"}) {
    const std::string text = parse({name, "--help"}).text;
    CHECK_MESSAGE(text.find("Examples:") != std::string::npos, name);
    CHECK_MESSAGE(text.find(name) != std::string::npos, name);
  }
}

TEST_CASE("an unknown option is an error that names the nearest one") {
  const std::string text = refused({"build", "--jsno"});
  CHECK(text.find("--jsno") != std::string::npos);
  CHECK(text.find("hint: did you mean `--json`?") != std::string::npos);
  CHECK(text.find("`whittle build --help`") != std::string::npos);
}

TEST_CASE("an unknown command is an error that names the nearest one") {
  CHECK(refused({"biuld"}).find("hint: did you mean `build`?") != std::string::npos);
}

TEST_CASE("no command at all is an error that says where the commands are listed") {
  CHECK(refused({}).find("`whittle --help`") != std::string::npos);
}

TEST_CASE("a log format that does not exist is refused") {
  CHECK(refused({"--log-format", "xml", "images"}).find("xml") != std::string::npos);
}
