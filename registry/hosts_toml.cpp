// containerd's hosts.toml, one for each registry.
#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "registry/routes.hpp"
#include "registry/settings_file.hpp"

namespace whittle::registry {

namespace {

std::string host_pointer(std::string_view address) {
  std::string out = "/host/";
  for (const char c : address) out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return out;
}

// The `[host."…"]` tables, as they stand in the file.
std::vector<std::string> hosts_in_order(const SettingsFile& file) {
  std::vector<std::pair<int, std::string>> found;
  const auto hosts = file.root().find("host");
  if (hosts == file.root().end() || !hosts->is_object()) return {};
  for (const auto& [address, table] : hosts->items()) {
    if (table.is_object()) found.emplace_back(file.line(host_pointer(address)), address);
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> addresses;
  for (auto& [line, address] : found) addresses.push_back(std::move(address));
  return addresses;
}

bool has_capability(const Json& table, const char* what) {
  const auto given = table.find("capabilities");
  return given == table.end() || !given->is_array() || std::find(given->begin(), given->end(), what) != given->end();
}

// `ca`, `client` and `skip_verify` of one host; paths start from the file's folder.
TlsSettings tls_in(const SettingsFile& file, const Json& table, const std::string& pointer, const fs::path& folder) {
  TlsSettings tls;
  tls.verifies = !file.flag(table, pointer, "skip_verify", false);
  if (const auto authorities = table.find("ca"); authorities != table.end()) {
    for (const Json& one : authorities->is_array() ? *authorities : Json::array({*authorities})) {
      if (one.is_string())
        tls.authorities += cat(read_file(folder / one.get<std::string>(), SettingsFile::kMaximum), "\n");
    }
  }
  const auto client = table.find("client");
  if (client == table.end() || !client->is_array() || client->empty()) return tls;
  const Json& pair = client->front().is_array() ? client->front() : *client;
  if (pair.size() == 2 && pair[0].is_string() && pair[1].is_string()) {
    tls.certificate = folder / pair[0].get<std::string>();
    tls.key = folder / pair[1].get<std::string>();
  }
  return tls;
}

}  // namespace

void Routes::read_hosts(const fs::path& folder) {
  std::error_code problem;
  for (auto each = fs::directory_iterator(folder, problem); !problem && each != fs::directory_iterator();
       each.increment(problem)) {
    const fs::path path = each->path() / "hosts.toml";
    const auto text = read_file_if_exists(path, SettingsFile::kMaximum);
    const std::string name = each->path().filename();
    const bool is_known =
        std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.prefix == name; });
    if (!text || is_known || name.starts_with('_')) continue;
    const SettingsFile file(path, *text);
    Entry entry;
    entry.prefix = name;
    entry.file = path.native();
    for (const std::string& address : hosts_in_order(file)) {
      const Json& table = file.root()["host"][address];
      const auto url = Url::parse(address.find("://") == std::string::npos ? cat("https://", address) : address);
      if (!url) throw file.error(host_pointer(address), cat(backticked(address), " is not an address"));
      // A path other than the API's own is not understood, so the mirror is passed over.
      if (url->path_and_query != "/" && url->path_and_query != "/v2" && url->path_and_query != "/v2/") continue;
      const TlsSettings tls = tls_in(file, table, host_pointer(address), each->path());
      tls_[cat(url->host, ":", url->port)] = tls;
      if (name == url->host || name == cat(url->host, ":", url->port) || !has_capability(table, "pull")) continue;
      const bool is_default_port = url->port == (url->scheme == "https" ? "443" : "80");
      // A host with `resolve` may say what a tag means; one with `pull` alone serves what a digest vouches for.
      entry.mirrors.push_back({.location = is_default_port ? url->host : cat(url->host, ":", url->port),
                               .is_insecure = url->scheme == "http" || !tls.verifies,
                               .has_tags = has_capability(table, "resolve")});
    }
    if (!entry.mirrors.empty()) entries_.push_back(std::move(entry));
  }
}

}  // namespace whittle::registry
