// The registry client (distribution-spec 1.1): anonymous, Basic and Bearer; plain http for loopback, or when
// allowed. What is sent when, and how often: docs/design/registry.md.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/event.hpp"
#include "base/process.hpp"
#include "oci/blob_store.hpp"
#include "oci/reference.hpp"
#include "registry/credentials.hpp"
#include "registry/http.hpp"
#include "registry/image_sink.hpp"

namespace whittle::registry {

class Clock;
class Routes;
class Session;
class Whereabouts;
struct Fetched;

// What the caller's environment offers; tests give their own.
struct ClientOptions {
  std::map<std::string, std::string> environment = {};  // all of it: credential helpers get it too
  bool allow_http = false;                              // plain http beyond loopback (`--plain-http`)
  Clock* clock = nullptr;                               // the machine's when there is none
  ProcessRunner* processes = nullptr;                   // starts credential helpers; the system's when there is none
  std::optional<Credentials> credentials = {};          // instead of those that can be found
  const Routes* routes = nullptr;                       // where registries really are; none: where they say
  fs::path memory = {};                                 // folder of Whereabouts; empty: nothing is remembered
};

// What every conversation needs; lent, except the options.
struct Client {
  HttpTransport& transport;
  ClientOptions options;
  EventSink& events;
  std::stop_token stop;
};

// A sink for `reference` (which has a host). Nothing is sent before the first call.
std::unique_ptr<ImageSink> registry_sink(const oci::Reference& reference, HttpTransport& transport,
                                         const ClientOptions& options, EventSink& events, std::stop_token stop);

// From a mirror, where there is one that has it; else from the registry itself.
// Brings the image (for an index: the platform asked for, or all of them with `all_platforms`) into `into`,
// verified while it streams; blobs that are there already are not fetched. Returns the descriptor of what is
// complete afterwards: of the index with `all_platforms`, else of the one manifest.
struct PullOptions {
  oci::Platform platform = {};
  bool all_platforms = false;
};
oci::Descriptor pull(const oci::Reference& reference, const PullOptions& pull_options, oci::BlobStore& into,
                     HttpTransport& transport, const ClientOptions& options, ThreadPool& pool, EventSink& events,
                     std::stop_token stop);

// A sink that sends nothing: it asks the registry, and tells what would be sent.
std::unique_ptr<ImageSink> dry_run_sink(const oci::Reference& reference, const Client& client,
                                        std::function<void(const oci::Descriptor&)> would_send);

// An image in a registry, to be delivered elsewhere: its manifests are fetched at once, a blob when it is first
// read. Both come to lie in `spool`. Thread safe; all arguments are borrowed.
class RemoteImage : public oci::BlobSource {
 public:
  RemoteImage(const oci::Reference& reference, oci::BlobStore& spool, const Client& client);
  ~RemoteImage() override;
  const oci::Descriptor& root() const { return root_; }

  bool has(const Digest& digest, std::uint64_t size) const override;
  std::string read(const oci::Descriptor& blob, std::uint64_t limit) const override;
  std::unique_ptr<Source> open(const oci::Descriptor& blob) const override;

 private:
  void collect(const Fetched& fetched, int depth);
  void bring(const oci::Descriptor& blob) const;

  oci::BlobStore& spool_;
  EventSink& events_;
  std::unique_ptr<Whereabouts> places_;
  std::unique_ptr<Session> session_;
  oci::Descriptor root_;
  std::map<Digest, std::uint64_t> promised_;
  mutable std::mutex mutex_;
  mutable std::map<Digest, std::unique_ptr<std::mutex>> busy_;
};

}  // namespace whittle::registry
