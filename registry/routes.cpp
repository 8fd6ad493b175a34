#include "registry/routes.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "registry/hub.hpp"
#include "registry/reach.hpp"
#include "registry/settings_file.hpp"

namespace whittle::registry {

namespace {

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
  for (const fs::path& file : sorted_files(folder, ".crt")) text += cat(read_file(file, SettingsFile::kMaximum), "\n");
  return text;
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
  const auto text = read_file_if_exists(path, SettingsFile::kMaximum);
  if (!text) return;
  const SettingsFile file(path, *text);
  const Json& tables = file.tables(file.root(), "", "registry");
  for (std::size_t i = 0; i < tables.size(); ++i) {
    const std::string at = cat("/registry/", i);
    Entry entry;
    entry.file = path.native();
    entry.location = file.text(tables[i], at, "location");
    entry.prefix = file.text(tables[i], at, "prefix", entry.location);
    if (entry.prefix.empty()) throw file.error(at, "a registry needs a `prefix` or a `location`");
    entry.is_insecure = file.flag(tables[i], at, "insecure", false);
    entry.is_blocked = file.flag(tables[i], at, "blocked", false);
    const bool digests_only = file.flag(tables[i], at, "mirror-by-digest-only", false);
    const Json& mirrors = file.tables(tables[i], at, "mirror");
    for (std::size_t j = 0; j < mirrors.size(); ++j) {
      const std::string there = cat(at, "/mirror/", j);
      Entry::MirrorEntry mirror;
      mirror.location = file.text(mirrors[j], there, "location");
      if (mirror.location.empty()) throw file.error(there, "a mirror needs a `location`");
      mirror.is_insecure = file.flag(mirrors[j], there, "insecure", false);
      const auto what = file.text(mirrors[j], there, "pull-from-mirror", digests_only ? "digest-only" : "all");
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
