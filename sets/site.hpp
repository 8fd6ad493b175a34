// What a site's images are run by: Kubernetes, Podman's systemd units, KubeEdge, containerd. Pure functions from a
// description of the images to texts that those programs read; every image is named by its digest.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "oci/image.hpp"

namespace whittle::sets {

// What a program was seen to need at most. 0: not measured, and then no limit is written.
struct Measured {
  std::uint64_t memory = 0;       // bytes
  std::uint64_t milli_cores = 0;  // thousandths of a processor
};

struct SiteImage {
  std::string name;       // "sensor": a DNS label
  std::string reference;  // "registry.example.org/edge/sensor:1.4"
  Digest digest;
  std::vector<std::string> ports;                  // "8080/tcp"
  std::vector<std::string> volumes;                // absolute paths that it writes to
  std::string user;                                // as in the image's configuration
  std::string stop_signal;                         // likewise; empty: SIGTERM
  std::map<std::string, std::string> environment;  // besides the image's own
  Measured measured;
  bool is_critical = false;

  // With ports, volumes, user and signal of the image's configuration.
  static SiteImage of(std::string name, std::string reference, const Digest& digest, const oci::Config& config);
  // "registry.example.org/edge/sensor@sha256:…": no tag, which Podman and CRI-O do not want beside a digest.
  std::string pinned() const;
};

struct Site {
  std::string name;  // of the set: a DNS label
  std::uint64_t epoch = 0;
  std::vector<SiteImage> images;

  // Throws Error(usage) for names that are no DNS labels, ports that are none, names that are there twice.
  void check() const;
};

// Limits follow from what was measured: half as much again, in whole MiB, 4 at least, and in tens of milli-cores.
std::uint64_t memory_limit(const Measured& measured);  // bytes; 0: none
std::uint64_t cpu_limit(const Measured& measured);     // milli-cores; 0: none

// A namespace, an account that may do nothing, and for each image a Deployment, with a Service where it has ports. Not
// root, root file system read-only, all capabilities dropped.
std::string kubernetes_manifests(const Site& site);

struct TextFile {
  std::string name, text;
};
// NAME.container and NAME.image for each image: Podman 5's Quadlet (4.8 knows `.image`).
std::vector<TextFile> quadlet_units(const Site& site);

// So that nodes of KubeEdge fetch everything before anything is deployed. Nodes are chosen by the label
// `node-role.kubernetes.io/edge`.
std::string image_pre_pull_job(const Site& site);

// containerd with what running images from a registry takes and nothing else: configuration version 2, which 1.4 to 2.x
// read. `pause` is the pinned sandbox image; empty: no CRI, for devices without Kubernetes.
std::string containerd_config(const std::string& pause);

}  // namespace whittle::sets
