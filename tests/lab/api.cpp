#include "tests/lab/api.hpp"

#include <regex>

#include "base/digest.hpp"
#include "base/text.hpp"

namespace whittle::testing {

namespace {

bool is_repository(const std::string& name) {
  static const std::regex pattern("[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*)*",
                                  std::regex::optimize);
  return std::regex_match(name, pattern);
}

bool is_tag(const std::string& name) {
  static const std::regex pattern("[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", std::regex::optimize);
  return std::regex_match(name, pattern);
}

}  // namespace

bool is_digest(const std::string& text) {
  return Digest::parse(text).has_value();
}

std::string flipped(std::string content) {
  if (!content.empty()) content[content.size() / 2] = static_cast<char>(content[content.size() / 2] ^ 0x10);
  return content;
}

Api::Route Api::route_of(const std::string& path) {
  using Kind = Route::Kind;
  if (path == "/v2/") return {Kind::root, "", ""};
  if (!path.starts_with("/v2/")) return {};
  const std::string rest = path.substr(4);
  for (const auto& [middle, kind] : {std::pair("/blobs/uploads/", Kind::upload), std::pair("/blobs/", Kind::blob),
                                     std::pair("/manifests/", Kind::manifest),
                                     std::pair("/referrers/", Kind::referrers), std::pair("/tags/", Kind::tags)}) {
    const std::size_t at = rest.rfind(middle);
    if (at == std::string::npos) continue;
    Route route{kind, rest.substr(0, at), rest.substr(at + std::string_view(middle).size())};
    if (kind == Kind::upload && route.name.empty()) route.kind = Kind::uploads;
    return route;
  }
  return {};
}

std::string Api::repository_of(const Question& question) {
  return route_of(question.path).repository;
}

Answer Api::answer(const Question& question) {
  const Route route = route_of(question.path);
  if (route.kind == Route::Kind::none) return error_answer(404, "NOT_FOUND", "no such place");
  if (route.kind == Route::Kind::root) return {};
  if (!is_repository(route.repository)) return error_answer(400, "NAME_INVALID", "invalid repository name");
  switch (route.kind) {
    case Route::Kind::tags:
      return list_tags(question, route);
    case Route::Kind::manifest:
      if (is_digest(route.name) || is_tag(route.name)) return manifest(question, route);
      return error_answer(400, "TAG_INVALID", "invalid reference");
    case Route::Kind::referrers:
      return list_referrers(question, route);
    case Route::Kind::blob:
      if (is_digest(route.name)) return blob(question, route);
      return error_answer(400, "DIGEST_INVALID", "invalid digest");
    case Route::Kind::uploads:
      return open_upload(question, route);
    default:
      return upload(question, route);
  }
}

}  // namespace whittle::testing
