// Registries as what a gateway's own registry falls back on.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cli/session.hpp"
#include "gateway/upstream.hpp"

namespace whittle::registry {
class Session;
}

namespace whittle::cli {

class RegistryUpstream : public gateway::Upstream {
 public:
  // `hosts` may be asked, and no others; where there is one alone, it is also asked for names without a host. Where a
  // host really is, and how it is trusted, is what this machine's registries.conf says. `session` is borrowed.
  RegistryUpstream(std::vector<std::string> hosts, bool allow_http, Session& session);
  ~RegistryUpstream() override;

  bool covers(const oci::Reference& image) const override;
  std::optional<oci::Descriptor> manifest(const oci::Reference& image, oci::BlobStore& into) override;
  void blob(const oci::Reference& image, const oci::Descriptor& blob, oci::BlobStore& into) override;

 private:
  oci::Reference complete(oci::Reference image) const;
  std::shared_ptr<registry::Session> conversation(const oci::Reference& image);

  std::vector<std::string> hosts_;
  bool allow_http_;
  Session& session_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<registry::Session>> conversations_;  // by repository
};

}  // namespace whittle::cli
