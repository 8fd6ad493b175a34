// Where the registry of a reference really is, and how it is trusted: what the administrator or user wrote down for
// Podman, Docker and containerd (docs/design/registry.md, "Hosts"). Read once; safe for several threads.
//
//   registries.conf version 2: $CONTAINERS_REGISTRIES_CONF, else ~/.config/containers/registries.conf, else
//     /etc/containers/registries.conf; and the registries.conf.d/*.conf beside it
//   certs.d/HOST[:PORT]/*.crt, *.cert with *.key: ~/.config/containers, /etc/containers, /etc/docker
//   hosts.toml: /etc/containerd/certs.d/HOST[:PORT]
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"
#include "oci/reference.hpp"
#include "registry/credentials.hpp"
#include "registry/http.hpp"

namespace whittle::registry {

struct Endpoint {
  oci::Reference reference;  // as asked there
  bool is_insecure = false;  // plain http, or TLS that nobody vouches for
};
struct Mirror {
  Endpoint endpoint;
  bool has_tags = true, has_digests = true;  // what it may be asked by
};
struct Route {
  Endpoint upstream;
  std::vector<Mirror> mirrors;  // for pulling, in order
  std::string blocked_by;       // the file that forbids this registry; empty: nobody does
};

class Routes {
 public:
  Routes() = default;
  // Throws Error(usage) naming the file and line of what cannot be understood.
  static Routes read(const Environment& environment, const fs::path& etc = "/etc");

  Route of(const oci::Reference& reference) const;
  // How a connection to this address is secured. Client certificates are for exactly this host and port.
  TlsSettings tls_for(const Url& url) const;

 private:
  struct Entry {
    std::string prefix, location, file;
    bool is_insecure = false, is_blocked = false;
    struct MirrorEntry {
      std::string location;
      bool is_insecure = false, has_tags = true, has_digests = true;
    };
    std::vector<MirrorEntry> mirrors;
  };
  void read_registries(const fs::path& file);
  void read_hosts(const fs::path& folder);
  void note_insecure(std::string_view location);
  const Entry* entry_for(const std::string& name) const;

  std::vector<Entry> entries_;
  std::set<std::string> insecure_hosts_;
  std::vector<fs::path> certificate_folders_;
  std::map<std::string, TlsSettings> tls_;  // of hosts.toml, by host and port
};

}  // namespace whittle::registry
