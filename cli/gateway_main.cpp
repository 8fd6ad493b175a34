// The program whittle-gateway: what a device does with bundles, and nothing else.
#include <iostream>

#include "base/process.hpp"
#include "cli/gateway_options.hpp"
#include "cli/program.hpp"

int main(int argc, char** argv) {
  using namespace whittle;
  return cli::run_program(argc, argv, [](int count, const char* const* words) {
    cli::GatewayInvocation invocation = cli::parse_gateway_line(count, words);
    cli::ParsedProgram parsed{.global = invocation.global, .command = {}, .text = std::move(invocation.text)};
    if (invocation.command) {
      parsed.command = [command = std::move(invocation.command)](cli::Surroundings& around) {
        SystemProcessRunner runner;
        gateway::CommandContext context{.events = around.events,
                                        .out = std::cout,
                                        .runner = runner,
                                        .environment = around.environment,
                                        .stop = around.stop};
        return command(context);
      };
    }
    return parsed;
  });
}
