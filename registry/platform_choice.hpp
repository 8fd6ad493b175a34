// Which manifest of an index is fetched.
#pragma once

#include <string_view>

#include "oci/image.hpp"

namespace whittle::registry {

// The platform itself, else the newest variant that it can run, else the only one that there is; otherwise an
// Error that lists what is there. Entries for no platform (attestations) are passed over.
oci::Descriptor choose_platform(const oci::Index& index, const oci::Platform& wanted, std::string_view name);

}  // namespace whittle::registry
