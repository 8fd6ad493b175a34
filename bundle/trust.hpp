// Whose signatures a device believes. A trust document is pinned once; a later one counts when as many keys of the one
// before *and* of its own signed it as each asks for (The Update Framework, 5.3 "update the root role"). No clock is
// asked.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bundle/keys.hpp"

namespace whittle::bundle {

struct Trust {
  std::string set;              // whose bundles
  std::uint64_t version = 1;    // grows by one
  std::uint64_t threshold = 1;  // so many different keys must have signed
  std::vector<PublicKey> keys;

  // Throws Error(usage) naming `what` for text that is no trust document: 1 ≤ threshold ≤ keys ≤ 64, no key twice.
  static Trust decode(std::string_view json, std::string_view what);
  std::string encode() const;  // canonical: what is signed
};

struct SignedText {
  std::string text;
  std::vector<Signature> signatures;
};

// How many different keys of `trust` signed it; the ids of those that did not verify are added to `bad`.
std::size_t valid_signatures(const Trust& trust, const SignedText& signed_text,
                             std::vector<std::string>* bad = nullptr);
// Throws Error(refused) that says how many keys signed, how many are needed and which keys are trusted.
void require_signatures(const Trust& trust, const SignedText& signed_text, std::string_view what);

// The documents of one set, oldest first. The first is pinned, not proved: its signatures are not looked at.
struct TrustChain {
  std::vector<SignedText> documents;

  static TrustChain decode(std::string_view json, std::string_view what);
  std::string encode() const;
  // Where the chain leads, its first document being believed. Throws Error(refused) when it is broken, or empty.
  Trust newest() const;
};

// From `pinned` along the chain as far as it goes: documents up to the pinned version are passed over (one with the
// same version must be equal), each later one is checked. Throws Error(refused) naming the version where the chain
// breaks.
Trust follow(const Trust& pinned, const TrustChain& chain);

}  // namespace whittle::bundle
