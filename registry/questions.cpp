#include "registry/questions.hpp"

#include "base/text.hpp"
#include "registry/progress.hpp"

namespace whittle::registry {

std::string manifest_types() {
  using namespace oci::media_type;
  return cat(kIndex, ", ", kManifest, ", ", kDockerList, ", ", kDockerManifest);
}

std::optional<std::string> digest_at(Session& session, const std::string& name) {
  const Reply reply = session.send({.doing = cat("question for ", backticked(name)),
                                    .method = "HEAD",
                                    .target = session.path(cat("manifests/", name)),
                                    .headers = {{"Accept", manifest_types()}}},
                                   {404});
  if (!reply.response.ok()) return std::nullopt;
  return reply.response.header("docker-content-digest").value_or("?");
}

bool has_blob(Session& session, const oci::Descriptor& blob) {
  return session
      .send({.doing = cat("question for ", short_name(blob)),
             .method = "HEAD",
             .target = session.path(cat("blobs/", blob.digest.str()))},
            {404})
      .response.ok();
}

}  // namespace whittle::registry
