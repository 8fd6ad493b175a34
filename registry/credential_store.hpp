// Where `whittle login` leaves credentials: where Docker and Podman look for them too.
#pragma once

#include <stop_token>
#include <string>

#include "base/process.hpp"
#include "registry/credentials.hpp"

namespace whittle::registry {

struct Stored {
  std::string place;         // "`~/.docker/config.json`" or "`docker-credential-pass`"
  bool is_readable = false;  // whoever reads the file has the password
};

// Through the credential helper that Docker's configuration names for `host`, else into that file, mode 0600.
// The file: $DOCKER_CONFIG/config.json, else $REGISTRY_AUTH_FILE, else ~/.docker/config.json.
Stored store_credentials(const std::string& host, const Credentials& credentials, const Environment& environment,
                         ProcessRunner& processes, std::stop_token stop);
// Takes them out again, from helper and file; false when there were none.
bool erase_credentials(const std::string& host, const Environment& environment, ProcessRunner& processes,
                       std::stop_token stop);

// `docker-credential-NAME store` and `erase`. Throws Error(usage) when it fails.
void tell_helper(const std::string& name, const std::string& verb, const std::string& input,
                 const Environment& environment, ProcessRunner& processes, std::stop_token stop);

}  // namespace whittle::registry
