// What a test needs to pull from a FakeRegistry. To be declared after the registry, so that its connections are
// closed first.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/text.hpp"
#include "registry/client.hpp"
#include "tests/lab/registry.hpp"
#include "tests/registry/test_images.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/scripted_transport.hpp"

namespace whittle::testing {

inline const oci::Platform kAmd64{.os = "linux", .architecture = "amd64", .variant = ""};

struct PullRig {
  Scratch scratch;
  oci::BlobStore origin{scratch / "origin"}, into{scratch / "into"};
  std::unique_ptr<registry::HttpTransport> transport = registry::curl_transport();
  FakeClock clock;
  ThreadPool pool{4};
  RecordingEvents events;
  std::map<std::string, std::string> environment;

  void publish(FakeRegistry& registry, const TestImage& image, const std::string& tag) {
    for (const oci::Descriptor& layer : image.layers)
      registry.put_blob("app", layer.digest.str(), origin.read(layer, 1 << 30));
    registry.put_blob("app", image.config.digest.str(), origin.read(image.config, 1 << 30));
    publish(registry, image.manifest, tag);
  }
  void publish(FakeRegistry& registry, const oci::Descriptor& manifest, const std::string& tag) {
    registry.put_manifest("app", tag, manifest.digest.str(), manifest.media_type, origin.read(manifest, 1 << 30));
  }

  oci::Descriptor pull(const FakeRegistry& from, const std::string& name = ":1",
                       const registry::PullOptions& options = {kAmd64}) {
    return registry::pull(oci::Reference::parse(cat(from.host(), "/app", name)), options, into, *transport,
                          {.environment = environment, .clock = &clock}, pool, events, {});
  }
  Error failed(const FakeRegistry& from, const std::string& name = ":1",
               const registry::PullOptions& options = {kAmd64}) {
    return test::error_of([&] { pull(from, name, options); });
  }
};

}  // namespace whittle::testing
