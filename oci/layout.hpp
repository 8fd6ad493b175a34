// An OCI image layout (image-spec, image-layout.md): the local store, `-o oci:DIR`, and what other
// tools write. index.json is replaced atomically under an advisory lock; names live in the annotation
// `org.opencontainers.image.ref.name`.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/event.hpp"
#include "base/files.hpp"
#include "base/json.hpp"
#include "oci/blob_store.hpp"
#include "oci/image.hpp"

namespace whittle::oci {

class Layout {
 public:
  // Opens, and with `create` makes, the layout. A folder that is not a layout is an error, with `create`
  // only when it holds something else.
  enum class Open { existing, create };
  Layout(fs::path root, Open how, EventSink& events);

  BlobStore& blobs() { return blobs_; }
  const BlobStore& blobs() const { return blobs_; }
  const fs::path& root() const { return blobs_.root(); }

  struct Entry {
    std::string name;       // as annotated; empty when the entry has none
    Descriptor descriptor;  // manifest or index
  };
  std::vector<Entry> entries() const;
  std::optional<Descriptor> find(std::string_view name) const;
  // Points `name` at `target`, whose blobs must be durable already. Durable on return; safe with
  // other processes doing the same. `target.annotations` are kept beside the name. An empty name adds an
  // entry without one.
  void tag(std::string_view name, const Descriptor& target);
  bool untag(std::string_view name);  // false when there was none
  // Both for many names, in one replacement of the index: those of `gone` go, then each of `now` is tagged.
  void exchange(std::span<const std::string> gone, std::span<const Entry> now);

 private:
  // Under the lock: reads index.json, lets `change` edit its `manifests`, and replaces the file unless
  // `change` returns false. The document stays JSON, so that what others wrote and we do not know survives.
  void update(const std::function<bool(Json& manifests)>& change);
  Json read_index() const;

  BlobStore blobs_;
  EventSink& events_;
};

// Resolves a descriptor to one platform's image: an index is followed (the exact platform, else a
// compatible variant, else the only one; otherwise an Error that lists what is there).
Image load_image(const BlobSource& blobs, const Descriptor& descriptor, const Platform& platform);
// Every descriptor reachable from `root`, itself last: configs and layers before their manifest.
std::vector<Descriptor> closure(const BlobSource& blobs, const Descriptor& root);

}  // namespace whittle::oci
