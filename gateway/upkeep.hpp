// Whether everything that a device says it has is there, byte for byte, and mending it from a bundle.
#pragma once

#include "gateway/apply.hpp"

namespace whittle::gateway {

struct Findings {
  struct One {
    std::uint64_t generation = 0;
    Damage damage;
  };
  std::vector<One> damage;
  std::string audit;                   // what breaks its chain; empty: it holds
  std::uint64_t blobs = 0, bytes = 0;  // looked at
};

// Blobs of `generation` in the store that are missing or damaged; `deep` reads them all.
std::vector<Damage> check_store(const Workshop& workshop, const Generation& generation, bool deep);
// All generations, the present one's names too.
Findings verify(const Workshop& workshop, bool deep);
// Brings what was found damaged from the bundle. Returns what stays damaged, since the bundle does not have it.
std::vector<Damage> heal(const Workshop& workshop, const Offer& offer, const Findings& findings);

}  // namespace whittle::gateway
