// Serving what a device has, by the program that knows no registries.
#include "base/text.hpp"
#include "gateway/commands.hpp"
#include "gateway/serve.hpp"

namespace whittle::gateway {

int command_serve(const ServeCommandOptions& options, CommandContext& context) {
  const StateFolder state = StateFolder::open(state_folder(options.state, context.environment));
  const Runtime runtime{context.events, context.runner, context.environment, context.stop};
  if (!make_adapter(state, runtime, context.adapters)->uses_store()) {
    throw Error(Exit::usage, cat("a device with the adapter `", state.device().adapter, "` has no store to serve"))
        .hint("those with `layout` and `podman` have one");
  }
  if (options.tls_certificate.empty() != options.tls_key.empty()) {
    throw Error(Exit::usage, "`--tls-cert` and `--tls-key` need each other");
  }
  ServeOptions serving;
  serving.store = state.store();
  serving.listen = ListenAddress::parse(options.listen);
  if (!options.tls_certificate.empty()) {
    serving.tls = ServeTls{.certificate = options.tls_certificate, .key = options.tls_key};
  }
  if (options.connections > 0) serving.limits.connections = options.connections;
  serve(serving, context.events, context.stop, [&](std::uint16_t port) {
    const std::string& host = serving.listen.host;
    context.events.info(cat("serving ", backticked(serving.store.native()), " at ", serving.tls ? "https" : "http",
                            "://", host.empty() ? "localhost" : host, ":", port));
  });
  return 0;
}

}  // namespace whittle::gateway
