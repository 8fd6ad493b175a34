// How much is asked of a registry at a time: six exchanges an origin, fewer when it is overloaded.
#pragma once

#include <memory>

#include "registry/http.hpp"

namespace whittle::registry {

// Lets so many exchanges with one origin run at once: halved by every 429 and 503 (at least one is left), and
// growing by one with each round of answers that are none. Borrows `inner`.
std::unique_ptr<HttpTransport> courteous(HttpTransport& inner, int most = 6);

// All bodies together, in both directions, take no more than so many bytes a second. Borrows `inner`.
std::unique_ptr<HttpTransport> rate_limited(HttpTransport& inner, std::uint64_t bytes_per_second);

}  // namespace whittle::registry
