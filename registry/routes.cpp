#include "registry/routes.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "base/toml.hpp"
#include "registry/hub.hpp"
#include "registry/reach.hpp"

namespace whittle::registry {

namespace {

constexpr std::uint64_t kMaximumFile = 1 << 20;

std::string variable(const Environment& environment, const char* name) {
  const auto found = environment.find(name);
  return found == environment.end() ? std::string() : found->second;
}

std::vector<fs::path> sorted_files(const fs::path& folder, std::string_view extension) {
  std::vector<fs::path> files;
  std::error_code problem;
  for (auto entry = fs::directory_iterator(folder, problem); !problem && entry != fs::directory_iterator();
       entry.increment(problem)) {
    if (entry->path().extension() == extension) files.push_back(entry->path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

class File {
 public:
  File(const fs::path& path, const std::string& text) : path_(path.native()), document_(parse_toml(text, path_)) {}
  const Json& root() const { return document_.root; }
  int line(const std::string& pointer) const { return document_.line(pointer); }

  Error error(const std::string& pointer, std::string why) const {
    Error error(Exit::usage, cat("cannot use ", backticked(path_)));
    error.at(cat(path_, ":", document_.line(pointer))).cause(std::move(why));
    return error;
  }
  template <class T>
  T value(const Json& table, const std::string& pointer, const char* key, T fallback) const {
    const auto found = table.find(key);
    if (found == table.end()) return fallback;
    const bool fits = std::is_same_v<T, bool> ? found->is_boolean() : found->is_string();
    if (!fits) {
      throw error(cat(pointer, "/", key),
                  cat("`", key, "` must be ", std::is_same_v<T, bool> ? "true or false" : "a string"));
    }
    return found->template get<T>();
  }
  const Json& tables(const Json& table, const std::string& pointer, const char* key) const {
    static const Json kNone = Json::array();
    const auto found = table.find(key);
    if (found == table.end()) return kNone;
    const bool are_tables =
        found->is_array() && std::all_of(found->begin(), found->end(), [](const Json& one) { return one.is_object(); });
    if (!are_tables) throw error(cat(pointer, "/", key), cat("`", key, "` must be a list of tables"));
    return *found;
  }

 private:
  std::string path_;
  TomlDocument document_;
};

// Does `name` (HOST/REPOSITORY, with tag or digest) lie below `prefix`? How much of it, or npos.
std::size_t matched_length(std::string_view name, std::string_view prefix) {
  if (prefix.starts_with("*.")) {
    const std::string_view host = name.substr(0, name.find('/'));
    const std::string_view bare = host.substr(0, host.find(':'));
    const bool fits = bare.ends_with(prefix.substr(1)) && bare.size() > prefix.size() - 1;
    return fits ? bare.size() : std::string_view::npos;
  }
  if (!name.starts_with(prefix)) return std::string_view::npos;
  const bool ends_there =
      name.size() == prefix.size() || std::string_view("/:@").find(name[prefix.size()]) != std::string_view::npos;
  return ends_there ? prefix.size() : std::string_view::npos;
}

std::string host_in(std::string_view location) {
  return lower(location.substr(0, location.find('/')));
}

// The reference with the first `length` bytes of its name replaced.
oci::Reference relocated(const oci::Reference& reference, std::size_t length, const std::string& location) {
  oci::Reference moved = oci::Reference::parse(cat(location, reference.name().substr(length)));
  moved.tag = reference.tag;
  moved.digest = reference.digest;
  return moved;
}

std::string read_certificates(const fs::path& folder) {
  std::string text;
  for (const fs::path& file : sorted_files(folder, ".crt")) text += cat(read_file(file, kMaximumFile), "\n");
  return text;
}

std::string host_pointer(std::string_view address) {
  std::string out = "/host/";
  for (const char c : address) out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return out;
}

// The `[host."…"]` tables, as they stand in the file.
std::vector<std::string> hosts_in_order(const File& file) {
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
TlsSettings tls_in(const File& file, const Json& table, const std::string& pointer, const fs::path& folder) {
  TlsSettings tls;
  tls.verifies = !file.value(table, pointer, "skip_verify", false);
  if (const auto authorities = table.find("ca"); authorities != table.end()) {
    for (const Json& one : authorities->is_array() ? *authorities : Json::array({*authorities})) {
      if (one.is_string()) tls.authorities += cat(read_file(folder / one.get<std::string>(), kMaximumFile), "\n");
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

Routes Routes::read(const Environment& environment, const fs::path& etc) {
  Routes routes;
  const std::string home = variable(environment, "HOME");
  std::string config = variable(environment, "XDG_CONFIG_HOME");
  if (!config.starts_with('/')) config = home.starts_with('/') ? home + "/.config" : std::string();
  const fs::path own = config.empty() ? fs::path() : fs::path(config) / "containers";
  const fs::path shared = etc / "containers";
  const std::string given = variable(environment, "CONTAINERS_REGISTRIES_CONF");
  const bool has_own = !own.empty() && fs::exists(own / "registries.conf");
  routes.read_registries(!given.empty() ? fs::path(given) : (has_own ? own : shared) / "registries.conf");
  for (const fs::path& folder : {shared, own}) {
    if (folder.empty() || !given.empty()) continue;
    for (const fs::path& file : sorted_files(folder / "registries.conf.d", ".conf")) routes.read_registries(file);
  }
  if (!own.empty()) routes.certificate_folders_.push_back(own / "certs.d");
  routes.certificate_folders_.push_back(shared / "certs.d");
  routes.certificate_folders_.push_back(etc / "docker/certs.d");
  routes.read_hosts(etc / "containerd/certs.d");
  return routes;
}

void Routes::read_registries(const fs::path& path) {
  const auto text = read_file_if_exists(path, kMaximumFile);
  if (!text) return;
  const File file(path, *text);
  const Json& tables = file.tables(file.root(), "", "registry");
  for (std::size_t i = 0; i < tables.size(); ++i) {
    const std::string at = cat("/registry/", i);
    Entry entry;
    entry.file = path.native();
    entry.location = file.value<std::string>(tables[i], at, "location", "");
    entry.prefix = file.value<std::string>(tables[i], at, "prefix", entry.location);
    if (entry.prefix.empty()) throw file.error(at, "a registry needs a `prefix` or a `location`");
    entry.is_insecure = file.value(tables[i], at, "insecure", false);
    entry.is_blocked = file.value(tables[i], at, "blocked", false);
    const bool digests_only = file.value(tables[i], at, "mirror-by-digest-only", false);
    const Json& mirrors = file.tables(tables[i], at, "mirror");
    for (std::size_t j = 0; j < mirrors.size(); ++j) {
      const std::string there = cat(at, "/mirror/", j);
      Entry::MirrorEntry mirror;
      mirror.location = file.value<std::string>(mirrors[j], there, "location", "");
      if (mirror.location.empty()) throw file.error(there, "a mirror needs a `location`");
      mirror.is_insecure = file.value(mirrors[j], there, "insecure", false);
      const auto what =
          file.value<std::string>(mirrors[j], there, "pull-from-mirror", digests_only ? "digest-only" : "all");
      if (what != "all" && what != "digest-only" && what != "tag-only") {
        throw file.error(cat(there, "/pull-from-mirror"),
                         cat(backticked(what), " is none of `all`, `digest-only` and `tag-only`"));
      }
      mirror.has_tags = what != "digest-only";
      mirror.has_digests = what != "tag-only";
      if (mirror.is_insecure) note_insecure(mirror.location);
      entry.mirrors.push_back(std::move(mirror));
    }
    if (entry.is_insecure) note_insecure(entry.location.empty() ? entry.prefix : entry.location);
    // A later file has the last word.
    std::erase_if(entries_, [&](const Entry& earlier) { return earlier.prefix == entry.prefix; });
    entries_.push_back(std::move(entry));
  }
}

void Routes::read_hosts(const fs::path& folder) {
  std::error_code problem;
  for (auto each = fs::directory_iterator(folder, problem); !problem && each != fs::directory_iterator();
       each.increment(problem)) {
    const fs::path path = each->path() / "hosts.toml";
    const auto text = read_file_if_exists(path, kMaximumFile);
    const std::string name = each->path().filename();
    const bool is_known =
        std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.prefix == name; });
    if (!text || is_known || name.starts_with('_')) continue;
    const File file(path, *text);
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

void Routes::note_insecure(std::string_view location) {
  insecure_hosts_.insert(host_in(location));
}

const Routes::Entry* Routes::entry_for(const std::string& name) const {
  const Entry* best = nullptr;
  for (const Entry& entry : entries_) {
    if (matched_length(name, entry.prefix) == std::string_view::npos) continue;
    if (best == nullptr || entry.prefix.size() > best->prefix.size()) best = &entry;
  }
  return best;
}

Route Routes::of(const oci::Reference& reference) const {
  Route route{
      .upstream = {reference, insecure_hosts_.count(lower(reference.host)) > 0}, .mirrors = {}, .blocked_by = {}};
  const Entry* const entry = reference.repository.empty() ? nullptr : entry_for(reference.str());
  if (entry == nullptr) return route;
  if (entry->is_blocked) route.blocked_by = entry->file;
  const std::size_t length = std::min(matched_length(reference.str(), entry->prefix), reference.name().size());
  if (!entry->location.empty()) route.upstream.reference = relocated(reference, length, entry->location);
  route.upstream.is_insecure = entry->is_insecure || insecure_hosts_.count(lower(route.upstream.reference.host)) > 0;
  for (const Entry::MirrorEntry& mirror : entry->mirrors) {
    // A mirror without a path stands for the host that the prefix begins with.
    const bool is_host = mirror.location.find('/') == std::string::npos && entry->prefix.find('/') == std::string::npos;
    const std::size_t replaced = is_host ? reference.host.size() : length;
    route.mirrors.push_back({.endpoint = {relocated(reference, replaced, mirror.location), mirror.is_insecure},
                             .has_tags = mirror.has_tags,
                             .has_digests = mirror.has_digests});
  }
  return route;
}

TlsSettings Routes::tls_for(const Url& url) const {
  const std::string host = cat(url.host, ":", url.port);
  TlsSettings settings;
  if (const auto found = tls_.find(host); found != tls_.end()) settings = found->second;
  if (insecure_hosts_.count(host) > 0 || insecure_hosts_.count(url.host) > 0) settings.verifies = false;
  std::vector<std::string> names = {host};
  if (url.port == "443") names.push_back(url.host);
  if (url.host == api_host("docker.io")) names.push_back("docker.io");
  for (const fs::path& folder : certificate_folders_) {
    for (const std::string& name : names) {
      settings.authorities += read_certificates(folder / name);
      for (const fs::path& certificate : sorted_files(folder / name, ".cert")) {
        fs::path key = certificate;
        key.replace_extension(".key");
        if (!settings.certificate.empty()) break;
        if (!fs::exists(key)) {
          throw Error(Exit::usage, cat("the client certificate ", backticked(certificate.native()), " has no key"))
              .hint(cat("put the key beside it, as ", backticked(key.native())));
        }
        settings.certificate = certificate;
        settings.key = key;
      }
    }
  }
  return settings;
}

}  // namespace whittle::registry
