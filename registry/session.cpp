#include "registry/session.hpp"

#include <algorithm>

#include "base/deadline.hpp"
#include "base/text.hpp"
#include "registry/hub.hpp"
#include "registry/routes.hpp"

namespace whittle::registry {

namespace {

constexpr int kMostRedirects = 5;
constexpr int kMostRefusals = 2, kMostTokens = 10;
constexpr std::chrono::seconds kLongestFarewell{3};

Url parse_origin(const std::string& host, bool plain) {
  const auto url = Url::parse(cat(plain ? "http://" : "https://", host, "/"));
  if (!url) throw Error(Exit::usage, cat(backticked(host), " is not the name of a registry"));
  return *url;
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

TransportFailure refused(std::string why) {
  return {TransportFailure::Kind::refused, std::move(why)};
}

// What a TLS server makes of a plain request: Go and nginx answer 400, others break off.
bool may_be_tls(const Outcome& outcome) {
  if (const auto* response = std::get_if<HttpResponse>(&outcome)) {
    return response->status == 400 && !response->header("docker-distribution-api-version");
  }
  const auto kind = std::get<TransportFailure>(outcome).kind;
  return kind == TransportFailure::Kind::broken || kind == TransportFailure::Kind::refused;
}

bool is_plain_http(const TransportFailure& failure) {
  return failure.text.find("wrong version number") != std::string::npos;
}

// Where the administrator says that it is.
Endpoint endpoint_of(const oci::Reference& reference, const ClientOptions& options) {
  if (options.routes == nullptr) return {reference, false};
  const Route route = options.routes->of(reference);
  if (route.blocked_by.empty()) return route.upstream;
  Error error(Exit::budget_exceeded, cat("the registry of ", backticked(reference.name()), " is blocked"));
  throw error.at(route.blocked_by).hint("whoever administers this machine has forbidden it");
}

// Printed once; who sent them may say anything.
std::string warning_text(const std::string& header) {
  const std::size_t start = header.find('"'), end = header.rfind('"');
  if (!header.starts_with("299 ") || start == std::string::npos || end <= start + 1) return {};
  return printable(header.substr(start + 1, std::min<std::size_t>(end - start - 1, 500)));
}

}  // namespace

Session::Session(const oci::Reference& given, Access access, HttpTransport& transport, const ClientOptions& options,
                 EventSink& events, std::stop_token stop)
    : Session(endpoint_of(given, options), access, transport, options, events, std::move(stop)) {}

Session::Session(const Endpoint& endpoint, Access access, HttpTransport& transport, const ClientOptions& options,
                 EventSink& events, std::stop_token stop)
    : host_(api_host(endpoint.reference.host)),
      repository_(api_repository(endpoint.reference.host, endpoint.reference.repository)),
      transport_(transport),
      stop_(stop),
      retrying_{
          .policy = {}, .clock = options.clock ? *options.clock : machine_clock(), .events = events, .stop = stop} {
  const char* const actions = access == Access::push     ? ":pull,push"
                              : access == Access::remove ? ":pull,delete"
                                                         : ":pull";
  scopes_ = {cat("repository:", repository_, actions)};
  origin_ = parse_origin(host_, false);
  is_scheme_open_ = is_loopback(origin_.host) || options.allow_http || endpoint.is_insecure;
  if (is_scheme_open_) origin_ = parse_origin(host_, true);
  if (options.processes == nullptr) processes_ = std::make_unique<SystemProcessRunner>();
  ProcessRunner& processes = options.processes ? *options.processes : *processes_;
  if (access == Access::none) scopes_.clear();
  const auto lookup = [host = endpoint.reference.host, given = options.credentials,
                       repository = endpoint.reference.repository, environment = options.environment, &processes,
                       stop] {
    return given ? given : find_credentials(host, repository, environment, processes, stop);
  };
  authenticator_ = std::make_unique<Authenticator>(host_, lookup, transport, retrying_);
}

Session::~Session() = default;

std::string Session::path(std::string_view rest) const {
  return cat("/v2/", repository_, "/", rest);
}

Url Session::origin() const {
  const std::lock_guard lock(mutex_);
  return origin_;
}

Reply Session::send(const Request& request, std::initializer_list<int> expected) {
  Url url = origin();
  Trial trial = retrying_.run(request.doing, [&](int) {
    Exchanged exchanged = exchange(request);
    url = exchanged.url;
    return std::move(exchanged.outcome);
  });
  if (auto* response = std::get_if<HttpResponse>(&trial.outcome)) {
    const bool is_expected = std::find(expected.begin(), expected.end(), response->status) != expected.end();
    if (response->ok() || is_expected) return {std::move(*response), url};
  }
  throw error(request, trial);
}

Outcome Session::attempt(const Request& request) {
  return exchange(request).outcome;
}

Trial Session::repeat(const std::string& doing, const std::function<Outcome(int)>& sequence,
                      const std::function<std::uint64_t()>& progress) {
  return retrying_.run(doing, sequence, progress);
}

Error Session::error(const Request& request, const Trial& trial) const {
  if (stop_.stop_requested()) return Error(Exit::transient, "cancelled");
  return failure(doing(request), trial);
}

Doing Session::doing(const Request& request) const {
  const bool is_absolute = !request.target.starts_with('/');
  return {.what = request.doing,
          .method = request.method,
          .url = is_absolute ? request.target : origin().resolve(request.target).value_or(origin()).str(),
          .host = host_,
          .body_size = request.content ? request.content_size : 0,
          .credentials = authenticator_->advice()};
}

Url Session::resolve(const Url& from, const std::string& location, const Request& request) const {
  auto url = from.resolve(location);
  if (url && (url->scheme == "https" || from.scheme == "http")) return std::move(*url);
  Error error(Exit::registry_content, cat(backticked(host_), " sends us to an unusable place for the ", request.doing));
  throw error.at(cat(request.method, " ", redacted(from.str())))
      .cause(url ? cat("from https to ", backticked(redacted(location)))
                 : cat("Location: ", printable(redacted(location))));
}

Session::Exchanged Session::exchange(const Request& request) {
  const auto send = [&]() -> Exchanged {
    const Url start = origin();
    const auto url = request.target.starts_with('/') ? start.resolve(request.target) : Url::parse(request.target);
    if (!url) return {refused("the address is malformed"), start};
    return follow_redirects(request, *url);
  };
  Exchanged plain = send();
  if (!set_scheme_open(false)) return plain;
  // A registry on loopback, or one for which plain http was allowed, may speak TLS all the same. Asking by
  // http first costs nothing where it does not; the other way round some servers wait for a line's end.
  if (!may_be_tls(plain.outcome)) return plain;
  set_origin(parse_origin(host_, false));
  Exchanged secure = send();
  const auto* failure = std::get_if<TransportFailure>(&secure.outcome);
  if (failure == nullptr || (failure->kind == TransportFailure::Kind::untrusted && !is_plain_http(*failure)))
    return secure;
  set_origin(parse_origin(host_, true));
  set_scheme_open(true);
  return plain;
}

bool Session::set_scheme_open(bool open) {
  const std::lock_guard lock(mutex_);
  return std::exchange(is_scheme_open_, open);
}

void Session::set_origin(Url origin) {
  const std::lock_guard lock(mutex_);
  origin_ = std::move(origin);
}

Session::Exchanged Session::follow_redirects(const Request& request, const Url& first) {
  Url url = first;
  for (int hop = 0;; ++hop) {
    Outcome outcome = authorised(request, url);
    const auto* response = std::get_if<HttpResponse>(&outcome);
    if (response == nullptr || !is_redirect(response->status)) return {std::move(outcome), url};
    const bool changes_method = response->status < 307 && request.method != "GET" && request.method != "HEAD";
    if (changes_method) return {std::move(outcome), url};
    if (hop == kMostRedirects) return {refused(cat("more than ", kMostRedirects, " redirects")), url};
    url = resolve(url, response->header("location").value_or(""), request);
  }
}

// The registry's own 401 is answered; one from elsewhere is not ours to answer.
Outcome Session::authorised(const Request& request, const Url& url) {
  const bool is_home = url.origin() == origin().origin();
  if (!is_home) return once(request, url, std::nullopt, stop_);
  std::vector<std::string> scopes = scopes_;
  scopes.insert(scopes.end(), request.scopes.begin(), request.scopes.end());
  int refusals = 0;
  for (int tries = 0;; ++tries) {
    const auto used = authenticator_->authorization(scopes);
    Outcome outcome = once(request, url, used, stop_);
    const auto* response = std::get_if<HttpResponse>(&outcome);
    if (response == nullptr) return outcome;
    remember_peer(response->peer);
    show_warnings(*response);
    // One renewal for a missing or stale token, one more for a scope that the second challenge names. Where another
    // thread was first with its renewal, this one has not had its own yet.
    if (response->status != 401 || refusals == kMostRefusals || tries == kMostTokens) return outcome;
    if (authenticator_->authorization(scopes) == used) ++refusals;
    if (!authenticator_->renew(url, *response, scopes, used)) return outcome;
  }
}

void Session::abandon(const Url& location) noexcept {
  try {
    const Request request{.doing = "cancelling of an upload", .method = "DELETE", .target = location.str()};
    const bool is_home = location.origin() == origin().origin();
    const Deadline limit(kLongestFarewell, {});
    once(request, location, is_home ? authenticator_->authorization(scopes_) : std::nullopt, limit.token());
  } catch (const std::exception&) {
    // The registry forgets uploads by itself in the end.
  }
}

Outcome Session::once(const Request& request, const Url& url, const std::optional<std::string>& authorization,
                      const std::stop_token& stop) {
  HttpRequest sent{.method = request.method, .url = url.str(), .headers = request.headers, .body = request.body};
  sent.headers.emplace_back("User-Agent", "whittle");
  sent.headers.emplace_back("Accept-Encoding", "identity");
  if (authorization) sent.headers.emplace_back("Authorization", *authorization);
  sent.reach = reach_for(url);
  std::unique_ptr<Source> content;
  if (request.content) {
    content = request.content();
    sent.body_size = request.content_size;
  } else if (request.method == "PUT" && !request.body.empty()) {
    // A text libcurl would send again by itself when a kept connection breaks; whether to is our decision.
    content = std::make_unique<StringSource>(request.body);
    sent.body_size = request.body.size();
  }
  sent.body_source = content.get();
  return transport_.send(sent, request.sink, stop);
}

void Session::show_warnings(const HttpResponse& response) {
  constexpr std::size_t kMost = 8;  // of at most 500 bytes
  for (const std::string& header : response.all("warning")) {
    const std::string text = warning_text(header);
    const std::lock_guard lock(mutex_);
    if (text.empty() || warnings_.size() == kMost || !warnings_.insert(text).second) continue;
    retrying_.events.warn(cat(backticked(host_), " says: ", text));
  }
}

void Session::remember_peer(const std::string& peer) {
  const std::lock_guard lock(mutex_);
  if (!peer.empty()) peer_ = peer;
}

Reach Session::reach_for(const Url& url) const {
  const std::lock_guard lock(mutex_);
  return url.host == origin_.host || is_loopback(origin_.host) ? Reach::anywhere : reach_of(peer_);
}

}  // namespace whittle::registry
