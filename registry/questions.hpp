// What is in a repository, by one HEAD each.
#pragma once

#include <optional>
#include <string>

#include "oci/image.hpp"
#include "registry/session.hpp"

namespace whittle::registry {

// "a, b, …": what an Accept header says.
std::string manifest_types();
// The digest behind a tag or digest; nothing when there is none, "?" when the registry does not tell.
std::optional<std::string> digest_at(Session& session, const std::string& name);
bool has_blob(Session& session, const oci::Descriptor& blob);

}  // namespace whittle::registry
