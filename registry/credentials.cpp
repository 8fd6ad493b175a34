#include "registry/credentials.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "base/base64.hpp"
#include "base/error.hpp"
#include "base/files.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "registry/hub.hpp"

namespace whittle::registry {

namespace {

constexpr std::uint64_t kMaximumFile = 4 << 20;

struct Place {
  std::string name;  // for messages, in backticks
  std::optional<std::string> text;
};

Place file_place(const fs::path& path, const std::string& home) {
  std::string name = path.native();
  if (!home.empty() && name.starts_with(home + "/")) name = "~" + name.substr(home.size());
  return {backticked(name), read_file_if_exists(path, kMaximumFile)};
}

std::vector<Place> places(const Environment& environment) {
  const std::string home = variable(environment, "HOME");
  const auto absolute = [](const std::string& path) { return path.starts_with('/'); };
  std::vector<Place> found;
  if (std::string text = variable(environment, "DOCKER_AUTH_CONFIG"); !text.empty()) {
    found.push_back({"`DOCKER_AUTH_CONFIG`", std::move(text)});
  }
  const std::string docker = variable(environment, "DOCKER_CONFIG");
  const std::string explicit_file = variable(environment, "REGISTRY_AUTH_FILE");
  if (!docker.empty()) found.push_back(file_place(fs::path(docker) / "config.json", home));
  if (!explicit_file.empty()) found.push_back(file_place(explicit_file, home));
  if (docker.empty() && absolute(home)) found.push_back(file_place(fs::path(home) / ".docker/config.json", home));
  if (!explicit_file.empty()) return found;
  if (const std::string run = variable(environment, "XDG_RUNTIME_DIR"); absolute(run)) {
    found.push_back(file_place(fs::path(run) / "containers/auth.json", home));
  }
  std::string config = variable(environment, "XDG_CONFIG_HOME");
  if (config.empty() && absolute(home)) config = home + "/.config";
  if (absolute(config)) found.push_back(file_place(fs::path(config) / "containers/auth.json", home));
  return found;
}

Error malformed(const Place& place, std::string why) {
  return std::move(Error(Exit::usage, cat("cannot read the credentials in ", place.name))
                       .cause(std::move(why))
                       .hint("correct the file, or write it anew with `docker login` or `podman login`"));
}

// "https://index.docker.io/v1/" and "quay.io/" are keys for the same thing as "index.docker.io" and "quay.io".
std::string normalised_key(std::string_view key) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (key.starts_with(scheme)) key.remove_prefix(scheme.size());
  }
  while (key.ends_with('/')) key.remove_suffix(1);
  for (const std::string_view version : {"/v1", "/v2"}) {
    if (key.ends_with(version)) key.remove_suffix(version.size());
  }
  return lower(key);
}

// `host/a/b`, `host/a`, `host`; for Docker Hub every name that it goes by.
std::vector<std::string> candidates(std::string_view host, std::string_view repository) {
  std::vector<std::string> found;
  for (const std::string& name : credential_hosts(host)) {
    std::string key = lower(cat(name, "/", repository));
    while (key.size() > name.size()) {
      found.push_back(key);
      key = key.substr(0, key.rfind('/'));
    }
    found.push_back(name);
  }
  return found;
}

const Json* member(const Json& object, std::string_view key, std::string_view wanted) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return nullptr;
  if (wanted == "object" ? !found->is_object() : !found->is_string()) {
    throw Error(Exit::usage, cat("`", key, "` must be ", wanted == "object" ? "an object" : "a string"));
  }
  return &*found;
}

std::string text_member(const Json& object, std::string_view key) {
  const Json* found = member(object, key, "string");
  return found ? found->get<std::string>() : std::string();
}

Credentials decode_entry(const std::string& key, const Json& entry, const Place& place) {
  if (!entry.is_object()) throw Error(Exit::usage, cat("the entry ", backticked(key), " must be an object"));
  Credentials credentials{.user = text_member(entry, "username"),
                          .password = text_member(entry, "password"),
                          .identity_token = text_member(entry, "identitytoken"),
                          .registry_token = text_member(entry, "registrytoken"),
                          .source = place.name};
  if (const std::string encoded = text_member(entry, "auth"); !encoded.empty()) {
    const auto pair = base64_decoded(trim(encoded));
    const std::size_t colon = pair ? pair->find(':') : std::string::npos;
    if (colon == std::string::npos) {
      throw Error(Exit::usage, cat("`auth` of ", backticked(key), " is not base64 of `user:password`"));
    }
    credentials.user = pair->substr(0, colon);
    credentials.password = pair->substr(colon + 1);
    // Docker pads short passwords with NUL.
    while (credentials.password.ends_with('\0')) credentials.password.pop_back();
  }
  return credentials;
}

std::optional<Credentials> in_entries(const Json& document, const std::vector<std::string>& wanted,
                                      const Place& place) {
  const Json* entries = member(document, "auths", "object");
  if (entries == nullptr) return std::nullopt;
  for (const std::string& candidate : wanted) {
    for (const auto& [key, entry] : entries->items()) {
      if (normalised_key(key) != candidate) continue;
      Credentials credentials = decode_entry(key, entry, place);
      // `docker login` with a store leaves an empty entry behind.
      if (!credentials.empty()) return credentials;
    }
  }
  return std::nullopt;
}

struct Helper {
  std::string name;
  std::string server;  // what it is asked for
};

std::vector<Helper> helpers_for(const Json& document, const std::vector<std::string>& wanted, std::string_view host) {
  std::vector<Helper> found;
  if (const Json* helpers = member(document, "credHelpers", "object")) {
    for (const std::string& candidate : wanted) {
      for (const auto& [key, name] : helpers->items()) {
        if (normalised_key(key) != candidate || !name.is_string()) continue;
        // An empty name means: for this registry, the file and not the store.
        if (name.get<std::string>().empty()) return {};
        found.push_back({name.get<std::string>(), key});
      }
    }
  }
  const std::string store = text_member(document, "credsStore");
  if (found.empty() && !store.empty()) found.push_back({store, store_key(host)});
  return found;
}

}  // namespace

std::string variable(const Environment& environment, const std::string& name) {
  const auto found = environment.find(name);
  return found == environment.end() ? std::string() : found->second;
}

std::optional<Credentials> find_credentials(std::string_view host, std::string_view repository,
                                            const Environment& environment, ProcessRunner& processes,
                                            std::stop_token stop) {
  const std::vector<std::string> wanted = candidates(host, repository);
  for (const Place& place : places(environment)) {
    if (!place.text || trim(*place.text).empty()) continue;
    std::vector<Helper> helpers;
    std::optional<Credentials> entry;
    try {
      const Json document = parse_json(*place.text, place.name);
      if (!document.is_object()) throw Error(Exit::usage, "the document must be an object");
      helpers = helpers_for(document, wanted, host);
      entry = in_entries(document, wanted, place);
    } catch (const Error& error) {
      throw malformed(place,
                      error.causes().empty() ? error.message() : cat(error.where(), ": ", error.causes().front()));
    }
    for (const Helper& helper : helpers) {
      if (auto found = ask_helper(helper.name, helper.server, environment, processes, stop)) return found;
    }
    if (entry) return entry;
  }
  return std::nullopt;
}

}  // namespace whittle::registry
