// What a request of a registry's client asks for, read strictly. Pure; fuzz/serve.cpp.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/digest.hpp"
#include "gateway/serve_catalog.hpp"
#include "server/ranges.hpp"

namespace whittle::gateway {

struct Route {
  enum class Kind { base, catalog, tags, manifest, blob, referrers, metrics, other } kind = Kind::other;
  AskedRepository repository;
  std::string tag;               // of a manifest, or
  std::optional<Digest> digest;  // of a manifest, blob or subject
  std::string artifact_type;     // of referrers; empty: all
  std::optional<std::uint64_t> count;
  std::string last;  // of a list: what the client has already
};

// What is wrong with a request, as distribution-spec's "Error Codes" have it.
struct RouteError {
  int status = 404;
  const char* code = "";
  std::string message;
};

std::variant<Route, RouteError> parse_route(std::string_view target);

// The parts of a blob that a client asks for. More than kMostParts, and parts that overlap, are answered with the
// whole.
struct WantedParts {
  static constexpr std::size_t kMostParts = 1024;  // as many as Podman asks for at once
  enum class Answer { whole, parts, unsatisfiable } answer = Answer::whole;
  std::vector<server::Range> list;
};
WantedParts wanted_parts(std::string_view header, std::uint64_t size);

}  // namespace whittle::gateway
