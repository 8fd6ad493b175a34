#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <exception>
#include <limits>
#include <map>
#include <mutex>

#include "base/error.hpp"
#include "base/text.hpp"
#include "registry/http.hpp"

namespace whittle::registry {

namespace {

constexpr std::size_t kMaximumBody = 4 << 20;
constexpr std::size_t kMaximumHeaders = 256 * 1024;
constexpr std::uint64_t kWorthAsking = 1 << 20;

struct CloseHandle {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
using Handle = std::unique_ptr<CURL, CloseHandle>;

class HeaderList {
 public:
  HeaderList() = default;
  ~HeaderList() { curl_slist_free_all(list_); }
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;
  void add(const std::string& line) { list_ = curl_slist_append(list_, line.c_str()); }
  curl_slist* get() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

// One exchange in flight: what the C callbacks work on. They never throw; what came up is kept in
// `thrown` or `refused`, and comes out when libcurl has returned.
struct Exchange {
  CURL* handle;
  const HttpRequest& request;
  const BodySink& choose_sink;
  std::stop_token stop;
  Sink* sink = nullptr;
  bool has_body = false;
  HttpResponse response = {};
  std::size_t header_bytes = 0;
  std::uint64_t sent = 0, received = 0;
  std::uint64_t moved = 0;
  std::chrono::steady_clock::time_point last_move = std::chrono::steady_clock::now();
  TransportLimits limits = {};
  std::chrono::steady_clock::time_point begin = last_move;
  std::string too_slow = {};
  std::string refused = {};
  std::exception_ptr thrown = {};
};

template <class Function>
std::size_t guarded(Exchange& exchange, std::size_t failure, Function&& function) noexcept {
  try {
    return function();
  } catch (...) {
    exchange.thrown = std::current_exception();
    return failure;
  }
}

int status_of(CURL* handle) {
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  return static_cast<int>(status);
}

std::size_t receive_header(char* data, std::size_t size, std::size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  return guarded(exchange, 0, [&]() -> std::size_t {
    const std::string_view line(data, size * count);
    exchange.header_bytes += line.size();
    if (exchange.header_bytes > kMaximumHeaders) {
      exchange.refused = cat("the answer's headers are larger than ", human_size(kMaximumHeaders));
      return 0;
    }
    // "100 Continue" and a proxy's answer come first, each with headers of its own.
    if (line.starts_with("HTTP/")) exchange.response.headers.clear();
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && !line.starts_with("HTTP/")) {
      exchange.response.headers.emplace_back(lower(trim(line.substr(0, colon))), trim(line.substr(colon + 1)));
    }
    return line.size();
  });
}

void choose_sink(Exchange& exchange) {
  exchange.response.status = status_of(exchange.handle);
  if (exchange.choose_sink && exchange.response.ok()) exchange.sink = exchange.choose_sink(exchange.response);
}

std::size_t receive_body(char* data, std::size_t size, std::size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  return guarded(exchange, 0, [&]() -> std::size_t {
    const std::string_view piece(data, size * count);
    exchange.received += piece.size();
    if (!std::exchange(exchange.has_body, true)) choose_sink(exchange);
    if (exchange.sink != nullptr) {
      exchange.sink->write(bytes_of(piece));
      return piece.size();
    }
    if (exchange.response.body.size() + piece.size() > kMaximumBody) {
      exchange.refused = cat("the answer is larger than ", human_size(kMaximumBody));
      return 0;
    }
    exchange.response.body += piece;
    return piece.size();
  });
}

std::size_t send_body(char* data, std::size_t size, std::size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  return guarded(exchange, CURL_READFUNC_ABORT, [&]() -> std::size_t {
    const std::size_t given = exchange.request.body_source->read(std::as_writable_bytes(std::span(data, size * count)));
    exchange.sent += given;
    return given;
  });
}

// Called about once a second when nothing moves. libcurl's own low speed limit looks at an average of several
// seconds, so that what was sent in one go hides a stall.
int watch(void* user, curl_off_t, curl_off_t received, curl_off_t, curl_off_t sent) {
  auto& exchange = *static_cast<Exchange*>(user);
  const auto now = std::chrono::steady_clock::now();
  const std::uint64_t moved =
      exchange.header_bytes + static_cast<std::uint64_t>(received) + static_cast<std::uint64_t>(sent);
  if (moved != exchange.moved) {
    exchange.moved = moved;
    exchange.last_move = now;
  }
  const bool is_small = exchange.sink == nullptr && exchange.request.body_source == nullptr;
  if (now - exchange.last_move > exchange.limits.stall) {
    exchange.too_slow = cat("nothing moved for ", exchange.limits.stall.count(), " s");
  } else if (is_small && now - exchange.begin > exchange.limits.answer) {
    exchange.too_slow = cat("the answer was not there after ", exchange.limits.answer.count(), " s");
  }
  return exchange.stop.stop_requested() || !exchange.too_slow.empty() ? 1 : 0;
}

// The address of a proxy is not the far side's; a proxy shows by its port.
int check_reach(void* user, char* address, char*, int port, int) {
  auto& exchange = *static_cast<Exchange*>(user);
  const std::size_t refused = guarded(exchange, 1, [&]() -> std::size_t {
    exchange.response.peer.clear();
    const auto url = Url::parse(exchange.request.url);
    if (!url || std::to_string(port) != url->port) return 0;
    exchange.response.peer = address;
    if (is_within(address, exchange.request.reach)) return 0;
    exchange.refused = cat("it leads to the internal address ", address, ", where the registry itself is not");
    return 1;
  });
  return refused == 0 ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

TransportFailure::Kind kind_of(CURLcode code, std::string_view words) {
  using Kind = TransportFailure::Kind;
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CIPHER:
      return Kind::untrusted;
    // A plain http server on the other side; other handshake failures may be a connection that broke.
    case CURLE_SSL_CONNECT_ERROR:
      return words.find("wrong version number") != std::string_view::npos ? Kind::untrusted : Kind::broken;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_OUT_OF_MEMORY:
    case CURLE_NOT_BUILT_IN:
      return Kind::refused;
    case CURLE_ABORTED_BY_CALLBACK:
      return Kind::cancelled;
    default:
      return Kind::broken;
  }
}

std::string in_lower_case(std::string words) {
  const bool is_acronym = words.size() > 1 && words[1] >= 'A' && words[1] <= 'Z';
  if (!words.empty() && words[0] >= 'A' && words[0] <= 'Z' && !is_acronym) {
    words[0] = static_cast<char>(words[0] - 'A' + 'a');
  }
  while (words.ends_with('.') || words.ends_with('\n')) words.pop_back();
  return printable(words);
}

void refuse_injection(const HttpRequest& request) {
  constexpr std::string_view kForbidden("\r\n\0", 3);
  for (const auto& [name, value] : request.headers) {
    if (name.empty() || name.find_first_of(": \t\r\n") != std::string::npos ||
        value.find_first_of(kForbidden) != std::string::npos) {
      throw Error(Exit::registry_content,
                  cat("refusing to send the header ", backticked(name), ": it has a line end in it"))
          .at(cat(request.method, " ", redacted(request.url)));
    }
  }
}

class CurlTransport : public HttpTransport {
 public:
  CurlTransport(std::string authorities, TransportLimits limits, TlsFor tls_for)
      : authorities_(std::move(authorities)), limits_(limits), tls_for_(std::move(tls_for)) {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  }

  Outcome send(const HttpRequest& request, const BodySink& sink, std::stop_token stop) override {
    refuse_injection(request);
    if (stop.stop_requested()) return TransportFailure{TransportFailure::Kind::cancelled, "cancelled"};
    Handle handle = take();
    Exchange exchange{.handle = handle.get(), .request = request, .choose_sink = sink, .stop = std::move(stop)};
    exchange.limits = limits_;
    Outcome outcome = perform(exchange);
    give_back(std::move(handle));
    if (exchange.thrown) std::rethrow_exception(exchange.thrown);
    return outcome;
  }

 private:
  // A handle keeps its connections between uses; the last one given back is taken first.
  Handle take() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) {
      Handle fresh(curl_easy_init());
      if (!fresh) throw Error(Exit::bug, "libcurl cannot be initialised");
      return fresh;
    }
    Handle handle = std::move(idle_.back());
    idle_.pop_back();
    curl_easy_reset(handle.get());
    return handle;
  }

  void give_back(Handle handle) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(handle));
  }

  Outcome perform(Exchange& exchange) const {
    CURL* handle = exchange.handle;
    HeaderList headers;
    std::array<char, CURL_ERROR_SIZE> words{};
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, words.data());
    set_connection(handle, exchange);
    set_request(handle, exchange, headers);
    set_callbacks(handle, exchange);
    const CURLcode code = curl_easy_perform(handle);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, nullptr);

    exchange.response.status = status_of(handle);
    if (code == CURLE_OK) return finished(exchange);
    const std::string text = in_lower_case(words[0] != '\0' ? words.data() : curl_easy_strerror(code));
    if (exchange.stop.stop_requested()) return TransportFailure{TransportFailure::Kind::cancelled, "cancelled"};
    if (!exchange.refused.empty()) {
      return TransportFailure{TransportFailure::Kind::refused, exchange.refused, exchange.sent, exchange.received};
    }
    if (!exchange.too_slow.empty()) {
      return TransportFailure{TransportFailure::Kind::broken, exchange.too_slow, exchange.sent, exchange.received};
    }
    return TransportFailure{kind_of(code, text), text, exchange.sent, exchange.received};
  }

  // An answer without a body still tells its sink that it is one.
  static Outcome finished(Exchange& exchange) {
    if (!exchange.has_body && exchange.request.method != "HEAD") choose_sink(exchange);
    return std::move(exchange.response);
  }

  void set_connection(CURL* handle, Exchange& exchange) const {
    curl_easy_setopt(handle, CURLOPT_URL, exchange.request.url.c_str());
    curl_easy_setopt(handle, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
    // With HTTP/2 one connection's flow control slows large bodies down; one handle has one connection anyway.
    curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, static_cast<long>(limits_.connect.count()));
    curl_easy_setopt(handle, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(handle, CURLOPT_BUFFERSIZE, 256L * 1024);
    curl_easy_setopt(handle, CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
    curl_easy_setopt(handle, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L);
    if (!authorities_.empty()) curl_easy_setopt(handle, CURLOPT_CAINFO, authorities_.c_str());
    if (tls_for_) set_tls(handle, tls_of(exchange.request.url));
    const auto url = Url::parse(exchange.request.url);
    if (url && is_loopback(url->host)) curl_easy_setopt(handle, CURLOPT_PROXY, "");
  }

  static void set_request(CURL* handle, Exchange& exchange, HeaderList& headers) {
    const HttpRequest& request = exchange.request;
    const bool has_content_type = std::any_of(request.headers.begin(), request.headers.end(),
                                              [](const auto& header) { return lower(header.first) == "content-type"; });
    // `Name;` is libcurl's way to send an empty value.
    for (const auto& [name, value] : request.headers) headers.add(value.empty() ? name + ";" : cat(name, ": ", value));
    if (!has_content_type) headers.add("Content-Type:");
    // Asking first spares a large body that is refused; for a small one it is only one more round trip.
    if (request.body_size < kWorthAsking) headers.add("Expect:");
    if (request.method == "HEAD") {
      curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
    } else if (request.body_source != nullptr) {
      curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
      curl_easy_setopt(handle, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body_size));
    } else if (request.method != "GET") {
      curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
      curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request.body.c_str());
    }
    if (request.method != "HEAD") curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());
  }

  static void set_callbacks(CURL* handle, Exchange& exchange) {
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, receive_header);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, &exchange);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, receive_body);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &exchange);
    curl_easy_setopt(handle, CURLOPT_READFUNCTION, send_body);
    curl_easy_setopt(handle, CURLOPT_READDATA, &exchange);
    curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, watch);
    curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &exchange);
    curl_easy_setopt(handle, CURLOPT_PREREQFUNCTION, check_reach);
    curl_easy_setopt(handle, CURLOPT_PREREQDATA, &exchange);
  }

  static void set_tls(CURL* handle, const TlsSettings& settings) {
    if (!settings.authorities.empty()) {
      // Instead of the system's file; the system's folder of certificates counts all the same.
      curl_blob blob{.data = const_cast<char*>(settings.authorities.data()),  // NOLINT(*-const-cast): only read
                     .len = settings.authorities.size(),
                     .flags = CURL_BLOB_COPY};
      curl_easy_setopt(handle, CURLOPT_CAINFO_BLOB, &blob);
    }
    if (!settings.certificate.empty()) {
      curl_easy_setopt(handle, CURLOPT_SSLCERT, settings.certificate.c_str());
      curl_easy_setopt(handle, CURLOPT_SSLKEY, settings.key.c_str());
    }
    if (!settings.verifies) {
      curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 0L);
      curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 0L);
    }
  }

  TlsSettings tls_of(const std::string& address) const {
    const auto url = Url::parse(address);
    if (!url || url->scheme != "https") return {};
    const std::lock_guard lock(mutex_);
    const auto found = tls_.find(url->origin());
    if (found != tls_.end()) return found->second;
    return tls_[url->origin()] = tls_for_(*url);
  }

  std::string authorities_;
  TransportLimits limits_;
  TlsFor tls_for_;
  mutable std::map<std::string, TlsSettings> tls_;
  mutable std::mutex mutex_;
  std::vector<Handle> idle_;
};

// The curl program reads this variable; the library does not.
std::string authorities_of_environment() {
  const char* file = std::getenv("SSL_CERT_FILE");
  return file != nullptr ? file : "";
}

}  // namespace

std::unique_ptr<HttpTransport> curl_transport(std::filesystem::path authorities, TransportLimits limits,
                                              TlsFor tls_for) {
  return std::make_unique<CurlTransport>(authorities.empty() ? authorities_of_environment() : authorities.native(),
                                         limits, std::move(tls_for));
}

}  // namespace whittle::registry
