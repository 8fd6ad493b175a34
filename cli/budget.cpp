#include "cli/budget.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "layers/assembler.hpp"
#include "oci/layout.hpp"

namespace whittle::cli {

namespace {

constexpr std::size_t kShown = 5;

std::vector<oci::Descriptor> largest_layers(const oci::Descriptor& root, const oci::BlobStore& blobs) {
  const oci::Platform platform = root.platform.value_or(oci::Platform::host());
  std::vector<oci::Descriptor> layers;
  for (const oci::Layer& layer : oci::load_image(blobs, root, platform).layers) layers.push_back(layer.blob);
  std::stable_sort(layers.begin(), layers.end(), [](const auto& a, const auto& b) { return a.size > b.size; });
  layers.resize(std::min(layers.size(), kShown));
  return layers;
}

void check(const plan::BuildPlan& plan, const char* kind, std::uint64_t size, std::uint64_t limit,
           const ImageSizes& sizes, const oci::BlobStore& blobs) {
  if (limit == 0 || size <= limit) return;
  Error error(Exit::budget_exceeded,
              cat("the image is ", human_size(size), " ", kind, ", and its budget is ", human_size(limit)));
  const auto source = plan.values.find(cat("budget ", kind));
  if (source != plan.values.end()) error.at(source->second.source);
  for (const oci::Descriptor& layer : largest_layers(sizes.root, blobs)) {
    const std::string slice = layers::slice_name(layer);
    error.detail(cat(human_size(layer.size), "  ", slice.empty() ? layer.digest.str() : printable(slice)));
  }
  error.hint("`--release` packs layers smaller; `ignore` under `[image]` leaves files out");
  throw error.note("no tag was moved and nothing was sent; what was built is kept");
}

}  // namespace

void check_budget(const plan::BuildPlan& plan, const ImageSizes& sizes, const oci::BlobStore& blobs) {
  check(plan, "compressed", sizes.compressed, plan.budget.compressed, sizes, blobs);
  check(plan, "installed", sizes.installed, plan.budget.installed, sizes, blobs);
}

}  // namespace whittle::cli
