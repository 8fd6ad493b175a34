// whittle gateway: the commands of a device, in the surroundings of this program.
#include "cli/commands.hpp"

namespace whittle::cli {

int run_gateway(const GatewayCommand& command, Session& session) {
  gateway::CommandContext context{.events = session.events(),
                                  .out = session.out(),
                                  .runner = session.runner(),
                                  .environment = session.environment(),
                                  .stop = session.stop()};
  return command(context);
}

}  // namespace whittle::cli
