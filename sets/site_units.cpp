#include "base/text.hpp"
#include "sets/site.hpp"
#include "sets/site_ports.hpp"

namespace whittle::sets {

namespace {

// As systemd reads it: `%` is a specifier, quotes and backslashes are its own.
std::string for_systemd(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
    if (c == '%') out += '%';
  }
  return out + "\"";
}

// Else each service would wait for the network, which a gateway may never have.
constexpr std::string_view kNoNetwork = "\n[Quadlet]\nDefaultDependencies=false\n";

std::string container_unit(const SiteImage& image, const Site& site) {
  std::string out = cat("[Unit]\nDescription=", image.name, " of ", site.name, ", epoch ", site.epoch, "\n\n");
  out += cat("[Container]\nContainerName=", site.name, "-", image.name, "\nImage=", image.name, ".image\n");
  if (!image.user.empty()) {
    const std::size_t colon = image.user.find(':');
    out += cat("User=", image.user.substr(0, colon), "\n");
    if (colon != std::string::npos) out += cat("Group=", image.user.substr(colon + 1), "\n");
  }
  out += "ReadOnly=true\nReadOnlyTmpfs=true\nNoNewPrivileges=true\nDropCapability=all\n";
  bool needs_low_ports = false;
  for (const std::string& text : image.ports) {
    const Port port = Port::of(text);
    needs_low_ports = needs_low_ports || port.is_privileged();
    out +=
        cat("PublishPort=", port.number, ":", port.number, port.protocol == "tcp" ? "" : cat("/", port.protocol), "\n");
  }
  if (needs_low_ports) out += "Sysctl=net.ipv4.ip_unprivileged_port_start=0\n";
  for (const auto& [name, value] : image.environment)
    out += cat("Environment=", for_systemd(cat(name, "=", value)), "\n");
  for (std::size_t i = 0; i < image.volumes.size(); ++i) {
    out += cat("Volume=", site.name, "-", image.name, "-", i, ":", image.volumes[i], "\n");
  }
  // Also what the unit's own cgroup would say; Podman starts the container in another one.
  if (const std::uint64_t memory = memory_limit(image.measured); memory > 0) {
    out += cat("PodmanArgs=--memory=", memory, " --memory-swap=", memory, "\n");
  }
  if (const std::uint64_t cpu = cpu_limit(image.measured); cpu > 0) {
    out += cat("PodmanArgs=--cpus=", cpu / 1000, ".", std::to_string(1000 + cpu % 1000).substr(1), "\n");
  }
  out += "\n[Service]\nRestart=always\nRestartSec=5\n";
  if (image.is_critical) out += "OOMScoreAdjust=-500\n";
  return cat(out, kNoNetwork, "\n[Install]\nWantedBy=multi-user.target\n");
}

// The image is there already when the gateway has applied its set, and then nothing is pulled.
std::string image_unit(const SiteImage& image, const Site& site) {
  return cat("[Unit]\nDescription=image of ", image.name, " of ", site.name, "\n\n[Image]\nImage=", image.pinned(),
             "\nPodmanArgs=--policy=missing\n", kNoNetwork);
}

}  // namespace

std::vector<TextFile> quadlet_units(const Site& site) {
  site.check();
  std::vector<TextFile> files;
  for (const SiteImage& image : site.images) {
    files.push_back({cat(image.name, ".container"), container_unit(image, site)});
    files.push_back({cat(image.name, ".image"), image_unit(image, site)});
  }
  return files;
}

std::string containerd_config(const std::string& pause) {
  std::string out =
      "# containerd for a gateway: images, overlay snapshots, containers; nothing else is started.\n"
      "version = 2\n\n"
      "# Storage that the kernel or the device does not offer, other ways to unpack, remote policies, tracing.\n"
      "disabled_plugins = [\n";
  std::vector<std::string> disabled = {
      "io.containerd.snapshotter.v1.aufs",       "io.containerd.snapshotter.v1.blockfile",
      "io.containerd.snapshotter.v1.btrfs",      "io.containerd.snapshotter.v1.devmapper",
      "io.containerd.snapshotter.v1.erofs",      "io.containerd.snapshotter.v1.zfs",
      "io.containerd.differ.v1.erofs",           "io.containerd.internal.v1.tracing",
      "io.containerd.tracing.processor.v1.otlp", "io.containerd.nri.v1.nri",
      "io.containerd.image-verifier.v1.bindir",  "io.containerd.internal.v1.opt",
      "io.containerd.internal.v1.restart",
  };
  if (pause.empty()) disabled.insert(disabled.begin(), "io.containerd.grpc.v1.cri");
  for (const std::string& plugin : disabled) out += cat("  \"", plugin, "\",\n");
  out +=
      "]\n\n"
      "# Of all processes of the device the last to be killed for memory, but for the kernel's own.\n"
      "oom_score = -999\n\n"
      "[grpc]\n  address = \"/run/containerd/containerd.sock\"\n  max_recv_message_size = 4194304\n"
      "  max_send_message_size = 4194304\n\n"
      "[metrics]\n  address = \"\"\n\n"
      "[debug]\n  level = \"warn\"\n\n"
      "# What nobody uses any more goes away a minute after it was deleted, and not while images are imported.\n"
      "[plugins.\"io.containerd.gc.v1.scheduler\"]\n"
      "  pause_threshold = 0.02\n  deletion_threshold = 0\n  mutation_threshold = 100\n  schedule_delay = \"1m0s\"\n"
      "  startup_delay = \"10s\"\n\n"
      "# bolt syncs each step to the disk: what was committed survives a power cut.\n"
      "[plugins.\"io.containerd.metadata.v1.bolt\"]\n  content_sharing_policy = \"shared\"\n";
  if (pause.empty()) return out;
  out +=
      cat("\n[plugins.\"io.containerd.grpc.v1.cri\"]\n"
          "  sandbox_image = \"",
          pause,
          "\"\n"
          "  max_concurrent_downloads = 1\n"
          "  disable_tcp_service = true\n"
          "  enable_selinux = false\n\n"
          "  [plugins.\"io.containerd.grpc.v1.cri\".containerd]\n"
          "    snapshotter = \"overlayfs\"\n"
          "    # Layers of images that are run may be given back once they are unpacked; an apply needs them again.\n"
          "    discard_unpacked_layers = false\n\n"
          "  [plugins.\"io.containerd.grpc.v1.cri\".registry]\n"
          "    config_path = \"/etc/containerd/certs.d\"\n");
  return out;
}

}  // namespace whittle::sets
