// A read-only registry (distribution-spec 1.1, "Pull") from OCI layouts: for the container engines of the device
// itself, and for its neighbours. What it answers, and why it is built so: docs/design/gateway.md, "Serve".
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/event.hpp"
#include "base/files.hpp"
#include "gateway/upstream.hpp"

namespace whittle::gateway {

struct ServeLimits {
  unsigned connections = 512;  // clients at a time; who comes later waits in the system's queue
  unsigned threads = 0;        // that serve; 0: one a processor, four at most
  unsigned fetches = 4;        // blobs and manifests that come from upstream at a time
  // A client that has nothing to say, that does not finish its question, that takes nothing of its answer.
  std::chrono::milliseconds idle{30'000}, head{10'000}, progress{30'000};
  // What running answers have once an end was asked for.
  std::chrono::milliseconds grace{10'000};
};

struct ServeTls {
  fs::path certificate, key;  // PEM; the certificate's file may hold its chain
};

// "127.0.0.1:5000", "[::1]:5000", ":5000" (every address of this machine); port 0: any that is free.
struct ListenAddress {
  std::string host;  // empty: every one
  std::uint16_t port = 0;
  // Throws Error(usage).
  static ListenAddress parse(std::string_view text);
};

struct ServeOptions {
  fs::path store;  // an OCI layout, never written to; a new index.json is noticed
  ListenAddress listen;
  std::optional<ServeTls> tls;
  // What is missing is fetched from here, when there is one, and kept in `cache`, a layout of its own.
  Upstream* upstream = nullptr;
  fs::path cache;
  // References that are fetched in this order before anybody asks; those of the store's index follow, in its order.
  std::vector<oci::Reference> prefetch;
  ServeLimits limits;
};

// Until `stop` is requested. `started` is told the port once clients can connect. Throws Error when it cannot begin:
// refused for a bad certificate or a store that is none, transient for an address that is taken.
void serve(const ServeOptions& options, EventSink& events, std::stop_token stop,
           const std::function<void(std::uint16_t port)>& started = {});

}  // namespace whittle::gateway
