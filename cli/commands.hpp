// The commands. Each returns the exit code of the program and throws Error for what fails; data goes to
// Session::out(), everything else to Session::events().
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/gateway_options.hpp"
#include "cli/pipeline.hpp"
#include "cli/session.hpp"

namespace whittle::cli {

struct DetectOptions {
  std::string folder = ".";
  bool json = false;
};
struct PlanOptions {
  BuildOptions build;
  bool json = false, schema = false;
};
struct InitOptions {
  std::string folder = ".";
  bool print = false;
};
struct DoctorOptions {
  BuildOptions build;  // `folder` empty: the machine alone
  bool json = false;
};
struct RunOptions {
  std::string image;
  std::string process;   // --process, empty: the default one
  std::string memory;    // --memory 10MB
  std::string platform;  // --platform, empty: this machine's
  std::vector<std::string> env;
  std::vector<std::string> arguments;
  bool allow_http = false;
};
struct ImageOptions {
  std::string image;                      // may be empty for `validate`: the whole store
  std::vector<std::string> destinations;  // of `push`
  std::string limit_rate;                 // --limit-rate 2MB, a second
  bool json = false, files = false, allow_http = false, all_platforms = false, dry_run = false;
  bool probe = false;  // of `check`
};
struct WhyOptions {
  std::string image, path;
  bool json = false, allow_http = false;
};
struct DiffOptions {
  std::string first, second;
  bool json = false, allow_http = false;
};
struct LoginOptions {
  std::string host, user;
  bool password_stdin = false, allow_http = false;
};
struct CopyOptions {
  std::string source, destination;
  std::string limit_rate;
  std::vector<std::string> tags;  // --tag PATTERN, with --all-tags
  std::uint64_t newest = 0;       // --newest N; 0: all of them
  bool all_tags = false, prune = false, referrers = false, allow_http = false, json = false;
};
struct ReferrersOptions {
  std::string image;
  std::string type;    // --type
  std::string attach;  // --attach FILE
  std::string remove;  // --delete DIGEST
  bool allow_http = false, json = false;
};
struct SetSiteOptions {
  std::string file = "imageset.toml";
  std::string profile;  // --profile
  std::string output = "site";
  std::string registry;                  // --registry FILE; empty: what the set says
  std::string gateway;                   // --gateway HOST:PORT; empty: engines ask the registry alone
  std::string pause;                     // --pause IMAGE; empty: containerd without Kubernetes
  std::vector<std::string> memory, cpu;  // --memory NAME=SIZE, --cpu NAME=MILLICORES
  bool gateway_tls = false;
};
struct GatewayServeOptions {
  std::string store;  // --store; empty: the user's own
  std::string listen = "127.0.0.1:5000";
  std::string tls_certificate, tls_key;
  std::vector<std::string> upstream, prefetch;
  std::string cache;  // --cache; empty: below the user's
  std::string limit_rate;
  unsigned connections = 0;  // 0: as many as it takes by itself
  bool allow_http = false;
};

struct SetOptions {
  std::string file = "imageset.toml";
  std::string profile;                    // --profile
  std::string output;                     // -o, or where a key or an export goes
  std::string trust;                      // --trust, empty: beside the set
  std::string volume_size;                // --volume-size
  std::string algorithm = "ed25519";      // of a new key
  std::string set_name;                   // of a trust document, empty: the set's
  std::uint64_t threshold = 1;            // --threshold
  std::vector<std::string> bundles;       // files that are there already
  std::vector<std::string> keys;          // --key
  std::vector<std::string> signing_keys;  // --sign-with
  std::vector<std::string> have;          // --have RECEIPT
  std::vector<std::string> have_locks;    // --have-lock FILE
  bool locked = false, json = false, allow_http = false;
};

int detect(const DetectOptions& options, Session& session);
int plan(const PlanOptions& options, Session& session);
int init(const InitOptions& options, Session& session);
int build(const BuildOptions& options, bool json, Session& session);
int run(const RunOptions& options, Session& session);
int check(const ImageOptions& options, Session& session);
int images(bool json, Session& session);
int inspect(const ImageOptions& options, Session& session);
int why(const WhyOptions& options, Session& session);
int diff(const DiffOptions& options, Session& session);
int validate(const ImageOptions& options, Session& session);
int push(const ImageOptions& options, Session& session);
int pull(const ImageOptions& options, Session& session);
int login(const LoginOptions& options, Session& session);
int logout(const LoginOptions& options, Session& session);
int tags(const ImageOptions& options, Session& session);
int copy(const CopyOptions& options, Session& session);
int referrers(const ReferrersOptions& options, Session& session);
int set_site(const SetSiteOptions& options, Session& session);
int gateway_serve(const GatewayServeOptions& options, Session& session);
int doctor(const DoctorOptions& options, Session& session);
int set_lock(const SetOptions& options, Session& session);
int set_bundle(const SetOptions& options, Session& session);
int set_delta(const SetOptions& options, Session& session);
int set_plan_fleet(const SetOptions& options, Session& session);
int set_sign(const SetOptions& options, Session& session);
int set_verify(const SetOptions& options, Session& session);
int set_keygen(const SetOptions& options, Session& session);
int set_trust(const SetOptions& options, Session& session);
int set_export(const SetOptions& options, Session& session);
int run_gateway(const GatewayCommand& command, Session& session);
int cache_info(bool json, Session& session);
int cache_gc(Session& session);

}  // namespace whittle::cli
