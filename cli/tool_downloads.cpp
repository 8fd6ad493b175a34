#include "cli/tool_downloads.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "plan/public_registries.hpp"
#include "registry/file_download.hpp"

namespace whittle::cli {

namespace {

using plan::kGoProxy;
using plan::kNpmRegistry;
using plan::kPythonFiles;

std::string without_slash(std::string text) {
  while (text.ends_with('/')) text.pop_back();
  return text;
}

// GOPROXY is a list; whittle asks its first element, as `direct` would be a version control system.
std::string go_address(const std::string& url, Session& session) {
  const std::string list = session.variable("GOPROXY");
  const std::string first = without_slash(list.substr(0, list.find_first_of(",|")));
  if (first.empty() || first == "direct") return url;
  if (first == "off") {
    throw Error(Exit::input_unavailable, cat("cannot fetch ", url)).cause("`GOPROXY` is `off`");
  }
  return cat(first, "/", url.substr(kGoProxy.size()));
}

// `index-url` of pip's configuration files, the first that has one.
std::string configured_index(Session& session) {
  const std::string home = session.variable("HOME"), xdg = session.variable("XDG_CONFIG_HOME");
  for (const fs::path& file : {fs::path(session.variable("PIP_CONFIG_FILE")),
                               fs::path(xdg.empty() ? cat(home, "/.config") : xdg) / "pip/pip.conf",
                               fs::path(home) / ".pip/pip.conf", fs::path("/etc/pip.conf")}) {
    if (file.empty()) continue;
    for (const std::string& line : split_lines(read_file_if_exists(file, 1 << 20).value_or(""))) {
      const std::size_t equals = line.find('=');
      if (equals == std::string::npos) continue;
      const std::string_view key = trim(std::string_view(line).substr(0, equals));
      if (key == "index-url" || key == "index_url") return std::string(trim(line.substr(equals + 1)));
    }
  }
  return {};
}

std::string python_address(const std::string& url, const std::string& what, Session& session) {
  const std::string given = session.variable("PIP_INDEX_URL");
  const std::string index = without_slash(given.empty() ? configured_index(session) : given);
  if (index.empty() || index == plan::kPythonIndex) return url;
  const std::string name = last_part(url), package = name.substr(0, name.find('-'));
  const std::string page = cat(index, "/", package, "/");
  const std::string link = link_in_index(
      registry::download_page(cat("the list of ", package, " files"), page, session.client(false)), page, name);
  if (!link.empty()) return link;
  throw Error(Exit::input_unavailable, cat("cannot fetch ", what))
      .at(page)
      .cause(cat("this index has no ", name))
      .hint("`PIP_INDEX_URL` or pip's configuration names this index");
}

// Mirrors of npm's registry have the same paths.
std::string npm_address(const std::string& url, Session& session) {
  for (const char* name : {"NPM_CONFIG_REGISTRY", "npm_config_registry"}) {
    const std::string registry = without_slash(session.variable(name));
    if (!registry.empty()) return cat(registry, "/", url.substr(kNpmRegistry.size()));
  }
  for (const std::string& line :
       split_lines(read_file_if_exists(fs::path(session.variable("HOME")) / ".npmrc", 1 << 20).value_or(""))) {
    const std::size_t equals = line.find('=');
    if (equals == std::string::npos || trim(std::string_view(line).substr(0, equals)) != "registry") continue;
    const std::string registry = without_slash(std::string(trim(std::string_view(line).substr(equals + 1))));
    return cat(registry, "/", url.substr(kNpmRegistry.size()));
  }
  return url;
}

std::string address_of(const plan::Download& download, const std::string& what, Session& session) {
  if (download.url.starts_with(kGoProxy)) return go_address(download.url, session);
  if (download.url.starts_with(kNpmRegistry)) return npm_address(download.url, session);
  if (download.url.starts_with(kPythonFiles)) return python_address(download.url, what, session);
  return download.url;
}

Digest digest_in(const plan::Download& download) {
  const std::optional<Digest> digest = Digest::parse(download.digest);
  if (!digest) throw Error(Exit::usage, cat(backticked(download.digest), " is no digest"));
  return *digest;
}

}  // namespace

std::string link_in_index(std::string_view page, const std::string& page_url, std::string_view file_name) {
  const std::optional<registry::Url> base = registry::Url::parse(page_url);
  for (std::size_t at = page.find("href=\""); at != std::string_view::npos; at = page.find("href=\"", at + 1)) {
    const std::size_t start = at + 6, end = page.find('"', start);
    if (end == std::string_view::npos) break;
    const std::string_view link = page.substr(start, page.substr(start, end - start).find('#') == std::string_view::npos
                                                         ? end - start
                                                         : page.find('#', start) - start);
    if (last_part(link) != file_name || !base) continue;
    const std::optional<registry::Url> url = base->resolve(link);
    if (url) return url->str();
  }
  return {};
}

ToolDownloads::ToolDownloads(Session& session) : session_(session), files_(session.cache_folder() / "downloads") {}

fs::path ToolDownloads::fetch(const plan::Download& download) {
  const Digest digest = digest_in(download);
  if (!files_.has(digest, download.size)) {
    const std::string what = cat(last_part(download.program), " ", download.version);
    registry::download_file({what, address_of(download, what, session_), digest, download.size}, files_,
                            session_.client(false));
  }
  return files_.path(digest);
}

void ToolDownloads::release(const plan::Download& download) {
  remove_tree(files_.path(digest_in(download)));
}

}  // namespace whittle::cli
