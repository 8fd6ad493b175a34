// `[budget]` of whittle.toml: an image that is larger than its project allows is no image.
#pragma once

#include <cstdint>

#include "oci/blob_store.hpp"
#include "plan/build_plan.hpp"

namespace whittle::cli {

struct ImageSizes {
  oci::Descriptor root;
  std::uint64_t compressed = 0, installed = 0;
};

// Throws Error(budget_exceeded) with the limit, where it stands, and the largest layers.
void check_budget(const plan::BuildPlan& plan, const ImageSizes& sizes, const oci::BlobStore& blobs);

}  // namespace whittle::cli
