// How the devices of a site reach its registry: read from what edge registries are configured with, written as what
// container engines read. Pure.
//
//   registry:
//     address: harbor.example.org
//     namespace: edge-services
//     syncPolicy: incremental   # full: everything, once; on-demand: what is asked for
//     tlsVerify: true
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sets/set_file.hpp"

namespace whittle::sets {

// YAML as above; other keys beside `registry` are somebody else's. Throws Error(usage) that names file and line.
RegistrySettings read_registry_settings(std::string_view yaml, std::string_view what);

// Where `whittle gateway serve` runs, for the engines that are to ask it first: "127.0.0.1:5000"; empty: nowhere.
struct GatewayAddress {
  std::string host;
  bool has_tls = false;
};

// With `full` the gateway is asked alone, since all that the site wants is there; else the registry is asked for what
// the gateway lacks. Each text ends with a line end. `settings.address` must not be empty.
std::string registries_conf(const RegistrySettings& settings, const GatewayAddress& gateway);
// Of /etc/containerd/certs.d/ADDRESS.
std::string hosts_toml(const RegistrySettings& settings, const GatewayAddress& gateway);
// /etc/rancher/k3s/registries.yaml.
std::string k3s_registries_yaml(const RegistrySettings& settings, const GatewayAddress& gateway);

// What the policy asks of `whittle gateway serve`, besides the store.
std::vector<std::string> serve_arguments(const RegistrySettings& settings, const GatewayAddress& gateway);

}  // namespace whittle::sets
