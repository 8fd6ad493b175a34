// Who we are to one registry: Basic, or Bearer tokens fetched from the place that the registry names.
//
// Credentials go by these rules (docs/design/registry.md):
//  - they are looked up by the registry's host alone, whatever realm it names, so that no registry can ask
//    for another one's;
//  - they are sent to the registry's own origin, and to a realm over https, or over http only when the
//    registry itself is spoken to over http and the realm is on the same host;
//  - a realm may lie no further inside the network than the registry (Reach);
//  - token requests follow no redirects.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "registry/challenge.hpp"
#include "registry/credentials.hpp"
#include "registry/http.hpp"
#include "registry/retry.hpp"

namespace whittle::registry {

class Authenticator {
 public:
  using Lookup = std::function<std::optional<Credentials>()>;
  // Borrows transport and retrying. `lookup` is asked at most once, at the first 401.
  Authenticator(std::string host, Lookup lookup, HttpTransport& transport, const Retrying& retrying);

  // The Authorization header to send, if one is known. A token about to expire is renewed first.
  std::optional<std::string> authorization(const std::vector<std::string>& scopes);
  // After a 401 from `registry`, to which `used` had been sent: gets a better authorization if there is a way.
  // False: the refusal stands. One renewal at a time; those who waited take what it brought.
  bool renew(const Url& registry, const HttpResponse& refusal, const std::vector<std::string>& scopes,
             const std::optional<std::string>& used);

  // What to do when the registry refuses us: "credentials for `ci-bot` came from `~/.docker/config.json`; …"
  std::string advice() const;

 private:
  struct Token {
    std::string value;
    Clock::Time expires;
  };
  struct Realm {
    Url url;
    std::string service;
    Reach reach = Reach::anywhere;
  };
  const std::optional<Credentials>& credentials();
  std::string advice_unlocked() const;
  Realm checked_realm(const Url& registry, const Challenge& challenge, const std::string& peer) const;
  void refresh(const std::string& key, const std::vector<std::string>& scopes);
  Token fetch(const std::vector<std::string>& scopes);
  HttpRequest token_request(const std::vector<std::string>& scopes) const;
  HttpRequest exchange_request(const std::vector<std::string>& scopes) const;
  Token decode(const HttpResponse& response) const;

  std::string host_;
  Lookup lookup_;
  HttpTransport& transport_;
  const Retrying& retrying_;

  mutable std::mutex mutex_;
  bool looked_up_ = false;
  std::optional<Credentials> credentials_;
  bool basic_ = false;
  std::optional<Realm> realm_;
  std::map<std::string, Token> tokens_;                       // by scopes
  std::map<std::string, std::vector<std::string>> demanded_;  // scopes that a challenge added
};

}  // namespace whittle::registry
