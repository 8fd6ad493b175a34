#include "sets/bundle_plan.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "oci/layout.hpp"

namespace whittle::sets {

namespace {

bool all_have(std::span<const bundle::Receipt> receipts, const Digest& digest) {
  return !receipts.empty() && std::all_of(receipts.begin(), receipts.end(), [&](const bundle::Receipt& receipt) {
    return std::binary_search(receipt.blobs.begin(), receipt.blobs.end(), digest);
  });
}

void check_receipts(std::span<const bundle::Receipt> receipts, const Lock& lock, const Profile& profile) {
  for (const bundle::Receipt& receipt : receipts) {
    Error error(Exit::usage, cat("the receipt of ", backticked(receipt.device), " is of another kind of device"));
    if (receipt.platform != profile.platform) {
      throw error.detail(cat("it is ", receipt.platform.str(), ", and the profile ", backticked(profile.name), " is ",
                             profile.platform.str()));
    }
    if (!receipt.set.empty() && receipt.set != lock.set) {
      throw error.detail(cat("its set is ", backticked(receipt.set), ", and this one is ", backticked(lock.set)));
    }
  }
}

}  // namespace

bundle::Root plan_bundle(const Lock& lock, const Profile& profile, std::span<const bundle::Receipt> have,
                         const oci::BlobSource& blobs) {
  check_receipts(have, lock, profile);
  bundle::Root root{.set = lock.set,
                    .epoch = lock.epoch,
                    .created = lock.created,
                    .compatible = profile.compatible,
                    .platform = profile.platform,
                    .profile = profile.name,
                    .volume_size = profile.volume_size,
                    .images = {},
                    .blobs = {},
                    .bases = {},
                    .rebuilt = {}};
  std::vector<const LockedImage*> images;
  for (const LockedImage& image : lock.images) {
    if (image.find(profile.platform) != nullptr) images.push_back(&image);
  }
  std::stable_sort(images.begin(), images.end(),
                   [](const auto* a, const auto* b) { return a->is_critical && !b->is_critical; });
  std::set<Digest> seen;
  for (const LockedImage* image : images) {
    const LockedPlatform& locked = *image->find(profile.platform);
    bundle::BundledImage bundled{.name = image->name,
                                 .reference = image->reference,
                                 .target = locked.manifest,
                                 .is_critical = image->is_critical,
                                 .installed = locked.installed,
                                 .inodes = locked.inodes,
                                 .blobs = {}};
    std::set<Digest> own;
    for (const oci::Descriptor& blob : oci::closure(blobs, locked.manifest)) {
      if (own.insert(blob.digest).second) bundled.blobs.push_back(blob.digest);
      if (!seen.insert(blob.digest).second) continue;
      (all_have(have, blob.digest) ? root.bases : root.blobs).push_back({blob.digest, blob.size});
    }
    root.images.push_back(std::move(bundled));
  }
  if (root.images.empty()) {
    throw Error(Exit::usage,
                cat("no image of the set ", backticked(lock.set), " is for the profile ", backticked(profile.name)));
  }
  return root;
}

}  // namespace whittle::sets
