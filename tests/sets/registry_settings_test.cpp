#include "sets/registry_settings.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "base/toml.hpp"
#include "base/yaml.hpp"
#include "tests/support/golden.hpp"

using namespace whittle;
using namespace whittle::sets;
using SyncPolicy = RegistrySettings::SyncPolicy;

namespace {

constexpr const char* kExample =
    "registry:\n"
    "  address: harbor-edge-central.local\n"
    "  namespace: edge-services\n"
    "  syncPolicy: incremental\n"
    "  tlsVerify: true\n";

struct Refusal {
  std::string what, where;
  std::vector<std::string> hints;
};
Refusal refusal(const std::string& yaml) {
  try {
    read_registry_settings(yaml, "site.yaml");
  } catch (const Error& error) {
    return {error.message(), error.where(), error.hints()};
  }
  return {};
}

}  // namespace

TEST_CASE("the settings that edge registries use are read") {
  const RegistrySettings settings = read_registry_settings(kExample, "site.yaml");
  CHECK(settings.address == "harbor-edge-central.local");
  CHECK(settings.name_space == "edge-services");
  CHECK(settings.sync_policy == SyncPolicy::incremental);
  CHECK(settings.tls_verify);
  const RegistrySettings least = read_registry_settings("other: 1\nregistry: {address: 'a.example.org:8443'}", "x");
  CHECK(least.address == "a.example.org:8443");
  CHECK(least.tls_verify);
  CHECK(read_registry_settings("registry: {address: a.example.org, syncPolicy: on-demand, tlsVerify: false}", "x")
            .sync_policy == SyncPolicy::on_demand);
}

TEST_CASE("what is wrong with the settings is said with its line") {
  CHECK(refusal("registry:\n  address: https://a.example.org\n").where == "site.yaml:2");
  CHECK(refusal("registry:\n  address: a.example.org/b\n").what.find("no host") != std::string::npos);
  CHECK(refusal("registry:\n  namespace: x\n").what == "`address` is missing");
  CHECK(refusal("registry:\n  address: a.example.org\n  tlsVerify: yes\n").where == "site.yaml:3");
  CHECK(refusal("registry:\n  address: a.example.org\n  syncPolicy: often\n").what.find("`full`") != std::string::npos);
  CHECK(refusal("registry:\n  address: a.example.org\n  namespace: A/../b\n").what.find("`namespace`") == 0);
  CHECK(refusal("registry:\n  address: a.example.org\n  namespace: a:b\n").what.find("`namespace`") == 0);
  const Refusal unknown = refusal("registry:\n  address: a.example.org\n  tls-verify: true\n");
  CHECK(unknown.where == "site.yaml:3");
  CHECK(unknown.hints.at(0) == "did you mean `tlsVerify`?");
  CHECK(refusal("registry: harbor\n").what.find("no settings") != std::string::npos);
  CHECK(refusal("").what.find("no settings") != std::string::npos);
}

TEST_CASE("settings become what engines read") {
  const GatewayAddress gateway{.host = "127.0.0.1:5000"};
  for (const SyncPolicy policy : {SyncPolicy::incremental, SyncPolicy::on_demand, SyncPolicy::full}) {
    RegistrySettings settings = read_registry_settings(kExample, "site.yaml");
    settings.sync_policy = policy;
    settings.tls_verify = policy != SyncPolicy::on_demand;
    const char* const name = policy == SyncPolicy::full        ? "full"
                             : policy == SyncPolicy::on_demand ? "on-demand"
                                                               : "incremental";
    const std::string folder = std::string("tests/sets/golden/registry-") + name + "/";
    test::check_golden(fs::path(WHITTLE_SOURCE_DIR) / folder / "registries.conf", registries_conf(settings, gateway));
    test::check_golden(fs::path(WHITTLE_SOURCE_DIR) / folder / "hosts.toml", hosts_toml(settings, gateway));
    test::check_golden(fs::path(WHITTLE_SOURCE_DIR) / folder / "registries.yaml",
                       k3s_registries_yaml(settings, gateway));
    CHECK_NOTHROW(parse_toml(registries_conf(settings, gateway), "registries.conf"));
    CHECK_NOTHROW(parse_toml(hosts_toml(settings, gateway), "hosts.toml"));
    const Json mirrors = parse_yaml(k3s_registries_yaml(settings, gateway), "registries.yaml").root["mirrors"];
    CHECK(mirrors["harbor-edge-central.local"]["endpoint"][0] == "http://127.0.0.1:5000");
    CHECK(mirrors["harbor-edge-central.local"]["endpoint"].size() == (policy == SyncPolicy::full ? 1 : 2));
  }
}

TEST_CASE("without a gateway the registry is asked itself, whatever the policy") {
  RegistrySettings settings{.address = "a.example.org:8443"};
  settings.sync_policy = SyncPolicy::full;
  const Json conf = parse_toml(registries_conf(settings, {}), "x").root;
  CHECK(conf["registry"][0]["location"] == "a.example.org:8443");
  CHECK_FALSE(conf["registry"][0].contains("mirror"));
  CHECK(parse_toml(hosts_toml(settings, {}), "x").root["server"] == "https://a.example.org:8443");
}

TEST_CASE("the policy decides whether the gateway fetches") {
  RegistrySettings settings{.address = "a.example.org"};
  const GatewayAddress gateway{.host = ":5000"};
  settings.sync_policy = SyncPolicy::full;
  CHECK(serve_arguments(settings, gateway) == std::vector<std::string>{"--listen", ":5000"});
  settings.sync_policy = SyncPolicy::on_demand;
  CHECK(serve_arguments(settings, gateway) ==
        std::vector<std::string>{"--listen", ":5000", "--upstream", "a.example.org"});
}
