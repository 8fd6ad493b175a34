// Where images go. `deliver` knows the order (blobs before config before manifest before tag); the sink
// knows the place. Registry, OCI layout and archive implement it.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/event.hpp"
#include "base/parallel.hpp"
#include "oci/blob_store.hpp"
#include "oci/image.hpp"

namespace whittle::registry {

class ImageSink {
 public:
  virtual ~ImageSink() = default;
  // Is the manifest or index there already, so that nothing below it need be sent? Asked first for the root.
  virtual bool has_manifest(const oci::Descriptor& manifest) = 0;
  // Brings the blob there unless it is there already; true when it had to be sent. Asking is the sink's
  // business, since a registry can answer and open the upload in one request.
  // Called from several threads; everything else from one.
  virtual bool put_blob(const oci::Descriptor& blob, const oci::BlobSource& from) = 0;
  // False, at most once in the sink's life: something below it is missing there after all. The sink has forgotten
  // what it believed; everything is to be delivered again.
  virtual bool put_manifest(const oci::Descriptor& manifest, std::string_view json) = 0;
  // Makes the image visible under the sink's name. Everything below `root` is there and durable. False: as above.
  virtual bool tag(const oci::Descriptor& root, std::string_view json) = 0;
  virtual std::string where() const = 0;  // for messages: `localhost:5000/edge/sensor:1`
  // What an error says of a delivery that broke off, so many of the layers being there.
  virtual std::string left_behind(std::size_t layers, std::size_t of_layers) const = 0;
};

struct Delivery {
  std::uint64_t sent_bytes = 0, sent_blobs = 0, reused_blobs = 0;
  bool unchanged = false;  // the manifest was there already
};

// Sends `root` (a manifest or an index) and everything below it. An error says what was sent before it.
Delivery deliver(const oci::Descriptor& root, const oci::BlobSource& from, ImageSink& sink, ThreadPool& pool,
                 EventSink& events, std::stop_token stop);

// An OCI layout folder (`-o oci:DIR`); `name` may be empty.
std::unique_ptr<ImageSink> layout_sink(const fs::path& folder, std::string name, EventSink& events);
// One tar file holding an OCI layout plus docker's manifest.json, so that `ctr image import`, `podman load`
// and `skopeo oci-archive:` read it (`-o archive:FILE`). Deterministic; appears complete or not at all.
std::unique_ptr<ImageSink> archive_sink(const fs::path& file, std::string name);
// The reverse: brings the image of an archive (an OCI layout, or what `docker save` writes) into `into` and
// gives its root and its name there, if any. An archive with several images is an error that lists them.
struct ArchivedImage {
  oci::Descriptor root;
  std::string name;
};
ArchivedImage read_archive(const fs::path& file, oci::BlobStore& into, EventSink& events);

}  // namespace whittle::registry
