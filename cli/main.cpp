// The program whittle.
#include <iostream>

#include "cli/options.hpp"
#include "cli/program.hpp"
#include "cli/session.hpp"

int main(int argc, char** argv) {
  using namespace whittle::cli;
  return run_program(argc, argv, [](int count, const char* const* words) {
    Invocation invocation = parse_command_line(count, words);
    ParsedProgram parsed{.global = invocation.global, .command = {}, .text = std::move(invocation.text)};
    if (invocation.command) {
      parsed.command = [command = std::move(invocation.command)](Surroundings& around) {
        Session session(std::move(around.environment), around.events, std::cout, around.stop);
        return command(session);
      };
    }
    return parsed;
  });
}
