// What is served at this moment: the layouts, and the catalog of their newest indexes. Any thread may ask.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "gateway/serve_catalog.hpp"
#include "gateway/serve_metrics.hpp"
#include "server/descriptor.hpp"

namespace whittle::gateway {

class Shelf {
 public:
  // `cache` may be null. All are borrowed. Throws Error when the catalog cannot be read; later troubles are warnings,
  // and the former catalog goes on being served.
  Shelf(const oci::Layout& store, const oci::Layout* cache, ServeMetrics& metrics, EventSink& events);

  std::shared_ptr<const Catalog> catalog();

  struct OpenBlob {
    server::Descriptor file;
    std::uint64_t size = 0;
  };
  // Nothing when it is not here whole. Opens no file outside the layouts, whatever lies in them.
  std::optional<OpenBlob> open(const Digest& digest) const;
  // What has come of one that is being fetched; no file when nothing has.
  server::Descriptor open_partial(const Digest& digest) const;
  // A manifest that no name leads to, as those of a former generation; nothing when the blob is none.
  std::optional<oci::Descriptor> describe(const Digest& digest) const;

 private:
  struct Place {
    const oci::Layout* layout;
    server::Descriptor root;
    struct stat seen {};
  };
  static std::optional<OpenBlob> open_file(const Place& place, const std::string& path);
  bool has_changed();
  void read_catalog();

  std::vector<Place> places_;
  ServeMetrics& metrics_;
  EventSink& events_;
  std::mutex mutex_;
  std::shared_ptr<const Catalog> catalog_;
};

}  // namespace whittle::gateway
