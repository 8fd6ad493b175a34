// `--platform`: which platforms an image is for, and the index that holds one image each.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "oci/blob_store.hpp"
#include "oci/platform.hpp"

namespace whittle::cli {

// The platforms that `wanted` names, as "linux/arm/v7", in that order and each once; this machine's when it names none.
// Throws Error(usage) that lists the known ones.
std::vector<std::string> platforms_of(const std::vector<std::string>& wanted);

// One root of images that are for a platform each: the only one itself, else an index. What is itself an index over one
// platform (a gzip twin) gives its manifests, since clients look no deeper.
oci::Descriptor put_root(std::span<const oci::Descriptor> images, oci::BlobStore& store);

// This machine's image below `root`, else the first.
oci::Descriptor image_to_show(const oci::Descriptor& root, const oci::BlobStore& store);

// Whether this machine starts programs for `platform`: its own, an older one of its processor, or through an emulator
// that the kernel knows and that needs no file of the image (binfmt_misc with the flag F).
bool runs_here(const oci::Platform& platform);

}  // namespace whittle::cli
