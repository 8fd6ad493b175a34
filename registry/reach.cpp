#include "registry/reach.hpp"

#include <arpa/inet.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/text.hpp"

namespace whittle::registry {

namespace {

enum class Zone { host, site, open };

using Address = std::array<std::uint8_t, 16>;

// IPv4 as IPv4-mapped IPv6.
std::optional<Address> parse_address(std::string_view text) {
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  const std::string literal(text.substr(0, text.find('%')));
  Address address{};
  if (::inet_pton(AF_INET6, literal.c_str(), address.data()) == 1) return address;
  address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0};
  if (::inet_pton(AF_INET, literal.c_str(), address.data() + 12) == 1) return address;
  return std::nullopt;
}

bool starts_with(const Address& address, std::initializer_list<std::uint8_t> prefix) {
  std::size_t i = 0;
  for (const std::uint8_t byte : prefix) {
    if (address[i++] != byte) return false;
  }
  return true;
}

Zone zone_of_ipv4(std::uint8_t a, std::uint8_t b) {
  if (a == 127 || a == 0 || (a == 169 && b == 254)) return Zone::host;
  if (a == 10 || (a == 172 && b >= 16 && b < 32) || (a == 192 && b == 168)) return Zone::site;
  if (a == 100 && b >= 64 && b < 128) return Zone::site;
  return Zone::open;
}

Zone zone_of(const Address& address) {
  if (starts_with(address, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF})) return zone_of_ipv4(address[12], address[13]);
  if (starts_with(address, {0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0})) {
    return zone_of_ipv4(address[12], address[13]);  // NAT64, RFC 6052
  }
  if (starts_with(address, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})) return Zone::host;  // :: and ::1
  if (address[0] == 0xFE && (address[1] & 0xC0) == 0x80) return Zone::host;
  if ((address[0] & 0xFE) == 0xFC) return Zone::site;
  return Zone::open;
}

}  // namespace

Reach reach_of(std::string_view address) {
  const auto parsed = parse_address(address);
  if (!parsed) return Reach::anywhere;
  switch (zone_of(*parsed)) {
    case Zone::host:
      return Reach::anywhere;
    case Zone::site:
      return Reach::private_or_public;
    case Zone::open:
      return Reach::public_only;
  }
  return Reach::anywhere;
}

bool is_within(std::string_view address, Reach reach) {
  return static_cast<int>(reach_of(address)) >= static_cast<int>(reach);
}

bool is_loopback(std::string_view host) {
  if (lower(host) == "localhost") return true;
  const auto address = parse_address(host);
  if (!address) return false;
  if (starts_with(*address, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF})) return (*address)[12] == 127;
  Address one{};
  one[15] = 1;
  return *address == one;
}

}  // namespace whittle::registry
