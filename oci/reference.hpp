// Names of images in registries and in the local store: `[HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]`.
// Grammar: distribution-spec, "Pulling manifests"; the host rule is Docker's: the first component is
// a host when it has a `.` or a `:`, or is `localhost`.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "base/digest.hpp"

namespace whittle::oci {

struct Reference {
  std::string host;        // with port; empty for a name of the local store
  std::string repository;  // "edge/sensor"
  std::string tag;         // may be empty
  std::optional<Digest> digest;

  // Throws Error(usage) that names the offending part. No default host and no default tag are added.
  static Reference parse(std::string_view text);

  std::string name() const;  // host/repository
  std::string str() const;   // everything that was given
  std::string tag_or_latest() const { return tag.empty() ? "latest" : tag; }
  auto operator<=>(const Reference&) const = default;
};

bool is_valid_tag(std::string_view text);
// Turns any text (a folder's name, say) into a valid repository name; "app" when nothing is left.
std::string repository_from(std::string_view text);

}  // namespace whittle::oci
