#include "registry/http.hpp"

#include <algorithm>
#include <cctype>

#include "base/text.hpp"

namespace whittle::registry {

namespace {

bool is_visible_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 0x20 && c < 0x7F && c != '\\'; });
}

bool is_host_character(unsigned char c) {
  return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_';
}

bool is_address_character(unsigned char c) {
  return std::isxdigit(c) != 0 || c == ':' || c == '.';
}

bool is_host(std::string_view text) {
  if (text.size() > 255) return false;
  if (text.starts_with('[')) {
    return text.size() > 4 && text.ends_with(']') &&
           std::all_of(text.begin() + 1, text.end() - 1, is_address_character);
  }
  return !text.empty() && std::all_of(text.begin(), text.end(), is_host_character);
}

std::string default_port(std::string_view scheme) {
  return scheme == "https" ? "443" : "80";
}

// RFC 3986 5.2.4, for a path without its query.
std::string without_dot_segments(std::string_view path) {
  std::vector<std::string> kept;
  const std::vector<std::string> parts = split(path, '/');
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const bool is_last = i + 1 == parts.size();
    if (parts[i] == "..") {
      if (!kept.empty()) kept.pop_back();
      if (is_last) kept.emplace_back();
    } else if (parts[i] != ".") {
      kept.push_back(parts[i]);
    } else if (is_last) {
      kept.emplace_back();
    }
  }
  return "/" + join(kept, "/");
}

std::string normalised(std::string_view path_and_query) {
  const std::size_t query = path_and_query.find('?');
  std::string path = without_dot_segments(path_and_query.substr(0, query));
  if (query != std::string_view::npos) path += path_and_query.substr(query);
  return path;
}

}  // namespace

std::optional<std::string> HttpResponse::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::string HttpResponse::media_type() const {
  const std::string type = header("content-type").value_or("");
  return lower(trim(std::string_view(type).substr(0, type.find(';'))));
}

std::vector<std::string> HttpResponse::all(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [key, value] : headers) {
    if (key == name) values.push_back(value);
  }
  return values;
}

std::optional<Url> Url::parse(std::string_view text) {
  if (text.size() > 16 * 1024 || !is_visible_ascii(text)) return std::nullopt;
  text = text.substr(0, text.find('#'));
  Url url;
  const std::size_t separator = text.find("://");
  if (separator == std::string_view::npos) return std::nullopt;
  url.scheme = lower(text.substr(0, separator));
  if (url.scheme != "http" && url.scheme != "https") return std::nullopt;
  text.remove_prefix(separator + 3);

  const std::size_t end = std::min(text.find_first_of("/?"), text.size());
  std::string_view authority = text.substr(0, end);
  const std::size_t colon = authority.rfind(':');
  url.port = default_port(url.scheme);
  if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos) {
    const auto port = parse_number(authority.substr(colon + 1));
    if (!port || *port == 0 || *port > 65535) return std::nullopt;
    url.port = std::to_string(*port);
    authority = authority.substr(0, colon);
  }
  url.host = lower(authority);
  if (!is_host(url.host)) return std::nullopt;
  url.path_and_query = text.substr(end);
  if (!url.path_and_query.starts_with('/')) url.path_and_query.insert(0, "/");
  return url;
}

std::string Url::origin() const {
  return cat(scheme, "://", host, ":", port);
}

std::string Url::str() const {
  if (port == default_port(scheme)) return cat(scheme, "://", host, path_and_query);
  return cat(origin(), path_and_query);
}

std::optional<Url> Url::resolve(std::string_view location) const {
  if (!is_visible_ascii(location) || location.empty()) return std::nullopt;
  location = location.substr(0, location.find('#'));
  const std::size_t colon = location.find(':');
  if (colon != std::string_view::npos && location.find_first_of("/?") > colon) return parse(location);
  if (location.starts_with("//")) return parse(cat(scheme, ":", location));

  Url url = *this;
  const std::string_view path = std::string_view(path_and_query).substr(0, path_and_query.find('?'));
  if (location.empty()) return url;
  if (location.starts_with('/')) {
    url.path_and_query = normalised(location);
  } else if (location.starts_with('?')) {
    url.path_and_query = cat(path, location);
  } else {
    url.path_and_query = normalised(cat(path.substr(0, path.rfind('/') + 1), location));
  }
  return url;
}

Url Url::with_parameter(std::string_view name, std::string_view value) const {
  Url url = *this;
  const char separator = path_and_query.find('?') == std::string::npos ? '?' : '&';
  url.path_and_query += cat(separator, name, "=", percent_encoded(value));
  return url;
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kUnreserved = "-._~";
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char character : text) {
    const auto c = static_cast<unsigned char>(character);
    if (c < 0x80 && (std::isalnum(c) != 0 || kUnreserved.find(character) != std::string_view::npos)) {
      out += character;
    } else {
      out += cat('%', kHex[c >> 4], kHex[c & 15]);
    }
  }
  return out;
}

std::string redacted(std::string_view url) {
  std::string out;
  const std::size_t separator = url.find("://");
  const std::size_t start = separator == std::string_view::npos ? 0 : separator + 3;
  out += url.substr(0, start);
  url.remove_prefix(start);
  const std::string_view authority = url.substr(0, url.find_first_of("/?#"));
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) url.remove_prefix(at + 1);

  url = url.substr(0, url.find('#'));
  const std::size_t query = url.find('?');
  out += url.substr(0, query);
  if (query == std::string_view::npos) return printable(out);
  char joint = '?';
  for (const std::string& parameter : split(url.substr(query + 1), '&')) {
    const std::size_t equals = parameter.find('=');
    out += joint;
    out += equals == std::string::npos ? "…" : cat(parameter.substr(0, equals), "=…");
    joint = '&';
  }
  return printable(out);
}

}  // namespace whittle::registry
