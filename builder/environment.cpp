#include "builder/environment.hpp"

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/text.hpp"
#include "base/toml.hpp"

namespace whittle::builder {

namespace {

// Names, and prefixes that end in `*`.
constexpr std::array<std::string_view, 43> kNetwork = {"HTTP_PROXY",
                                                       "HTTPS_PROXY",
                                                       "ALL_PROXY",
                                                       "NO_PROXY",
                                                       "http_proxy",
                                                       "https_proxy",
                                                       "all_proxy",
                                                       "no_proxy",
                                                       "SSL_CERT_FILE",
                                                       "SSL_CERT_DIR",
                                                       "CURL_CA_BUNDLE",
                                                       "REQUESTS_CA_BUNDLE",
                                                       "GIT_SSL_CAINFO",
                                                       "NODE_EXTRA_CA_CERTS",
                                                       "NPM_CONFIG_REGISTRY",
                                                       "npm_config_registry",
                                                       "NPM_TOKEN",
                                                       "YARN_NPM_REGISTRY_SERVER",
                                                       "NPM_CONFIG_USERCONFIG",
                                                       "GOPROXY",
                                                       "GONOPROXY",
                                                       "GOSUMDB",
                                                       "GONOSUMDB",
                                                       "GONOSUMCHECK",
                                                       "GOPRIVATE",
                                                       "GOINSECURE",
                                                       "GOAUTH",
                                                       "GOVCS",
                                                       "CARGO_HTTP_*",
                                                       "CARGO_NET_*",
                                                       "CARGO_REGISTRY_*",
                                                       "CARGO_REGISTRIES_*",
                                                       "CARGO_SOURCE_*",
                                                       "NETRC",
                                                       "GIT_CONFIG_GLOBAL",
                                                       "GIT_CONFIG_COUNT",
                                                       "GIT_CONFIG_KEY_*",
                                                       "GIT_CONFIG_VALUE_*",
                                                       "GIT_ASKPASS",
                                                       "GIT_SSH_COMMAND",
                                                       "SSH_AUTH_SOCK",
                                                       "SSH_ASKPASS",
                                                       "UV_INDEX_URL"};

bool is_for_network(std::string_view name) {
  return std::any_of(kNetwork.begin(), kNetwork.end(), [&](std::string_view known) {
    return known.ends_with('*') ? name.starts_with(known.substr(0, known.size() - 1)) : name == known;
  });
}

std::string variable(const Host& host, const std::string& name) {
  const auto found = host.environment.find(name);
  return found == host.environment.end() ? "" : found->second;
}

// The file that `go env -w` writes.
fs::path go_settings(const Host& host) {
  const std::string named = variable(host, "GOENV");
  if (named == "off") return {};
  if (!named.empty()) return named;
  const std::string config = variable(host, "XDG_CONFIG_HOME"), home = variable(host, "HOME");
  if (!config.empty()) return fs::path(config) / "go/env";
  return home.empty() ? fs::path() : fs::path(home) / ".config/go/env";
}

std::string toml_value(const Json& value) {
  if (value.is_object()) {
    std::string out;
    for (const auto& [key, member] : value.items()) {
      out += cat(out.empty() ? "" : ", ", Json(key).dump(), " = ", toml_value(member));
    }
    return cat("{", out, "}");
  }
  if (!value.is_array()) return value.dump();
  std::string out;
  for (const Json& member : value) out += cat(out.empty() ? "" : ", ", toml_value(member));
  return cat("[", out, "]");
}

// cargo reads paths in its settings from the folder that holds `.cargo`.
void make_absolute(Json& sources, const fs::path& base) {
  for (Json& source : sources) {
    if (!source.is_object()) continue;
    for (const char* key : {"directory", "local-registry"}) {
      if (source.contains(key) && source[key].is_string()) {
        source[key] = (base / source[key].get<std::string>()).lexically_normal().native();
      }
    }
  }
}

void drop_secrets(Json& value) {
  if (!value.is_structured()) return;
  if (value.is_object()) {
    for (const char* key : {"token", "secret-key"}) value.erase(key);
  }
  for (Json& member : value) drop_secrets(member);
}

fs::path cargo_home_of(const Host& host) {
  const std::string named = variable(host, "CARGO_HOME"), home = variable(host, "HOME");
  if (!named.empty()) return named;
  return home.empty() ? fs::path() : fs::path(home) / ".cargo";
}

std::string registry_settings(const fs::path& user_home) {
  for (const char* name : {"config.toml", "config"}) {
    const fs::path file = user_home / name;
    const std::optional<std::string> text = read_file_if_exists(file, 1 << 20);
    if (!text) continue;
    Json settings = parse_toml(*text, file.native()).root;
    if (settings.contains("source")) make_absolute(settings["source"], user_home.parent_path());
    drop_secrets(settings);
    std::string out;
    for (const char* key : {"source", "registries", "registry", "http", "net"}) {
      if (settings.contains(key)) out += cat(key, " = ", toml_value(settings[key]), "\n");
    }
    return out;
  }
  return {};
}

void link_credentials(const fs::path& cargo_home, const fs::path& user_home, bool network) {
  std::error_code ignored;
  for (const char* name : {"credentials.toml", "credentials"}) {
    const fs::path link = cargo_home / name;
    fs::remove(link, ignored);
    if (network && fs::exists(user_home / name, ignored)) fs::create_symlink(user_home / name, link, ignored);
  }
}

}  // namespace

Environment clean_environment(std::span<const ProbedTool> tools, const fs::path& work, const plan::BuildPlan& plan) {
  std::vector<std::string> path;
  const auto add = [&](const std::string& folder) {
    if (std::find(path.begin(), path.end(), folder) == path.end()) path.push_back(folder);
  };
  for (const ProbedTool& tool : tools) add(tool.path.parent_path().native());
  for (const char* folder : {"/usr/local/bin", "/usr/bin", "/bin"}) add(folder);
  return {{"PATH", join(path, ":")},
          {"HOME", (work / "home").native()},
          {"TMPDIR", (work / "tmp").native()},
          {"LANG", "C.UTF-8"},
          {"TZ", "UTC"},
          {"SOURCE_DATE_EPOCH", plan.image.created.empty() ? "0" : plan.image.created},
          // Beyond its own settings Go would read the user's; network_environment() picks what may pass.
          {"GOENV", "off"}};
}

Environment network_environment(const Host& host) {
  Environment out = {{"GIT_TERMINAL_PROMPT", "0"}};
  const std::string home = variable(host, "HOME");
  std::error_code ignored;
  if (!home.empty() && fs::exists(fs::path(home) / ".netrc", ignored)) out["NETRC"] = cat(home, "/.netrc");
  if (!home.empty() && fs::exists(fs::path(home) / ".npmrc", ignored))
    out["NPM_CONFIG_USERCONFIG"] = cat(home, "/.npmrc");
  if (!home.empty() && fs::exists(fs::path(home) / ".gitconfig", ignored)) {
    out["GIT_CONFIG_GLOBAL"] = cat(home, "/.gitconfig");
  }
  if (const fs::path settings = go_settings(host); !settings.empty()) {
    for (const std::string& line : split_lines(read_file_if_exists(settings, 1 << 20).value_or(""))) {
      const std::size_t equals = line.find('=');
      if (equals == std::string::npos || !line.starts_with("GO") || !is_for_network(line.substr(0, equals))) continue;
      out[line.substr(0, equals)] = line.substr(equals + 1);
    }
  }
  for (const auto& [name, value] : host.environment) {
    if (is_for_network(name)) out[name] = value;
  }
  return out;
}

void prepare_cargo_home(const fs::path& cargo_home, const Host& host, bool network) {
  const fs::path user_home = cargo_home_of(host);
  if (user_home.empty() || user_home == cargo_home) return;
  make_folders(cargo_home);
  const std::string wanted = registry_settings(user_home);
  const fs::path file = cargo_home / "config.toml";
  if (read_file_if_exists(file).value_or("") != wanted) write_unsynced(file, wanted);
  link_credentials(cargo_home, user_home, network);
}

}  // namespace whittle::builder
