#include "cli/renderer.hpp"

#include <doctest/doctest.h>

#include <sstream>

#include "base/json.hpp"
#include "base/text.hpp"

using namespace whittle;
using cli::LogFormat;

namespace {

std::string drawn(const cli::RendererOptions& options) {
  std::ostringstream out;
  const std::unique_ptr<cli::Renderer> renderer = cli::make_renderer(options, out);
  renderer->emit(StageStarted{"build", "2 steps"});
  renderer->emit(Progress{"layer", 500, 1000});
  renderer->emit(Progress{"layer", 1000, 1000});
  renderer->info("made");
  renderer->verbose("detail");
  renderer->emit(StepOutput{"compile", "cc -c\x1b[31m a.c"});
  renderer->warn("careful");
  renderer->fail(Error(Exit::usage, "wrong"));
  return out.str();
}

}  // namespace

TEST_CASE("the plain renderer writes one line a fact and no control characters") {
  CHECK(drawn({.format = LogFormat::plain}) ==
        "build  2 steps\n  layer  1.0 kB\n  made\nwarning: careful\nerror: wrong\n");
}

TEST_CASE("a quiet renderer keeps warnings and errors") {
  CHECK(drawn({.format = LogFormat::plain, .quiet = true}) == "warning: careful\nerror: wrong\n");
}

TEST_CASE("a verbose renderer shows what steps print, with control characters made harmless") {
  const std::string text = drawn({.format = LogFormat::plain, .verbose = true});
  CHECK(text.find("  detail\n") != std::string::npos);
  CHECK(text.find("  cc -c\\x1b[31m a.c\n") != std::string::npos);
}

TEST_CASE("the JSON renderer writes one object a line, the error last") {
  const std::vector<std::string> lines = split_lines(drawn({.format = LogFormat::json}));
  REQUIRE(lines.size() == 6);
  for (const std::string& line : lines) CHECK(parse_json(line, "a line").contains("event"));
  CHECK(parse_json(lines.front(), "a line")["stage"] == "build");
  CHECK(parse_json(lines.back(), "a line")["exit"] == 2);
}

TEST_CASE("the terminal renderer redraws one line for work in progress and clears it before others") {
  const std::string text = drawn({.format = LogFormat::terminal, .width = 60});
  const std::size_t bar = text.find("[##########..........] 500 B of 1.0 kB  layer");
  const std::size_t cleared = text.find("\r\x1b[K", bar);
  REQUIRE(bar != std::string::npos);
  REQUIRE(cleared != std::string::npos);
  CHECK(text.find("  layer  1.0 kB\n") > cleared);
}

TEST_CASE("colour is used only when asked for") {
  CHECK(drawn({.format = LogFormat::plain}).find("\x1b[3") == std::string::npos);
  CHECK(drawn({.format = LogFormat::terminal, .color = true}).find("\x1b[1;31merror:\x1b[0m") != std::string::npos);
}
