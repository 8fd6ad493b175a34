#include "registry/hub.hpp"

#include "base/text.hpp"

namespace whittle::registry {

namespace {

bool is_hub(std::string_view host) {
  const std::string name = lower(host);
  return name == "docker.io" || name == "index.docker.io" || name == "registry-1.docker.io";
}

}  // namespace

std::string api_host(std::string_view host) {
  return is_hub(host) ? "registry-1.docker.io" : lower(host);
}

std::string api_repository(std::string_view host, std::string_view repository) {
  const bool is_official = is_hub(host) && repository.find('/') == std::string_view::npos;
  return cat(is_official ? "library/" : "", repository);
}

std::vector<std::string> credential_hosts(std::string_view host) {
  if (is_hub(host)) return {"docker.io", "index.docker.io", "registry-1.docker.io"};
  return {lower(host)};
}

std::string store_key(std::string_view host) {
  return is_hub(host) ? "https://index.docker.io/v1/" : lower(host);
}

}  // namespace whittle::registry
