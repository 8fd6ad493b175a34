#include "gateway/serve_route.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace whittle::gateway {

namespace {

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char small = server::lower(c);
  return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

// Nothing for what is no encoding, and for control characters, which no name has.
std::optional<std::string> decoded(std::string_view text, bool is_query) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    char c = text[at] == '+' && is_query ? ' ' : text[at];
    if (c == '%') {
      const int high = at + 2 < text.size() ? digit_of(text[at + 1]) : -1;
      const int low = at + 2 < text.size() ? digit_of(text[at + 2]) : -1;
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      at += 2;
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return std::nullopt;
    out += c;
  }
  return out;
}

// The first of each name counts.
std::optional<std::map<std::string, std::string>> query_of(std::string_view text) {
  std::map<std::string, std::string> query;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    const std::size_t equals = std::min(pair.size(), pair.find('='));
    const auto name = decoded(pair.substr(0, equals), true);
    const auto value = decoded(pair.substr(std::min(pair.size(), equals + 1)), true);
    if (!name || !value) return std::nullopt;
    query.emplace(*name, *value);
  }
  return query;
}

// A host, perhaps with a port; empty: none was named.
bool is_registry(std::string_view text) {
  return text.size() <= 255 && std::all_of(text.begin(), text.end(), [](char c) {
           const char small = server::lower(c);
           return (small >= 'a' && small <= 'z') || (c >= '0' && c <= '9') ||
                  std::string_view(".:-[]").find(c) != std::string_view::npos;
         });
}

RouteError unknown_path() {
  return {404, "UNSUPPORTED", "this registry has nothing at that path"};
}

std::variant<Route, RouteError> with_pages(Route route, const std::map<std::string, std::string>& query) {
  if (const auto last = query.find("last"); last != query.end()) route.last = last->second;
  const auto count = query.find("n");
  if (count == query.end()) return route;
  route.count = parse_number(count->second);
  if (!route.count) return RouteError{400, "PAGINATION_NUMBER_INVALID", "`n` is not a number"};
  return route;
}

std::variant<Route, RouteError> with_digest(Route route, std::string_view text) {
  route.digest = Digest::parse(text);
  if (!route.digest) return RouteError{400, "DIGEST_INVALID", "only `sha256:` and 64 digits name content here"};
  return route;
}

// The repository is what stands before the last of these words, which a repository's own name may hold too.
struct Ending {
  std::string_view word;
  Route::Kind kind;
};
constexpr Ending kEndings[] = {
    {"/manifests/", Route::Kind::manifest},
    {"/blobs/", Route::Kind::blob},
    {"/referrers/", Route::Kind::referrers},
    {"/tags/", Route::Kind::tags},
};

std::variant<Route, RouteError> below_a_repository(std::string_view path,
                                                   const std::map<std::string, std::string>& query) {
  const Ending* ending = nullptr;
  std::size_t at = 0;
  for (const Ending& one : kEndings) {
    const std::size_t found = path.rfind(one.word);
    if (found == std::string_view::npos || (ending != nullptr && found < at)) continue;
    ending = &one;
    at = found;
  }
  if (ending == nullptr) return unknown_path();
  Route route;
  route.kind = ending->kind;
  route.repository.path = path.substr(0, at);
  const std::string_view rest = path.substr(at + ending->word.size());
  if (!is_repository_path(route.repository.path)) {
    return RouteError{400, "NAME_INVALID", "that is no name of a repository"};
  }
  if (const auto registry = query.find("ns"); registry != query.end()) route.repository.registry = registry->second;
  if (!is_registry(route.repository.registry)) {
    return RouteError{400, "NAME_INVALID", "`ns` is no name of a registry"};
  }
  if (route.kind == Route::Kind::tags) {
    return rest == "list" ? with_pages(std::move(route), query) : std::variant<Route, RouteError>(unknown_path());
  }
  if (const auto type = query.find("artifactType"); type != query.end()) route.artifact_type = type->second;
  if (route.kind != Route::Kind::manifest || rest.find(':') != std::string_view::npos) {
    return with_digest(std::move(route), rest);
  }
  if (!oci::is_valid_tag(rest)) return RouteError{400, "TAG_INVALID", "that is neither a tag nor a digest"};
  route.tag = rest;
  return route;
}

bool overlap_anywhere(std::vector<server::Range> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (std::size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i - 1].first + ranges[i - 1].size > ranges[i].first) return true;
  }
  return false;
}

}  // namespace

std::variant<Route, RouteError> parse_route(std::string_view target) {
  const std::size_t question = std::min(target.size(), target.find('?'));
  const auto path = decoded(target.substr(0, question), false);
  const auto query = query_of(target.substr(std::min(target.size(), question + 1)));
  if (!path || !query) return RouteError{400, "UNSUPPORTED", "the address is badly encoded"};
  Route route;
  if (*path == "/v2/" || *path == "/v2") {
    route.kind = Route::Kind::base;
    return route;
  }
  if (*path == "/metrics") {
    route.kind = Route::Kind::metrics;
    return route;
  }
  if (*path == "/v2/_catalog") {
    route.kind = Route::Kind::catalog;
    return with_pages(std::move(route), *query);
  }
  if (!path->starts_with("/v2/")) return unknown_path();
  return below_a_repository(std::string_view(*path).substr(4), *query);
}

WantedParts wanted_parts(std::string_view header, std::uint64_t size) {
  const server::Text text(header.data(), header.size());
  const std::size_t equals = text.find('=');
  if (equals == server::Text::kNone || !server::is_same_word(text.first(equals), "bytes")) return {};
  WantedParts wanted;
  bool is_any_beyond = false;
  for (server::Text rest = text.from(equals + 1); !rest.empty();) {
    const server::Text one = server::take_until(rest, ',').trimmed();
    if (one.empty()) continue;
    server::Range range;
    const server::RangePart part = server::parse_range_part(one, static_cast<long long>(size), range);
    if (part == server::RangePart::broken || wanted.list.size() == WantedParts::kMostParts) return {};
    is_any_beyond = is_any_beyond || part == server::RangePart::beyond;
    if (part == server::RangePart::good) wanted.list.push_back(range);
  }
  if (overlap_anywhere(wanted.list)) return {};
  if (!wanted.list.empty()) wanted.answer = WantedParts::Answer::parts;
  if (wanted.list.empty() && is_any_beyond) wanted.answer = WantedParts::Answer::unsatisfiable;
  return wanted;
}

}  // namespace whittle::gateway
