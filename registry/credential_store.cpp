#include "registry/credential_store.hpp"

#include "base/base64.hpp"
#include "base/error.hpp"
#include "base/files.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "registry/hub.hpp"

namespace whittle::registry {

namespace {

constexpr std::uint64_t kMaximumFile = 4 << 20;

fs::path file_of(const Environment& environment) {
  if (const std::string docker = variable(environment, "DOCKER_CONFIG"); !docker.empty())
    return fs::path(docker) / "config.json";
  if (const std::string given = variable(environment, "REGISTRY_AUTH_FILE"); !given.empty()) return given;
  if (const std::string home = variable(environment, "HOME"); home.starts_with('/'))
    return fs::path(home) / ".docker/config.json";
  throw Error(Exit::usage, "there is no place to keep credentials: neither `DOCKER_CONFIG` nor `HOME` names a folder")
      .hint("set `DOCKER_CONFIG` to a folder that only you can read");
}

// What is known besides credentials stays as it is.
class ConfigFile {
 public:
  explicit ConfigFile(fs::path path) : path_(std::move(path)) {
    std::error_code ignored;
    // A link stays a link.
    if (const fs::path real = fs::canonical(path_, ignored); !ignored) path_ = real;
    const auto text = read_file_if_exists(path_, kMaximumFile);
    if (text && !trim(*text).empty()) document_ = parse_json(*text, backticked(path_.native()));
    if (!document_.is_object()) throw Error(Exit::usage, cat(backticked(path_.native()), " is not a JSON object"));
  }

  // The helper for this host; empty when the file itself is to be used.
  std::string helper(const std::string& key) const {
    const auto helpers = document_.find("credHelpers");
    if (helpers != document_.end() && helpers->is_object() && helpers->contains(key) && (*helpers)[key].is_string()) {
      return (*helpers)[key].get<std::string>();
    }
    return json_text(document_, "credsStore");
  }

  Json& entries() {
    Json& entries = document_["auths"];
    if (entries.is_null()) entries = Json::object();
    if (!entries.is_object()) {
      throw Error(Exit::usage, cat("`auths` in ", backticked(path_.native()), " must be an object"));
    }
    return entries;
  }

  void write() const {
    make_folders(path_.parent_path());
    write_file(path_, pretty_json(document_), 0600);
  }
  std::string name() const { return backticked(path_.native()); }

 private:
  fs::path path_;
  Json document_ = Json::object();
};

}  // namespace

Stored store_credentials(const std::string& host, const Credentials& credentials, const Environment& environment,
                         ProcessRunner& processes, std::stop_token stop) {
  ConfigFile file(file_of(environment));
  const std::string key = store_key(host);
  const std::string helper = file.helper(key);
  if (!helper.empty()) {
    const Json input = {{"ServerURL", key}, {"Username", credentials.user}, {"Secret", credentials.password}};
    tell_helper(helper, "store", canonical_json(input), environment, processes, std::move(stop));
    // Docker knows by an empty entry that the helper has one.
    file.entries()[key] = Json::object();
    file.write();
    return {cat("`docker-credential-", printable(helper), "`"), false};
  }
  file.entries()[key] = {{"auth", base64_of(bytes_of(cat(credentials.user, ":", credentials.password)))}};
  file.write();
  return {file.name(), true};
}

bool erase_credentials(const std::string& host, const Environment& environment, ProcessRunner& processes,
                       std::stop_token stop) {
  ConfigFile file(file_of(environment));
  const std::string key = store_key(host);
  const std::string helper = file.helper(key);
  bool had = false;
  if (!helper.empty() && ask_helper(helper, key, environment, processes, stop)) {
    tell_helper(helper, "erase", key, environment, processes, std::move(stop));
    had = true;
  }
  if (file.entries().erase(key) > 0) {
    file.write();
    had = true;
  }
  return had;
}

}  // namespace whittle::registry
