// The registry client (distribution-spec 1.1): anonymous, Basic and Bearer; plain http for loopback, or when
// allowed. What is sent when, and how often: docs/design/registry.md.
#pragma once

#include <map>
#include <memory>
#include <stop_token>
#include <string>

#include "base/event.hpp"
#include "base/process.hpp"
#include "oci/blob_store.hpp"
#include "oci/reference.hpp"
#include "registry/http.hpp"
#include "registry/image_sink.hpp"

namespace whittle::registry {

class Clock;

// What the caller's environment offers; tests give their own.
struct ClientOptions {
  std::map<std::string, std::string> environment = {};  // all of it: credential helpers get it too
  bool allow_http = false;                              // plain http beyond loopback (`--plain-http`)
  Clock* clock = nullptr;                               // the machine's when there is none
  ProcessRunner* processes = nullptr;                   // starts credential helpers; the system's when there is none
  fs::path memory = {};                                 // folder of Whereabouts; empty: nothing is remembered
};

// A sink for `reference` (which has a host). Nothing is sent before the first call.
std::unique_ptr<ImageSink> registry_sink(const oci::Reference& reference, HttpTransport& transport,
                                         const ClientOptions& options, EventSink& events, std::stop_token stop);

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

}  // namespace whittle::registry
