// Credentials that `docker login`, `podman login` and credential helpers left for a registry.
//
// Places, in this order; the first that knows the registry wins (docs/design/registry.md):
//   $DOCKER_AUTH_CONFIG (the text itself), $DOCKER_CONFIG/config.json, $REGISTRY_AUTH_FILE,
//   ~/.docker/config.json unless $DOCKER_CONFIG, and unless $REGISTRY_AUTH_FILE
//   $XDG_RUNTIME_DIR/containers/auth.json and $XDG_CONFIG_HOME/containers/auth.json.
// Within one: credHelpers, then credsStore, then auths. Places that do not exist are passed over; one that
// cannot be read or understood is an error, since going on without it would look like "not allowed".
#pragma once

#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/process.hpp"

namespace whittle::registry {

struct Credentials {
  std::string user, password;
  std::string identity_token;  // exchanged for an access token by POST
  std::string registry_token;  // an access token as it is
  std::string source;          // for messages: "`~/.docker/config.json`"
  bool empty() const { return user.empty() && password.empty() && identity_token.empty() && registry_token.empty(); }
};

using Environment = std::map<std::string, std::string>;
// Empty when it is not set.
std::string variable(const Environment& environment, const std::string& name);

// Those for `host` (as in a reference), the entry with the longest matching `host/repository` prefix first.
// May start a credential helper. Throws Error(usage) naming the file or helper that is broken.
std::optional<Credentials> find_credentials(std::string_view host, std::string_view repository,
                                            const Environment& environment, ProcessRunner& processes,
                                            std::stop_token stop);

// `docker-credential-NAME get`; nothing when the helper knows none. At most a minute.
std::optional<Credentials> ask_helper(const std::string& name, const std::string& server,
                                      const Environment& environment, ProcessRunner& processes, std::stop_token stop);

}  // namespace whittle::registry
