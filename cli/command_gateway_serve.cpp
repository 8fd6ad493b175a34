// whittle gateway serve: a read-only registry from a layout.
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/upstream.hpp"
#include "gateway/serve.hpp"

namespace whittle::cli {

namespace {

gateway::ServeOptions serve_options(const GatewayServeOptions& options, Session& session) {
  gateway::ServeOptions serving;
  serving.store = options.store.empty() ? session.store_folder() : fs::path(options.store);
  serving.listen = gateway::ListenAddress::parse(options.listen);
  if (options.tls_certificate.empty() != options.tls_key.empty()) {
    throw Error(Exit::usage, "`--tls-cert` and `--tls-key` need each other");
  }
  if (!options.tls_certificate.empty()) {
    serving.tls = gateway::ServeTls{.certificate = options.tls_certificate, .key = options.tls_key};
  }
  serving.cache = options.cache.empty() ? session.cache_folder() / "gateway" : fs::path(options.cache);
  for (const std::string& name : options.prefetch) serving.prefetch.push_back(oci::Reference::parse(name));
  if (options.connections > 0) serving.limits.connections = options.connections;
  return serving;
}

}  // namespace

int gateway_serve(const GatewayServeOptions& options, Session& session) {
  gateway::ServeOptions serving = serve_options(options, session);
  session.limit_rate(options.limit_rate);
  std::optional<RegistryUpstream> upstream;
  if (!options.upstream.empty()) {
    upstream.emplace(options.upstream, options.allow_http, session);
    serving.upstream = &*upstream;
  } else if (!options.prefetch.empty()) {
    throw Error(Exit::usage, "`--prefetch` needs an `--upstream`");
  }
  gateway::serve(serving, session.events(), session.stop(), [&](std::uint16_t port) {
    const std::string host = options.listen.substr(0, options.listen.rfind(':'));
    const char* scheme = serving.tls ? "https" : "http";
    session.events().info(cat("serving ", backticked(serving.store.native()), " at ", scheme, "://",
                              host.empty() ? "localhost" : host, ":", port));
  });
  return 0;
}

}  // namespace whittle::cli
