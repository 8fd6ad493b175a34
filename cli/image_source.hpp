// An IMAGE argument: a store name, `oci:DIR[:TAG]`, `archive:FILE`, or a registry reference. Every
// command takes every kind.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "cli/session.hpp"
#include "oci/layout.hpp"
#include "oci/reference.hpp"

namespace whittle::cli {

// Where an image is to be found, parsed but not yet looked up.
struct StoreName {
  oci::Reference reference;
};
struct LayoutName {
  fs::path folder;
  std::string name;  // may be empty: the only image in it
};
struct ArchiveName {
  fs::path file;
};
using ImageName = std::variant<StoreName, LayoutName, ArchiveName>;

// Throws Error(usage) naming the part that is wrong.
ImageName parse_image_name(std::string_view text);

// An image whose blobs can be read. Archives and pulled images are unpacked into a temporary store that
// lives as long as this does.
struct ResolvedImage {
  oci::BlobStore blobs;
  oci::Descriptor root;  // manifest or index
  std::string name;      // for people: `edge/sensor:latest`
  std::optional<TemporaryFolder> temporary;
};

// A folder in the cache for blobs or files of an image that are needed while the command runs.
TemporaryFolder temporary_store(Session& session);

// Looks in the store first, then, for a name with a host, in that registry. Throws
// Error(input_unavailable) that lists near names when there is none.
ResolvedImage resolve_image(std::string_view text, Session& session, bool allow_http = false);

// The descriptor of `reference` in the store: by name and tag, or by digest.
std::optional<oci::Descriptor> find_in_store(const oci::Layout& store, const oci::Reference& reference);

// The name under which the store keeps a reference: `NAME:TAG`, `latest` when none is given.
std::string store_name(const oci::Reference& reference);

}  // namespace whittle::cli
