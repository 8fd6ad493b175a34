// How far inside a network an address lies. A registry names other places (token realms, redirects,
// upload locations); it may not send us further inside than where it lives itself, or it could make
// whittle knock at services that only this machine reaches (registry.md, "Realm abuse").
#pragma once

#include <string_view>

namespace whittle::registry {

enum class Reach {
  anywhere,           // loopback, link-local and this host included
  private_or_public,  // RFC 1918, RFC 4193, RFC 6598 and public addresses
  public_only,
};

// The reach that an address (IPv4 or IPv6 literal) allows to those who live there; unknown text: anywhere.
Reach reach_of(std::string_view address);
// May a connection be made to `address` under `reach`?
bool is_within(std::string_view address, Reach reach);

// `localhost`, 127.0.0.0/8 or ::1, with or without brackets.
bool is_loopback(std::string_view host);

}  // namespace whittle::registry
