#include "cli/upstream.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "registry/blob_download.hpp"
#include "registry/manifest_reader.hpp"
#include "registry/questions.hpp"
#include "registry/session.hpp"

namespace whittle::cli {

namespace {

constexpr std::size_t kMostConversations = 64;

}  // namespace

RegistryUpstream::RegistryUpstream(std::vector<std::string> hosts, bool allow_http, Session& session)
    : hosts_(std::move(hosts)), allow_http_(allow_http), session_(session) {
  for (const std::string& host : hosts_) {
    if (oci::Reference::parse(cat(host, "/x")).host != host) {
      throw Error(Exit::usage, cat(backticked(host), " is not the name of a registry"))
          .hint("name its host, with its port if it has one of its own, as in `--upstream registry.example:5000`");
    }
  }
}

RegistryUpstream::~RegistryUpstream() = default;

oci::Reference RegistryUpstream::complete(oci::Reference image) const {
  if (image.host.empty() && hosts_.size() == 1) image.host = hosts_.front();
  return image;
}

bool RegistryUpstream::covers(const oci::Reference& image) const {
  return std::find(hosts_.begin(), hosts_.end(), complete(image).host) != hosts_.end();
}

// One for each repository, so that its token is asked for once.
std::shared_ptr<registry::Session> RegistryUpstream::conversation(const oci::Reference& image) {
  const std::lock_guard lock(mutex_);
  const auto found = conversations_.find(image.name());
  if (found != conversations_.end()) return found->second;
  if (conversations_.size() >= kMostConversations) conversations_.clear();
  auto made =
      std::make_shared<registry::Session>(image, registry::Session::Access::pull, session_.transport(),
                                          session_.client_options(allow_http_), session_.events(), session_.stop());
  conversations_.emplace(image.name(), made);
  return made;
}

std::optional<oci::Descriptor> RegistryUpstream::manifest(const oci::Reference& image, oci::BlobStore& into) {
  oci::Reference exact = complete(image);
  const auto session = conversation(exact);
  const std::string name = exact.digest ? exact.digest->str() : exact.tag_or_latest();
  const std::optional<std::string> digest = registry::digest_at(*session, name);
  if (!digest) return std::nullopt;
  if (!exact.digest) exact.digest = Digest::parse(*digest);
  const registry::Fetched fetched = registry::ManifestReader(*session, exact).fetch_root();
  return into.put(fetched.json, fetched.descriptor.media_type);
}

void RegistryUpstream::blob(const oci::Reference& image, const oci::Descriptor& blob, oci::BlobStore& into) {
  const auto session = conversation(complete(image));
  registry::BlobDownload(*session, blob, into, session_.events()).run();
}

}  // namespace whittle::cli
