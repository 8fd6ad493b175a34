// A registry on loopback that lives in the test's own process: a real HTTP server with a strict idea of the
// distribution specification, switches for what registries do differently, and a log of what it was asked.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace whittle::testing {

struct SeenRequest {
  std::string method, path, query;
  std::multimap<std::string, std::string> headers;  // names in lower case
  std::uint64_t body_size = 0;
  int status = 0;
  bool has(const std::string& header) const { return headers.count(header) > 0; }
  std::string header(const std::string& name) const;
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
    std::string realm = {};  // of the token challenge; empty: this server's /token
    int token_lifetime = 300;
    FakeRegistry* storage = nullptr;  // GET of a blob is redirected there
    FakeRegistry* uploads = nullptr;  // the upload's Location is there
  };

  FakeRegistry();
  explicit FakeRegistry(Options options);
  ~FakeRegistry();
  FakeRegistry(const FakeRegistry&) = delete;
  FakeRegistry& operator=(const FakeRegistry&) = delete;

  std::string host() const;  // 127.0.0.1:PORT
  std::string url() const;   // http://127.0.0.1:PORT

  // The next `times` requests of this method whose path contains `part` are answered so.
  struct Fault {
    std::string method, part;
    int status = 500;
    std::multimap<std::string, std::string> headers = {};
    std::string body = {};
    int times = 1;
  };
  void inject(Fault fault);
  // From now on this blob or manifest is served with one byte flipped.
  void corrupt(const std::string& digest);
  void expire_tokens();

  std::vector<SeenRequest> requests() const;
  void forget_requests();
  std::size_t count(std::string_view method, std::string_view part) const;

  bool has_blob(const std::string& repository, const std::string& digest) const;
  std::size_t blob_count(const std::string& repository) const;
  // By tag or digest.
  std::optional<std::string> manifest(const std::string& repository, const std::string& name) const;
  // Puts things there without any request.
  void put_blob(const std::string& repository, const std::string& digest, const std::string& content);
  void put_manifest(const std::string& repository, const std::string& name, const std::string& digest,
                    const std::string& media_type, const std::string& json);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace whittle::testing
