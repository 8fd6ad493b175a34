// The seam below the registry client: one HTTP exchange. Redirects and authentication are decided above
// it, so that credentials never follow a redirect by accident.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/stream.hpp"

namespace whittle::registry {

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  // Body: a text, or a source that gives exactly `body_size` bytes.
  std::string body;
  Source* body_source = nullptr;
  std::uint64_t body_size = 0;
};

struct HttpResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;        // names in lower case
  std::string body;                                                // capped; empty when it went to a sink
  std::optional<std::string> header(std::string_view name) const;  // the first one
};

// The far side could not be reached or broke off: retrying may help (exit 75).
struct TransportFailure {
  std::string text;  // "connection reset by peer"
  bool is_transient = true;
};

class HttpTransport {
 public:
  virtual ~HttpTransport() = default;
  // Body bytes of a 2xx response go to `sink` when given, as they come; others are kept, at most 4 MiB.
  // Throws Error(transient) when there was no complete response, Error(usage) for certificate trouble.
  // Never follows redirects. Called from several threads.
  virtual HttpResponse send(const HttpRequest& request, Sink* sink, std::stop_token stop) = 0;
};

std::unique_ptr<HttpTransport> curl_transport();

struct Url {
  std::string scheme, host, port, path_and_query;  // port as a number, always filled
  static std::optional<Url> parse(std::string_view text);
  // Scheme, host and port: credentials go nowhere else.
  std::string origin() const;
  std::string str() const;
  // A Location header against this URL (RFC 3986 5.2, the forms that registries use).
  std::optional<Url> resolve(std::string_view location) const;
};

// For messages and logs: no user information, query values replaced.
std::string redacted(std::string_view url);

}  // namespace whittle::registry
