// The seam below the registry client: one HTTP exchange. Redirects, authentication and retries are
// decided above it, so that credentials never follow a redirect by accident.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/stream.hpp"
#include "registry/reach.hpp"

namespace whittle::registry {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  Headers headers = {};
  // Body: a text, or a source that gives exactly `body_size` bytes.
  std::string body = {};
  Source* body_source = nullptr;
  std::uint64_t body_size = 0;
  // The address that is really connected to may lie no further inside than this.
  Reach reach = Reach::anywhere;
};

struct HttpResponse {
  int status = 0;
  Headers headers = {};   // names in lower case
  std::string body = {};  // capped; empty when it went to a sink
  std::string peer = {};  // the address that answered; empty when it is not known
  std::optional<std::string> header(std::string_view name) const;  // the first one
  std::vector<std::string> all(std::string_view name) const;
  std::string media_type() const;  // Content-Type in lower case, without its parameters
  bool ok() const { return status >= 200 && status < 300; }
};

// Why there is no complete response, in the far side's or libcurl's words.
struct TransportFailure {
  enum class Kind {
    broken,     // not reached, or broke off: trying again may help
    untrusted,  // certificate or protocol trouble
    refused,    // whittle would not go on: the answer is too large, the address is not allowed
    cancelled,
  };
  Kind kind = Kind::broken;
  std::string text;                      // "connection reset by peer"
  std::uint64_t sent = 0, received = 0;  // body bytes
};

using Outcome = std::variant<HttpResponse, TransportFailure>;

// Chooses where the body of a 2xx answer goes, by its status and headers, before the first byte comes. Null: it is
// kept. May be called once more for every exchange.
using BodySink = std::function<Sink*(const HttpResponse& head)>;

class HttpTransport {
 public:
  virtual ~HttpTransport() = default;
  // Body bytes of a 2xx response go to the sink that `sink` chooses, as they come; others are kept, at most 4 MiB.
  // What it, `sink` or the body's source throws, comes out. Never follows redirects. Called from several threads.
  virtual Outcome send(const HttpRequest& request, const BodySink& sink, std::stop_token stop) = 0;
};

// libcurl: proxies of the environment (not for loopback), TLS 1.2 or newer, always verified: against
// `authorities` (a PEM file), or when empty `SSL_CERT_FILE`, or else the system's.
// A transfer that does not move for `stall` is given up, and one with a small body and a kept answer (a manifest, a
// token, a list) after `answer`, however it moves; libcurl looks once a second.
struct TransportLimits {
  std::chrono::seconds connect{15}, stall{30}, answer{120};
};
struct Url;
// How one host's connections are secured, beyond what holds for all.
struct TlsSettings {
  std::string authorities = {};                      // PEM; besides the system's
  std::filesystem::path certificate = {}, key = {};  // the client's own
  bool verifies = true;
  bool operator==(const TlsSettings&) const = default;
};
// Asked once for every scheme, host and port that is connected to.
using TlsFor = std::function<TlsSettings(const Url&)>;
std::unique_ptr<HttpTransport> curl_transport(std::filesystem::path authorities = {}, TransportLimits limits = {},
                                              TlsFor tls_for = {});

struct Url {
  std::string scheme, host, port, path_and_query;  // port as a number, always filled; IPv6 with brackets
  // http and https only; no user information, white space or control characters. The fragment is dropped.
  static std::optional<Url> parse(std::string_view text);
  // Scheme, host and port: credentials go nowhere else.
  std::string origin() const;
  std::string str() const;
  // A Location header against this URL (RFC 3986 5.2).
  std::optional<Url> resolve(std::string_view location) const;
  // The same with one more query parameter; the others are opaque state of the registry and stay as they are.
  Url with_parameter(std::string_view name, std::string_view value) const;
};

// Escapes everything but RFC 3986's unreserved characters.
std::string percent_encoded(std::string_view text);

// For messages and logs: no user information, query values replaced.
std::string redacted(std::string_view url);

}  // namespace whittle::registry
