#include "sets/site.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "base/yaml.hpp"
#include "tests/support/golden.hpp"

using namespace whittle;
using namespace whittle::sets;

namespace {

Digest digest_number(char digit) {
  return *Digest::parse("sha256:" + std::string(64, digit));
}

// One of everything: measured and not, with ports and without, root and not.
Site example() {
  Site site{.name = "edge-services", .epoch = 7, .images = {}};
  site.images.push_back({.name = "sensor",
                         .reference = "registry.example.org/edge/sensor:1.4",
                         .digest = digest_number('1'),
                         .ports = {"8080/tcp", "80", "5683/udp"},
                         .volumes = {"/var/lib/sensor"},
                         .user = "1000:2000",
                         .stop_signal = "SIGINT",
                         .environment = {{"MODE", "edge"}, {"TEXT", "100 % \"of\" it"}},
                         .measured = {.memory = 9'500'000, .milli_cores = 45},
                         .is_critical = true});
  site.images.push_back({.name = "logger",
                         .reference = "registry.example.org:5000/edge/logger@" + digest_number('2').str(),
                         .digest = digest_number('2'),
                         .ports = {},
                         .volumes = {},
                         .user = "",
                         .stop_signal = "",
                         .environment = {},
                         .measured = {},
                         .is_critical = false});
  return site;
}

}  // namespace

TEST_CASE("manifests for Kubernetes") {
  test::check_golden(fs::path(WHITTLE_SOURCE_DIR) / "tests/sets/golden/kubernetes.yaml",
                     kubernetes_manifests(example()));
}

TEST_CASE("units for Podman") {
  for (const TextFile& file : quadlet_units(example())) {
    test::check_golden(fs::path(WHITTLE_SOURCE_DIR) / "tests/sets/golden" / file.name, file.text);
  }
}

TEST_CASE("a job for KubeEdge, critical images first") {
  Site site = example();
  std::swap(site.images[0], site.images[1]);
  test::check_golden(fs::path(WHITTLE_SOURCE_DIR) / "tests/sets/golden/image-pre-pull-job.yaml",
                     image_pre_pull_job(site));
}

TEST_CASE("a configuration for containerd") {
  test::check_golden(fs::path(WHITTLE_SOURCE_DIR) / "tests/sets/golden/containerd.toml",
                     containerd_config("registry.example.org/pause@" + digest_number('3').str()));
  test::check_golden(fs::path(WHITTLE_SOURCE_DIR) / "tests/sets/golden/containerd-without-cri.toml",
                     containerd_config(""));
}

TEST_CASE("limits leave room above what was measured") {
  CHECK(memory_limit({.memory = 0}) == 0);
  CHECK(memory_limit({.memory = 1}) == 4 << 20);
  CHECK(memory_limit({.memory = 10 << 20}) == 15 << 20);
  CHECK(memory_limit({.memory = (10 << 20) + 1}) == 16 << 20);
  CHECK(cpu_limit({.milli_cores = 0}) == 0);
  CHECK(cpu_limit({.milli_cores = 1}) == 10);
  CHECK(cpu_limit({.milli_cores = 100}) == 150);
}

TEST_CASE("what the image says of itself is taken over") {
  oci::Config config;
  config.exposed_ports = {"8080/tcp"};
  config.volumes = {"/data"};
  config.user = "65532";
  config.stop_signal = "SIGQUIT";
  const SiteImage image = SiteImage::of("app", "registry.example.org/app:1", digest_number('1'), config);
  CHECK(image.ports == config.exposed_ports);
  CHECK(image.volumes == config.volumes);
  CHECK(image.user == "65532");
  CHECK(image.pinned() == "registry.example.org/app@" + digest_number('1').str());
}

TEST_CASE("what would break a unit or a manifest is refused") {
  const auto refuses = [](const std::function<void(Site&)>& change) {
    Site site = example();
    change(site);
    CHECK_THROWS_AS(quadlet_units(site), Error);
    CHECK_THROWS_AS(kubernetes_manifests(site), Error);
    CHECK_THROWS_AS(image_pre_pull_job(site), Error);
  };
  refuses([](Site& site) { site.name = "Edge Services"; });
  refuses([](Site& site) { site.images[0].name = "-x"; });
  refuses([](Site& site) { site.images[0].name = "../../etc/x"; });
  refuses([](Site& site) { site.images[0].name = site.images[1].name; });
  refuses([](Site& site) { site.images[0].ports = {"0"}; });
  refuses([](Site& site) { site.images[0].ports = {"80/icmp"}; });
  refuses([](Site& site) { site.images[0].volumes = {"/a:/b"}; });
  refuses([](Site& site) { site.images[0].volumes = {"a"}; });
  refuses([](Site& site) { site.images[0].user = "a\nExecStart=/bin/sh"; });
  refuses([](Site& site) { site.images[0].environment = {{"A", "b\nExecStart=/bin/sh"}}; });
  refuses([](Site& site) { site.images[0].environment = {{"A B", "c"}}; });
  refuses([](Site& site) { site.images[0].reference = "a b"; });
}
