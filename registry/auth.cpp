#include "registry/auth.hpp"

#include <algorithm>

#include "base/base64.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "registry/failure.hpp"

namespace whittle::registry {

namespace {

constexpr std::size_t kMaximumAnswer = 128 * 1024;
constexpr std::chrono::seconds kShortestLife{60}, kLongestLife{24 * 3600};
// Renewed this long before its end, so that a request that is under way does not outlive its token.
constexpr std::chrono::seconds kMargin{10};
constexpr std::chrono::milliseconds kSecondThought{500};

std::string basic(const Credentials& credentials) {
  const std::string& password = credentials.password.empty() ? credentials.identity_token : credentials.password;
  const std::string user = credentials.user.empty() ? "<token>" : credentials.user;
  return "Basic " + base64_of(bytes_of(cat(user, ":", password)));
}

// RFC 6750 2.1: nothing in a token can end a header line or begin another word.
bool is_token(std::string_view text) {
  return !text.empty() && text.size() <= 64 * 1024 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return c < 0x80 &&
           (std::isalnum(c) != 0 || std::string_view("-._~+/=").find(static_cast<char>(c)) != std::string_view::npos);
  });
}

// Damaged on the way, perhaps: worth one more try.
bool is_garbled(const HttpResponse& response) {
  return response.body.size() <= kMaximumAnswer && !Json::accept(response.body);
}

std::string form_encoded(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string out;
  for (const auto& [name, value] : fields) {
    out += cat(out.empty() ? "" : "&", percent_encoded(name), "=", percent_encoded(value));
  }
  return out;
}

}  // namespace

Authenticator::Authenticator(std::string host, Lookup lookup, HttpTransport& transport, const Retrying& retrying)
    : host_(std::move(host)), lookup_(std::move(lookup)), transport_(transport), retrying_(retrying) {}

const std::optional<Credentials>& Authenticator::credentials() {
  if (!looked_up_) {
    credentials_ = lookup_();
    looked_up_ = true;
  }
  return credentials_;
}

std::string Authenticator::advice() const {
  const std::lock_guard lock(mutex_);
  return advice_unlocked();
}

std::string Authenticator::advice_unlocked() const {
  if (credentials_) {
    const std::string whose = credentials_->user.empty() ? "a token" : backticked(credentials_->user);
    return cat("credentials for ", whose, " came from ", credentials_->source,
               "; check that they are still valid and allow this");
  }
  if (!looked_up_) return cat(backticked(host_), " did not ask for credentials, so none were sent");
  const std::string name = printable(host_);
  return cat("no credentials for `", name, "` were found; log in with `whittle login ", name, "`");
}

std::optional<std::string> Authenticator::authorization(const std::vector<std::string>& scopes) {
  const std::lock_guard lock(mutex_);
  if (basic_) return basic(*credentials_);
  const std::string key = join(scopes, " ");
  const auto found = tokens_.find(key);
  if (found == tokens_.end()) return std::nullopt;
  if (retrying_.clock.now() + kMargin >= found->second.expires) refresh(key, scopes);
  return "Bearer " + tokens_.at(key).value;
}

bool Authenticator::renew(const Url& registry, const HttpResponse& refusal, const std::vector<std::string>& scopes,
                          const std::optional<std::string>& used) {
  const std::lock_guard lock(mutex_);
  const std::string key = join(scopes, " ");
  if (const auto found = tokens_.find(key); found != tokens_.end() && used != "Bearer " + found->second.value) {
    return true;  // somebody else renewed it meanwhile
  }
  const auto challenge = answerable(refusal.all("www-authenticate"));
  if (!challenge) return false;
  if (challenge->scheme == "basic") {
    if (used || !credentials() || credentials_->user.empty()) return false;
    basic_ = true;
    return true;
  }
  credentials();
  realm_ = checked_realm(registry, *challenge, refusal.peer);
  const std::string wanted = challenge->parameter("scope");
  const bool is_new = !wanted.empty() && wanted.size() < 1024 && wanted.find(' ') == std::string::npos &&
                      std::find(scopes.begin(), scopes.end(), wanted) == scopes.end();
  // Some token servers look at the first scope alone, so the one that was missing goes first.
  if (used && is_new) demanded_[key] = {wanted};
  refresh(key, scopes);
  return true;
}

Authenticator::Realm Authenticator::checked_realm(const Url& registry, const Challenge& challenge,
                                                  const std::string& peer) const {
  const std::string text = challenge.parameter("realm");
  const auto refuse = [&](std::string why) {
    Error error(Exit::registry_credentials,
                cat(backticked(host_), " sends us to ", backticked(redacted(text)), " for a token"));
    error.cause(std::move(why))
        .hint("credentials were not sent there; the registry, or somebody in between, is set up wrongly");
    return error;
  };
  const auto url = Url::parse(text);
  if (!url) throw refuse("that is not an http or https address");
  const bool is_same_host = url->host == registry.host;
  if (url->scheme == "http" && (registry.scheme != "http" || !is_same_host)) {
    throw refuse("it is not encrypted, and not the registry itself");
  }
  Realm realm{.url = *url, .service = challenge.parameter("service"), .reach = Reach::anywhere};
  if (is_same_host) return realm;
  realm.reach = is_loopback(registry.host) ? Reach::anywhere : reach_of(peer);
  if (realm.reach != Reach::anywhere && is_loopback(url->host)) throw refuse("that is this machine");
  return realm;
}

void Authenticator::refresh(const std::string& key, const std::vector<std::string>& scopes) {
  std::vector<std::string> all = demanded_[key];
  all.insert(all.end(), scopes.begin(), scopes.end());
  if (credentials() && !credentials_->registry_token.empty()) {
    if (!is_token(credentials_->registry_token))
      throw Error(Exit::usage, cat("the registry token in ", credentials_->source, " is malformed"));
    tokens_[key] = {credentials_->registry_token, retrying_.clock.now() + kLongestLife};
    return;
  }
  tokens_[key] = fetch(all);
}

HttpRequest Authenticator::token_request(const std::vector<std::string>& scopes) const {
  Url url = realm_->url;
  if (!realm_->service.empty()) url = url.with_parameter("service", realm_->service);
  for (const std::string& scope : scopes) url = url.with_parameter("scope", scope);
  HttpRequest request{.method = "GET", .url = url.str(), .headers = {{"Accept", "application/json"}}};
  if (credentials_) request.headers.emplace_back("Authorization", basic(*credentials_));
  request.reach = realm_->reach;
  return request;
}

HttpRequest Authenticator::exchange_request(const std::vector<std::string>& scopes) const {
  HttpRequest request{.method = "POST", .url = realm_->url.str(), .headers = {{"Accept", "application/json"}}};
  request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  request.body = form_encoded({{"grant_type", "refresh_token"},
                               {"service", realm_->service},
                               {"client_id", "whittle"},
                               {"scope", join(scopes, " ")},
                               {"refresh_token", credentials_->identity_token}});
  request.reach = realm_->reach;
  return request;
}

Authenticator::Token Authenticator::fetch(const std::vector<std::string>& scopes) {
  const bool has_identity = credentials_ && !credentials_->identity_token.empty();
  HttpRequest request = has_identity ? exchange_request(scopes) : token_request(scopes);
  const auto send = [&] {
    return retrying_.run("token", [&](int) { return transport_.send(request, nullptr, retrying_.stop); });
  };
  Trial trial = send();
  const auto status = [&] {
    const auto* response = std::get_if<HttpResponse>(&trial.outcome);
    return response ? response->status : 0;
  };
  // GitHub's says "denied" now and then to those whom it lets in a moment later.
  if (status() == 403 && credentials_) {
    retrying_.clock.sleep(kSecondThought, retrying_.stop);
    trial = send();
  }
  if (status() == 200 && is_garbled(std::get<HttpResponse>(trial.outcome))) trial = send();
  // Token servers without OAuth 2 take an identity token as a password.
  if (has_identity && (status() == 404 || status() == 405)) {
    request = token_request(scopes);
    trial = send();
  }
  if (status() == 200) return decode(std::get<HttpResponse>(trial.outcome));
  const Doing doing{.what = "request for a token",
                    .method = request.method,
                    .url = request.url,
                    .host = host_,
                    .credentials = advice_unlocked()};
  throw failure(doing, trial);
}

Authenticator::Token Authenticator::decode(const HttpResponse& response) const {
  const auto unusable = [&](std::string why) {
    Error error(Exit::registry_content, cat(backticked(host_), " sent us to a token server whose answer is unusable"));
    error.at(redacted(realm_->url.str())).cause(std::move(why));
    return error;
  };
  if (response.body.size() > kMaximumAnswer) throw unusable(cat("it is larger than ", human_size(kMaximumAnswer)));
  const Json answer = Json::parse(response.body, nullptr, false);
  if (answer.is_discarded() || !answer.is_object()) throw unusable("it is not a JSON object");
  Token token{.value = {}, .expires = retrying_.clock.now()};
  for (const char* key : {"token", "access_token"}) {
    const auto found = answer.find(key);
    if (token.value.empty() && found != answer.end() && found->is_string()) token.value = found->get<std::string>();
  }
  if (!is_token(token.value)) throw unusable("it has no well-formed token");
  // From our receipt, not from `issued_at`: clocks differ.
  std::chrono::seconds life = kShortestLife;
  const auto given = answer.find("expires_in");
  if (given != answer.end() && given->is_number()) {
    life = std::chrono::seconds(static_cast<std::int64_t>(std::clamp(given->get<double>(), 60.0, 86'400.0)));
  }
  token.expires += std::clamp(life, kShortestLife, kLongestLife);
  return token;
}

}  // namespace whittle::registry
