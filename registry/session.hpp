// A conversation with one registry about one repository: authorisation, redirects and retries are decided
// here and nowhere above. Thread safe.
//
// Credentials go to the registry's origin (scheme, host and port) alone: a redirect or an upload location
// elsewhere is followed without them, never from https to http, never further inside the network than the
// registry itself, five times at most.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "oci/reference.hpp"
#include "registry/auth.hpp"
#include "registry/client.hpp"
#include "registry/failure.hpp"
#include "registry/http.hpp"
#include "registry/retry.hpp"

namespace whittle::registry {

// One request as a client thinks of it. Body and sink are made anew for every try, so that any of them
// can be repeated.
struct Request {
  std::string doing;  // "upload of layer sha256:9f86d081…"
  std::string method = "GET";
  std::string target;  // "/v2/…", or an absolute URL
  Headers headers = {};
  std::string body = {};
  std::function<std::unique_ptr<Source>()> content = {};  // instead of `body`, with its size
  std::uint64_t content_size = 0;
  BodySink sink = {};                    // for the body of a 2xx response
  std::vector<std::string> scopes = {};  // that a token needs besides the session's own
};

struct Reply {
  HttpResponse response;
  Url url;  // that answered, after redirects; relative locations start from it
};

struct Endpoint;

class Session {
 public:
  enum class Access { none, pull, push, remove };
  Session(const oci::Reference& reference, Access access, HttpTransport& transport, const ClientOptions& options,
          EventSink& events, std::stop_token stop);
  // To exactly this place.
  Session(const Endpoint& endpoint, Access access, HttpTransport& transport, const ClientOptions& options,
          EventSink& events, std::stop_token stop);
  ~Session();

  // Tries until there is an answer that is not transient, and throws what is then no success, unless its
  // status is in `expected`.
  Reply send(const Request& request, std::initializer_list<int> expected = {});
  // One try of something that must not be repeated blindly, for use inside `repeat`.
  Outcome attempt(const Request& request);
  // The retry policy for a sequence of requests that is harmless as a whole.
  Trial repeat(const std::string& doing, const std::function<Outcome(int)>& sequence,
               const std::function<std::uint64_t()>& progress = {});
  // One try that also tells where the answer came from.
  struct Exchanged {
    Outcome outcome;
    Url url;
  };
  Exchanged exchange(const Request& request);
  // Cancels an upload (DELETE), also after a stop was asked for: one try of a few seconds, whose failure is no matter.
  void abandon(const Url& location) noexcept;
  // The error for what `request` came to.
  Error error(const Request& request, const Trial& trial) const;

  // "/v2/REPOSITORY/…"
  std::string path(std::string_view rest) const;
  // Where `location`, as answered by `from`, leads; throws when that is nowhere.
  Url resolve(const Url& from, const std::string& location, const Request& request) const;
  Url origin() const;
  const std::string& host() const { return host_; }
  const std::string& repository() const { return repository_; }

 private:
  Exchanged follow_redirects(const Request& request, const Url& first);
  Outcome authorised(const Request& request, const Url& url);
  Outcome once(const Request& request, const Url& url, const std::optional<std::string>& authorization,
               const std::stop_token& stop);
  bool set_scheme_open(bool open);  // returns what it was
  void set_origin(Url origin);
  void show_warnings(const HttpResponse& response);
  void remember_peer(const std::string& peer);
  Reach reach_for(const Url& url) const;
  Doing doing(const Request& request) const;

  std::string host_, repository_;  // as the API knows them
  HttpTransport& transport_;
  std::stop_token stop_;
  std::unique_ptr<ProcessRunner> processes_;
  Retrying retrying_;
  std::vector<std::string> scopes_;
  mutable std::mutex mutex_;
  Url origin_;           // path "/"
  bool is_scheme_open_;  // http until the first answer shows otherwise
  std::string peer_;     // the registry's own address
  std::set<std::string> warnings_;
  std::unique_ptr<Authenticator> authenticator_;
};

}  // namespace whittle::registry
