#include <algorithm>

#include "base/text.hpp"
#include "base/yaml.hpp"
#include "sets/site.hpp"
#include "sets/site_ports.hpp"

namespace whittle::sets {

namespace {

using J = OrderedJson;

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kNobody = 65532;  // of images whose configuration names no number: what distroless images use

J metadata(const std::string& name, const Site& site) {
  return {{"name", name},
          {"namespace", site.name},
          {"labels", {{"app.kubernetes.io/name", name}, {"app.kubernetes.io/part-of", site.name}}}};
}

// Kubernetes proves that a user is not root by its number alone.
std::uint64_t user_of(const SiteImage& image) {
  const auto number = parse_number(std::string_view(image.user).substr(0, image.user.find(':')));
  return number && *number > 0 && *number < 0x7fff'ffff ? *number : kNobody;
}

std::uint64_t group_of(const SiteImage& image) {
  const std::size_t colon = image.user.find(':');
  const auto number =
      colon == std::string::npos ? std::nullopt : parse_number(std::string_view(image.user).substr(colon + 1));
  return number && *number > 0 && *number < 0x7fff'ffff ? *number : user_of(image);
}

std::string mebibytes(std::uint64_t bytes) {
  return cat((bytes + kMiB - 1) / kMiB, "Mi");
}

J resources(const Measured& measured) {
  J requests = J::object(), limits = J::object();
  if (measured.memory > 0) {
    requests["memory"] = mebibytes(measured.memory);
    limits["memory"] = mebibytes(memory_limit(measured));
  }
  if (measured.milli_cores > 0) {
    requests["cpu"] = cat(measured.milli_cores, "m");
    limits["cpu"] = cat(cpu_limit(measured), "m");
  }
  if (requests.empty()) return J::object();
  return {{"requests", requests}, {"limits", limits}};
}

std::string port_name(const Port& port) {
  return cat(port.protocol, "-", port.number);
}

// That it answers at all is what can be known of any program with a port.
void add_probes(J& container, const std::vector<Port>& ports) {
  const auto tcp = std::find_if(ports.begin(), ports.end(), [](const Port& port) { return port.protocol == "tcp"; });
  if (tcp == ports.end()) return;
  const J socket = {{"port", port_name(*tcp)}};
  container["startupProbe"] = {{"tcpSocket", socket}, {"periodSeconds", 1}, {"failureThreshold", 60}};
  container["readinessProbe"] = {{"tcpSocket", socket}, {"periodSeconds", 10}};
  container["livenessProbe"] = {{"tcpSocket", socket}, {"periodSeconds", 20}, {"failureThreshold", 3}};
}

J container_of(const SiteImage& image, const std::vector<Port>& ports, J& volumes) {
  J container = {{"name", image.name}, {"image", image.pinned()}, {"imagePullPolicy", "IfNotPresent"}};
  for (const auto& [name, value] : image.environment) container["env"].push_back({{"name", name}, {"value", value}});
  for (const Port& port : ports) {
    container["ports"].push_back({{"name", port_name(port)},
                                  {"containerPort", port.number},
                                  {"protocol", port.protocol == "tcp"   ? "TCP"
                                               : port.protocol == "udp" ? "UDP"
                                                                        : "SCTP"}});
  }
  add_probes(container, ports);
  if (J wanted = resources(image.measured); !wanted.empty()) container["resources"] = std::move(wanted);
  container["securityContext"] = {{"allowPrivilegeEscalation", false},
                                  {"readOnlyRootFilesystem", true},
                                  {"capabilities", {{"drop", J::array({"ALL"})}}}};
  J mounts = J::array({{{"name", "tmp"}, {"mountPath", "/tmp"}}});
  volumes.push_back({{"name", "tmp"}, {"emptyDir", {{"medium", "Memory"}, {"sizeLimit", "16Mi"}}}});
  for (std::size_t i = 0; i < image.volumes.size(); ++i) {
    const std::string name = cat("data-", i);
    mounts.push_back({{"name", name}, {"mountPath", image.volumes[i]}});
    volumes.push_back({{"name", name}, {"emptyDir", J::object()}});
  }
  container["volumeMounts"] = std::move(mounts);
  return container;
}

J deployment(const SiteImage& image, const std::vector<Port>& ports, const Site& site) {
  const J selector = {{"app.kubernetes.io/name", image.name}, {"app.kubernetes.io/part-of", site.name}};
  J security = {{"runAsNonRoot", true},
                {"runAsUser", user_of(image)},
                {"runAsGroup", group_of(image)},
                {"fsGroup", group_of(image)},
                {"seccompProfile", {{"type", "RuntimeDefault"}}}};
  // Without capabilities a program cannot take a low port; this sysctl is the pod's own, and Kubernetes counts it as
  // safe.
  if (std::any_of(ports.begin(), ports.end(), [](const Port& port) { return port.is_privileged(); })) {
    security["sysctls"] = J::array({{{"name", "net.ipv4.ip_unprivileged_port_start"}, {"value", "0"}}});
  }
  J volumes = J::array();
  J container = container_of(image, ports, volumes);
  J pod = {{"serviceAccountName", site.name}, {"automountServiceAccountToken", false}, {"enableServiceLinks", false}};
  if (image.is_critical) pod["priorityClassName"] = cat(site.name, "-critical");
  pod["securityContext"] = std::move(security);
  pod["containers"] = J::array({std::move(container)});
  pod["volumes"] = std::move(volumes);
  return {
      {"apiVersion", "apps/v1"},
      {"kind", "Deployment"},
      {"metadata", metadata(image.name, site)},
      {"spec",
       {{"replicas", 1},
        {"revisionHistoryLimit", 2},
        // A gateway has no room for the old one and the new one at a time.
        {"strategy", {{"type", "Recreate"}}},
        {"selector", {{"matchLabels", selector}}},
        {"template",
         {{"metadata", {{"labels", selector}, {"annotations", {{"whittle.dev/epoch", std::to_string(site.epoch)}}}}},
          {"spec", pod}}}}}};
}

J service(const SiteImage& image, const std::vector<Port>& ports, const Site& site) {
  J list = J::array();
  for (const Port& port : ports) {
    list.push_back({{"name", port_name(port)},
                    {"port", port.number},
                    {"targetPort", port_name(port)},
                    {"protocol", port.protocol == "tcp"   ? "TCP"
                                 : port.protocol == "udp" ? "UDP"
                                                          : "SCTP"}});
  }
  return {{"apiVersion", "v1"},
          {"kind", "Service"},
          {"metadata", metadata(image.name, site)},
          {"spec",
           {{"selector", {{"app.kubernetes.io/name", image.name}, {"app.kubernetes.io/part-of", site.name}}},
            {"ports", list}}}};
}

}  // namespace

std::string kubernetes_manifests(const Site& site) {
  site.check();
  std::vector<J> documents;
  documents.push_back(
      {{"apiVersion", "v1"},
       {"kind", "Namespace"},
       {"metadata", {{"name", site.name}, {"labels", {{"pod-security.kubernetes.io/enforce", "restricted"}}}}}});
  // It is bound to no role: a program on a gateway has nothing to ask of the cluster.
  documents.push_back({{"apiVersion", "v1"},
                       {"kind", "ServiceAccount"},
                       {"metadata", metadata(site.name, site)},
                       {"automountServiceAccountToken", false}});
  if (std::any_of(site.images.begin(), site.images.end(), [](const SiteImage& image) { return image.is_critical; })) {
    documents.push_back({{"apiVersion", "scheduling.k8s.io/v1"},
                         {"kind", "PriorityClass"},
                         {"metadata", {{"name", cat(site.name, "-critical")}}},
                         {"value", 1'000'000},
                         {"description", cat("what ", site.name, " cannot do without")}});
  }
  for (const SiteImage& image : site.images) {
    std::vector<Port> ports;
    for (const std::string& port : image.ports) ports.push_back(Port::of(port));
    documents.push_back(deployment(image, ports, site));
    if (!ports.empty()) documents.push_back(service(image, ports, site));
  }
  std::string out;
  for (const J& document : documents) out += cat(out.empty() ? "" : "---\n", yaml_text(document));
  return out;
}

std::string image_pre_pull_job(const Site& site) {
  site.check();
  J images = J::array();
  for (const bool is_critical : {true, false}) {
    for (const SiteImage& image : site.images) {
      if (image.is_critical == is_critical) images.push_back(image.pinned());
    }
  }
  return yaml_text({{"apiVersion", "operations.kubeedge.io/v1alpha1"},
                    {"kind", "ImagePrePullJob"},
                    {"metadata", {{"name", cat(site.name, "-", site.epoch)}}},
                    {"spec",
                     {{"imagePrePullTemplate",
                       {{"images", images},
                        {"labelSelector", {{"matchLabels", {{"node-role.kubernetes.io/edge", ""}}}}},
                        {"checkItems", J::array({"disk"})},
                        {"concurrency", 1},
                        {"failureTolerate", "0.1"},
                        {"timeoutSeconds", 3600},
                        {"retryTimes", 3}}}}}});
}

}  // namespace whittle::sets
