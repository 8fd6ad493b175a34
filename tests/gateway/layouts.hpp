// Images in a layout of the test's own.
#pragma once

#include <string>

#include "base/event.hpp"
#include "base/files.hpp"
#include "base/json.hpp"
#include "oci/layout.hpp"

namespace whittle::test {

// A manifest of one config and one layer with that content; in the layout, without a name.
inline oci::Descriptor put_image(oci::BlobStore& blobs, std::string_view layer, const Json& more = Json::object()) {
  const oci::Descriptor config = blobs.put("{}", oci::media_type::kConfig);
  const oci::Descriptor blob = blobs.put(layer, oci::media_type::kLayerTar);
  const auto described = [](const oci::Descriptor& one) -> Json {
    return {{"mediaType", one.media_type}, {"digest", one.digest.str()}, {"size", one.size}};
  };
  Json manifest = {{"schemaVersion", 2},
                   {"mediaType", oci::media_type::kManifest},
                   {"config", described(config)},
                   {"layers", Json::array({described(blob)})}};
  manifest.update(more);
  return blobs.put(canonical_json(manifest), oci::media_type::kManifest);
}

struct TemporaryLayout {
  RecordingEvents events;
  TemporaryFolder folder{fs::temp_directory_path()};
  oci::Layout layout{folder.path() / "layout", oci::Layout::Open::create, events};
};

}  // namespace whittle::test
