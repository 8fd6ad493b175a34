#include "sets/registry_settings.hpp"

#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "base/text.hpp"
#include "base/yaml.hpp"
#include "oci/reference.hpp"

namespace whittle::sets {

namespace {

using SyncPolicy = RegistrySettings::SyncPolicy;

const std::map<std::string, SyncPolicy> kPolicies = {
    {"full", SyncPolicy::full}, {"on-demand", SyncPolicy::on_demand}, {"incremental", SyncPolicy::incremental}};

std::string name_of(SyncPolicy policy) {
  const auto found =
      std::find_if(kPolicies.begin(), kPolicies.end(), [&](const auto& one) { return one.second == policy; });
  return found->first;
}

class Settings {
 public:
  Settings(const YamlDocument& document, std::string_view what) : document_(document), what_(what) {
    const bool is_there = document.root.is_object() && document.root.contains("registry");
    if (!is_there || !document.root["registry"].is_object()) {
      Error error(Exit::usage, cat(what, " has no settings of a registry"));
      error.at(cat(what, ":1")).hint("write a mapping `registry:` with an `address:` below it");
      throw error;
    }
    check_keys();
  }

  std::string text(const char* key) const {
    const Json& settings = document_.root["registry"];
    const auto found = settings.find(key);
    if (found == settings.end() || found->is_null()) return {};
    if (!found->is_string()) throw wrong(key, "must be a text");
    return found->get<std::string>();
  }
  bool flag(const char* key, bool otherwise) const {
    const Json& settings = document_.root["registry"];
    const auto found = settings.find(key);
    if (found == settings.end() || found->is_null()) return otherwise;
    if (!found->is_boolean()) throw wrong(key, "must be `true` or `false`");
    return found->get<bool>();
  }
  Error wrong(const char* key, std::string_view why) const {
    Error error(Exit::usage, cat(backticked(key), " ", why));
    error.at(cat(what_, ":", document_.line(cat("/registry/", key))));
    return error;
  }

 private:
  void check_keys() const {
    static const std::vector<std::string> kKnown = {"address", "namespace", "syncPolicy", "tlsVerify"};
    for (const auto& [key, value] : document_.root["registry"].items()) {
      if (std::find(kKnown.begin(), kKnown.end(), key) != kKnown.end()) continue;
      Error error(Exit::usage, cat("unknown key ", backticked(key)));
      error.at(cat(what_, ":", document_.line(cat("/registry/", escaped_pointer(key)))));
      const auto near = nearest(key, kKnown);
      error.hint(near ? cat("did you mean `", *near, "`?") : cat("what is known here: ", join(kKnown, ", ")));
      throw error;
    }
  }

  const YamlDocument& document_;
  std::string_view what_;
};

bool is_address(const std::string& text) {
  try {
    return oci::Reference::parse(cat(text, "/x")).host == text;
  } catch (const Error&) {
    return false;
  }
}

// A part of a name below the registry, which no tag or digest ends.
bool is_namespace(const std::string& text) {
  try {
    const oci::Reference parsed = oci::Reference::parse(cat("registry.example.org/", text, "/x"));
    return parsed.repository == cat(text, "/x") && parsed.tag.empty() && !parsed.digest;
  } catch (const Error&) {
    return false;
  }
}

std::string gateway_url(const GatewayAddress& gateway) {
  return cat(gateway.has_tls ? "https://" : "http://", gateway.host);
}

std::string in_quotes(std::string_view text) {
  return Json(std::string(text)).dump();
}

// What all of them begin with. `policy` says what the engine does.
std::string heading(const RegistrySettings& settings, const GatewayAddress& gateway, std::string_view path) {
  std::string out = cat("# ", path, "\n# ", settings.address);
  if (!settings.name_space.empty()) out += cat("/", settings.name_space);
  out += cat(", sync policy ", name_of(settings.sync_policy), "\n");
  if (!gateway.host.empty() && settings.sync_policy == SyncPolicy::full) {
    out += "# All that the site wants is on the gateway: nobody else is asked.\n";
  }
  if (!settings.tls_verify) out += "# WARNING: nobody checks that this is the registry: tlsVerify is false.\n";
  return out + "\n";
}

bool asks_gateway_alone(const RegistrySettings& settings, const GatewayAddress& gateway) {
  return settings.sync_policy == SyncPolicy::full && !gateway.host.empty();
}

}  // namespace

RegistrySettings read_registry_settings(std::string_view yaml, std::string_view what) {
  const YamlDocument document = parse_yaml(yaml, what);
  const Settings given(document, what);
  RegistrySettings settings;
  settings.address = given.text("address");
  if (settings.address.empty()) throw given.wrong("address", "is missing");
  if (!is_address(settings.address)) {
    throw given.wrong("address", cat("is ", backticked(settings.address), ", which is no host"))
        .hint("write the host alone, with its port if it has one, as in `harbor.example.org:8443`");
  }
  settings.name_space = given.text("namespace");
  if (!settings.name_space.empty() && !is_namespace(settings.name_space)) {
    throw given.wrong("namespace", cat("is ", backticked(settings.name_space), ", which no name can begin with"));
  }
  settings.tls_verify = given.flag("tlsVerify", true);
  if (const std::string policy = given.text("syncPolicy"); !policy.empty()) {
    const auto found = kPolicies.find(policy);
    if (found == kPolicies.end()) throw given.wrong("syncPolicy", "must be `full`, `on-demand` or `incremental`");
    settings.sync_policy = found->second;
  }
  return settings;
}

std::string registries_conf(const RegistrySettings& settings, const GatewayAddress& gateway) {
  const std::string name =
      settings.name_space.empty() ? settings.address : cat(settings.address, "/", settings.name_space);
  const std::string at_gateway =
      settings.name_space.empty() ? gateway.host : cat(gateway.host, "/", settings.name_space);
  std::string out = heading(settings, gateway, "/etc/containers/registries.conf.d/site.conf");
  out += cat("[[registry]]\nprefix = ", in_quotes(name), "\n");
  if (asks_gateway_alone(settings, gateway)) {
    return out + cat("location = ", in_quotes(at_gateway), "\ninsecure = ", gateway.has_tls ? "false" : "true", "\n");
  }
  out += cat("location = ", in_quotes(name), "\ninsecure = ", settings.tls_verify ? "false" : "true", "\n");
  if (gateway.host.empty()) return out;
  return out + cat("\n[[registry.mirror]]\nlocation = ", in_quotes(at_gateway),
                   "\ninsecure = ", gateway.has_tls ? "false" : "true", "\n");
}

std::string hosts_toml(const RegistrySettings& settings, const GatewayAddress& gateway) {
  const std::string registry = cat("https://", settings.address);
  std::string out = heading(settings, gateway, cat("/etc/containerd/certs.d/", settings.address, "/hosts.toml"));
  const bool is_alone = asks_gateway_alone(settings, gateway);
  out += cat("server = ", in_quotes(is_alone ? gateway_url(gateway) : registry), "\n");
  if (!gateway.host.empty()) {
    out += cat("\n[host.", in_quotes(gateway_url(gateway)), "]\n  capabilities = [\"pull\", \"resolve\"]\n");
  }
  if (!is_alone) {
    out += cat("\n[host.", in_quotes(registry), "]\n  capabilities = [\"pull\", \"resolve\"]\n");
    if (!settings.tls_verify) out += "  skip_verify = true\n";
  }
  return out;
}

std::string k3s_registries_yaml(const RegistrySettings& settings, const GatewayAddress& gateway) {
  OrderedJson document = OrderedJson::object();
  const std::string registry = cat("https://", settings.address);
  OrderedJson endpoints = OrderedJson::array();
  if (!gateway.host.empty()) endpoints.push_back(gateway_url(gateway));
  if (!asks_gateway_alone(settings, gateway)) endpoints.push_back(registry);
  document["mirrors"][settings.address]["endpoint"] = endpoints;
  if (!settings.tls_verify) document["configs"][settings.address]["tls"]["insecure_skip_verify"] = true;
  std::string out = heading(settings, gateway, "/etc/rancher/k3s/registries.yaml");
  if (asks_gateway_alone(settings, gateway)) {
    out.insert(out.size() - 1,
               "# K3s asks the registry itself last, unless it is started with --disable-default-registry-endpoint.\n");
  }
  return out + yaml_text(document);
}

std::vector<std::string> serve_arguments(const RegistrySettings& settings, const GatewayAddress& gateway) {
  std::vector<std::string> arguments = {"--listen", gateway.host};
  // The device's store has all of it already.
  if (settings.sync_policy == SyncPolicy::full) return arguments;
  arguments.insert(arguments.end(), {"--upstream", settings.address});
  return arguments;
}

}  // namespace whittle::sets
