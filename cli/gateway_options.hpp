// The options of a device's commands: below `whittle gateway`, and of the program `whittle-gateway`.
#pragma once

#include <functional>
#include <string>

#include "cli/program.hpp"
#include "gateway/commands.hpp"

namespace CLI {
class App;
}

namespace whittle::cli {

using GatewayCommand = std::function<int(gateway::CommandContext&)>;

// Adds the commands to `app`; `program` is how examples name it. The one that the line names is given to `chosen`.
void add_gateway_commands(CLI::App& app, const std::string& program, std::function<void(const GatewayCommand&)> chosen);

struct GatewayInvocation {
  GlobalOptions global;
  GatewayCommand command;  // empty when `text` is all that was asked for
  std::string text;
};
// Of `whittle-gateway`. Throws Error(usage).
GatewayInvocation parse_gateway_line(int argc, const char* const* argv);

}  // namespace whittle::cli
