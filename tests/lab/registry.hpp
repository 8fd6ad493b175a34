// A registry on loopback that lives in the test's own process: a real HTTP server with a strict idea of the
// distribution specification, personalities for what registries do differently, faults for what networks do,
// and a log of what it was asked. Thread safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/lab/fault.hpp"
#include "tests/lab/personality.hpp"

namespace whittle::testing {

struct SeenRequest {
  std::string method, path, query;
  std::multimap<std::string, std::string> headers;  // names in lower case
  std::uint64_t body_size = 0;                      // bytes of it that were read
  int status = 0;                                   // 0: not answered
  std::uint64_t answer_size = 0;                    // bytes of the answer's body that were sent
  std::string fault = {};                           // its kind's name, when one struck
  bool has(const std::string& header) const { return headers.count(header) > 0; }
  std::string header(const std::string& name) const;
  // Whether anything in it could let its receiver act in somebody's name.
  bool has_credentials() const;
};

class FakeRegistry {
 public:
  enum class Auth { none, basic, token };
  static constexpr const char* kUser = "ci-bot";
  static constexpr const char* kPassword = "correct horse/battery:staple";
  static constexpr const char* kIdentityToken = "identity-0815";

  struct Options {
    Auth auth = Auth::none;
    bool mounts = true;     // honours `mount=`; otherwise answers 202 as if the blob were missing
    int mount_refusal = 0;  // answers every mount with this status
    bool relative_locations = false;
    std::string realm = {};           // of the token challenge; empty: this server's /token
    int token_lifetime = 0;           // seconds; 0: the personality's
    FakeRegistry* storage = nullptr;  // GET of a blob is redirected there
    FakeRegistry* uploads = nullptr;  // the upload's Location is there
    Personality personality = {};
    bool tls = false;
    int port = 0;                        // 0: any that is free
    std::chrono::milliseconds delay{0};  // before every answer
    double requests_per_second = 0;      // more are answered 429; 0: no limit
    int token_uses = -1;                 // a token is good for so many requests; -1: for all
  };

  FakeRegistry();
  explicit FakeRegistry(Options options);
  ~FakeRegistry();
  FakeRegistry(const FakeRegistry&) = delete;
  FakeRegistry& operator=(const FakeRegistry&) = delete;

  std::string host() const;  // 127.0.0.1:PORT
  std::string url() const;   // http://127.0.0.1:PORT
  // What clients have to trust when it speaks TLS.
  std::string certificate_pem() const;

  using Fault = testing::Fault;
  void inject(Fault fault);
  void end_faults();
  std::size_t faults_struck() const;
  // From now on this blob or manifest is served with one byte flipped.
  void corrupt(const std::string& digest);
  void expire_tokens();

  std::vector<SeenRequest> requests() const;
  void forget_requests();
  std::size_t count(std::string_view method, std::string_view part) const;
  // Bytes of bodies that came, and that went.
  std::uint64_t received_bytes() const;
  std::uint64_t sent_bytes() const;

  bool has_blob(const std::string& repository, const std::string& digest) const;
  std::size_t blob_count(const std::string& repository) const;
  std::size_t open_uploads() const;
  // By tag or digest.
  std::optional<std::string> manifest(const std::string& repository, const std::string& name) const;
  // Puts things there without any request.
  void put_blob(const std::string& repository, const std::string& digest, const std::string& content);
  void put_manifest(const std::string& repository, const std::string& name, const std::string& digest,
                    const std::string& media_type, const std::string& json);
  void remove_blob(const std::string& repository, const std::string& digest);
  // Everything below every tag is there and hashes to its name; otherwise the first thing that is not.
  std::string problem() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace whittle::testing
