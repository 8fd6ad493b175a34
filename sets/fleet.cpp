#include "sets/fleet.hpp"

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::sets {

namespace {

const Profile& profile_of(const bundle::Receipt& receipt, const ImageSet& set) {
  const Profile* any_hardware = nullptr;
  for (const Profile& profile : set.profiles) {
    if (profile.platform != receipt.platform) continue;
    const std::vector<std::string>& names = profile.compatible;
    if (std::find(names.begin(), names.end(), receipt.compatible) != names.end()) return profile;
    if (names.empty() && any_hardware == nullptr) any_hardware = &profile;
  }
  if (any_hardware != nullptr) return *any_hardware;
  Error error(Exit::usage, cat("the device ", backticked(receipt.device), " belongs to no profile of the set ",
                               backticked(set.name)));
  error.detail(cat("it is ", receipt.platform.str(), ", ",
                   receipt.compatible.empty() ? "of no named hardware" : printable(receipt.compatible)));
  throw error.hint("add a `[profile.NAME]` with that `platform` and `compatible`");
}

DevicePlan plan_of(const bundle::Receipt& receipt, const Lock& lock, const bundle::Root& all) {
  DevicePlan plan{.device = receipt.device};
  plan.is_current = receipt.set == lock.set && receipt.epoch >= lock.epoch;
  for (const bundle::BlobSize& blob : all.blobs) {
    if (std::binary_search(receipt.blobs.begin(), receipt.blobs.end(), blob.digest)) continue;
    ++plan.missing_blobs;
    plan.missing_bytes += blob.size;
  }
  return plan;
}

}  // namespace

std::uint64_t ProfilePlan::carried_bytes() const {
  std::uint64_t bytes = 0;
  for (const bundle::BlobSize& blob : root.blobs) bytes += blob.size;
  return bytes;
}

std::vector<ProfilePlan> plan_fleet(const ImageSet& set, const Lock& lock, std::span<const bundle::Receipt> receipts,
                                    const oci::BlobSource& blobs) {
  std::vector<ProfilePlan> plans;
  std::set<std::string> devices;
  for (const bundle::Receipt& receipt : receipts) {
    if (!devices.insert(receipt.device).second) {
      throw Error(Exit::usage, cat("there are two receipts of the device ", backticked(receipt.device)))
          .hint("give the newer one alone");
    }
    const Profile& profile = profile_of(receipt, set);
    auto plan = std::find_if(plans.begin(), plans.end(), [&](const auto& one) { return one.profile == &profile; });
    if (plan == plans.end()) plan = plans.insert(plans.end(), {.profile = &profile});
    const bundle::Root all = plan_bundle(lock, profile, {}, blobs);
    plan->devices.push_back(plan_of(receipt, lock, all));
    if (!plan->devices.back().is_current) plan->have.push_back(receipt);
  }
  for (ProfilePlan& plan : plans) {
    if (!plan.have.empty()) plan.root = plan_bundle(lock, *plan.profile, plan.have, blobs);
  }
  return plans;
}

}  // namespace whittle::sets
