// Docker Hub's names: people write `docker.io`, its API answers at `registry-1.docker.io`, and Docker keeps
// its credentials under `https://index.docker.io/v1/`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace whittle::registry {

// The host that the API is asked at, and the repository's name there (`library/` for official images).
std::string api_host(std::string_view host);
std::string api_repository(std::string_view host, std::string_view repository);
// The names under which credentials for `host` may be kept, in lower case.
std::vector<std::string> credential_hosts(std::string_view host);
// The key that a credential store is asked for.
std::string store_key(std::string_view host);

}  // namespace whittle::registry
