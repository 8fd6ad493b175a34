// Receipts of many devices → one bundle a kind of device, the smallest that serves all of them.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "sets/bundle_plan.hpp"

namespace whittle::sets {

struct DevicePlan {
  std::string device;
  std::uint64_t missing_blobs = 0, missing_bytes = 0;  // what a bundle for it alone would carry
  bool is_current = false;                             // it has this epoch, or a later one
};

struct ProfilePlan {
  const Profile* profile = nullptr;   // of the set that was asked about
  std::vector<DevicePlan> devices;    // in the receipts' order
  std::vector<bundle::Receipt> have;  // of those that are not current
  bundle::Root root;                  // what serves all of them; without blobs when all are current

  std::uint64_t carried_bytes() const;
};

// A device belongs to the first profile of its platform that names its hardware, else to the first of its platform that
// names none. Throws Error(usage) for a receipt that belongs to no profile, and for two of one device.
std::vector<ProfilePlan> plan_fleet(const ImageSet& set, const Lock& lock, std::span<const bundle::Receipt> receipts,
                                    const oci::BlobSource& blobs);

}  // namespace whittle::sets
