#include "registry/progress.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace whittle::registry {

namespace {

constexpr std::uint64_t kStep = 256 * 1024;

std::string_view kind_of(std::string_view media_type) {
  if (oci::media_type::is_index(media_type)) return "index";
  if (oci::media_type::is_manifest(media_type)) return "manifest";
  if (media_type == oci::media_type::kConfig || media_type == oci::media_type::kDockerConfig) return "config";
  return "layer";
}

}  // namespace

std::string short_name(const oci::Descriptor& descriptor) {
  return cat(kind_of(descriptor.media_type), " sha256:", descriptor.digest.hex().substr(0, 12), "…");
}

void Meter::reached(std::uint64_t done) {
  done = std::min(done, total_);
  const bool is_end = done == total_ && told_ < total_;
  if (done < told_ + kStep && !is_end) return;
  told_ = done;
  events_.emit(Progress{item_, done, total_});
}

}  // namespace whittle::registry
