// What a test needs to push to a FakeRegistry. To be declared after the registry, so that its connections are
// closed first.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/text.hpp"
#include "registry/client.hpp"
#include "tests/lab/registry.hpp"
#include "tests/registry/test_images.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/scripted_transport.hpp"

namespace whittle::testing {

struct PushRig {
  Scratch scratch;
  oci::BlobStore store{scratch / "store"};
  std::unique_ptr<registry::HttpTransport> transport = registry::curl_transport();
  FakeClock clock;
  ThreadPool pool{4};
  RecordingEvents events;
  std::map<std::string, std::string> environment;
  fs::path memory = scratch / "memory";  // empty: none

  void log_in(const FakeRegistry& registry, bool with_identity = false) {
    const Json entry = with_identity ? Json{{"identitytoken", FakeRegistry::kIdentityToken}}
                                     : Json{{"username", FakeRegistry::kUser}, {"password", FakeRegistry::kPassword}};
    environment["DOCKER_AUTH_CONFIG"] = canonical_json(Json{{"auths", {{registry.host(), entry}}}});
  }

  registry::ClientOptions options() { return {.environment = environment, .clock = &clock, .memory = memory}; }

  registry::Delivery push(const oci::Descriptor& root, const std::string& reference, std::stop_token stop = {}) {
    const auto sink = registry_sink(oci::Reference::parse(reference), *transport, options(), events, stop);
    return deliver(root, store, *sink, pool, events, stop);
  }
  Error failed(const oci::Descriptor& root, const std::string& reference) {
    return test::error_of([&] { push(root, reference); });
  }
};

inline std::vector<std::string> many(std::size_t count, std::size_t size = 10'000) {
  std::vector<std::string> files;
  for (unsigned i = 0; i < count; ++i) files.push_back(noise(size, i));
  return files;
}

}  // namespace whittle::testing
