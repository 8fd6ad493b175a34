#include "registry/platform_choice.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::registry {

namespace {

bool is_image(const oci::Descriptor& descriptor) {
  if (!oci::media_type::is_manifest(descriptor.media_type)) return false;
  return !descriptor.platform || descriptor.platform->os != "unknown";
}

// A machine runs what was built for it or for an older variant of it: v7 runs v6.
bool runs_on(const oci::Platform& built, const oci::Platform& wanted) {
  if (built.os != wanted.os || built.architecture != wanted.architecture) return false;
  return built.variant.empty() || wanted.variant.empty() || built.variant <= wanted.variant;
}

}  // namespace

oci::Descriptor choose_platform(const oci::Index& index, const oci::Platform& wanted, std::string_view name) {
  const oci::Descriptor* best = nullptr;
  std::vector<const oci::Descriptor*> images;
  for (const oci::Descriptor& manifest : index.manifests) {
    if (!is_image(manifest)) continue;
    images.push_back(&manifest);
    if (!manifest.platform || !runs_on(*manifest.platform, wanted)) continue;
    if (*manifest.platform == wanted) return manifest;
    if (best == nullptr || best->platform->variant < manifest.platform->variant) best = &manifest;
  }
  if (best != nullptr) return *best;
  if (images.size() == 1) return *images.front();
  Error error(Exit::registry_content, cat(backticked(name), " has no image for ", wanted.str()));
  for (const oci::Descriptor* image : images) {
    error.detail(cat("it has: ", image->platform ? printable(image->platform->str()) : image->digest.str()));
  }
  throw error;
}

}  // namespace whittle::registry
