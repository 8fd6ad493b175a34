// The Link header of lists that come in pages (RFC 8288): where the next page is.
#pragma once

#include <string>

#include "registry/session.hpp"

namespace whittle::registry {

// The absolute address of the page after `reply`; empty when it was the last. One that lies elsewhere than the
// registry is refused (GHSA-h7vf-4x9w-h99v).
std::string next_page(const Reply& reply, const Session& session, const Request& request);

// `</v2/a/tags/list?last=b>; rel="next"`: what is between the brackets; empty when there is no such link.
std::string next_link(const std::vector<std::string>& headers);

}  // namespace whittle::registry
