// Another signature for a bundle that is written already: holders of keys need not meet.
#pragma once

#include <span>

#include "base/files.hpp"
#include "bundle/keys.hpp"

namespace whittle::bundle {

// Adds the key's signature over the root document to the head of every volume, in the room that is kept for it; one of
// the same key is replaced. Durable on return; doing it again changes nothing (Ed25519). Throws Error(refused) for what
// is no bundle or lacks a volume, and when the room is used up.
void sign_bundle(std::span<const fs::path> files, const SigningKey& key);

}  // namespace whittle::bundle
