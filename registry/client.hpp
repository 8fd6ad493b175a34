// The registry client (distribution-spec 1.1). Anonymous, Basic and Bearer; plain http for loopback, or
// when allowed. Resume, mounts and the retry policy have their seams in `session`.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/event.hpp"
#include "oci/layout.hpp"
#include "oci/reference.hpp"
#include "registry/http.hpp"
#include "registry/image_sink.hpp"

namespace whittle::registry {

// What the caller's environment offers; tests give their own.
struct ClientOptions {
  std::map<std::string, std::string> environment;  // HOME, DOCKER_CONFIG, XDG_RUNTIME_DIR, REGISTRY_AUTH_FILE
  bool allow_http = false;                         // plain http beyond loopback (`--insecure`)
};

// A sink for `reference` (which has a host). Nothing is sent before the first call.
std::unique_ptr<ImageSink> registry_sink(const oci::Reference& reference, HttpTransport& transport,
                                         const ClientOptions& options, EventSink& events, std::stop_token stop);

// Brings the image (for an index: the platform asked for, or all of them with `all_platforms`) into `into`,
// verified while it streams; blobs that are there already are not fetched. Returns the root's descriptor.
struct PullOptions {
  oci::Platform platform;
  bool all_platforms = false;
};
oci::Descriptor pull(const oci::Reference& reference, const PullOptions& pull_options, oci::BlobStore& into,
                     HttpTransport& transport, const ClientOptions& options, ThreadPool& pool, EventSink& events,
                     std::stop_token stop);

}  // namespace whittle::registry
