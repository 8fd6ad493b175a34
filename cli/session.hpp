// What one run of the program has at hand: folders, environment, where events and data go. Made once
// in main() and lent to every command.
#pragma once

#include <map>
#include <memory>
#include <ostream>
#include <stop_token>
#include <string>

#include "base/event.hpp"
#include "base/files.hpp"
#include "base/parallel.hpp"
#include "base/process.hpp"
#include "builder/toolchain.hpp"
#include "oci/layout.hpp"
#include "registry/client.hpp"

namespace whittle::registry {
class Routes;
}
namespace whittle::builder {
class Sandbox;
}

namespace whittle::cli {

class Session {
 public:
  // `out` takes data only; `events` everything else. All are borrowed.
  Session(std::map<std::string, std::string> environment, EventSink& events, std::ostream& out, std::stop_token stop);
  ~Session();

  const std::map<std::string, std::string>& environment() const { return environment_; }
  // The variable, or "" when it is unset.
  std::string variable(const std::string& name) const;

  EventSink& events() { return events_; }
  std::ostream& out() { return out_; }
  std::stop_token stop() const { return stop_; }
  ProcessRunner& runner() { return runner_; }
  ThreadPool& pool();                    // started when first needed; WHITTLE_THREADS sets its size
  ThreadPool& transfers();               // for blobs on their way, which wait more than they compute
  registry::HttpTransport& transport();  // likewise
  // From now on all transfers together take no more than so much a second ("2MB"); empty: no limit.
  void limit_rate(const std::string& text);

  // $WHITTLE_STORE, else whittle/store below $XDG_DATA_HOME, else ~/.local/share. Created when needed.
  fs::path store_folder() const;
  oci::Layout open_store();
  // $WHITTLE_CACHE, else whittle below $XDG_CACHE_HOME, else ~/.cache. Everything in it can be made again.
  fs::path cache_folder() const;
  builder::Host host() const;
  // Of build steps, one for the whole run, so that it is looked for and warned of once.
  builder::Sandbox& sandbox(const std::string& mode);
  registry::ClientOptions client_options(bool allow_http);
  registry::Client client(bool allow_http);

 private:
  const registry::Routes& routes();
  fs::path user_folder(const char* whittle_variable, const char* xdg_variable, const char* below_home) const;

  std::map<std::string, std::string> environment_;
  EventSink& events_;
  std::ostream& out_;
  std::stop_token stop_;
  SystemProcessRunner runner_;
  std::unique_ptr<ThreadPool> pool_, transfers_;
  std::unique_ptr<builder::Sandbox> sandbox_;
  std::unique_ptr<registry::Routes> routes_;
  // Each lends from the one before it.
  std::unique_ptr<registry::HttpTransport> connections_, limited_, transport_;
  std::uint64_t rate_ = 0;
};

}  // namespace whittle::cli
