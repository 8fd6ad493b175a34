#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "oci/layout.hpp"
#include "registry/image_sink.hpp"
#include "registry/progress.hpp"

namespace whittle::registry {

namespace {

class LayoutSink : public ImageSink {
 public:
  LayoutSink(const fs::path& folder, std::string name, EventSink& events)
      : layout_(folder, oci::Layout::Open::create, events), name_(std::move(name)), events_(events) {}

  // A manifest is written after its blobs, but this is a folder in which people delete things.
  bool has_manifest(const oci::Descriptor& manifest) override {
    if (!layout_.blobs().has(manifest.digest, manifest.size)) return false;
    try {
      const auto below = oci::closure(layout_.blobs(), manifest);
      return std::all_of(below.begin(), below.end(),
                         [&](const oci::Descriptor& blob) { return layout_.blobs().has(blob.digest, blob.size); });
    } catch (const Error&) {
      return false;
    }
  }

  bool put_blob(const oci::Descriptor& blob, const oci::BlobSource& from) override {
    if (layout_.blobs().has(blob.digest, blob.size)) return false;
    Meter meter(cat("copy ", short_name(blob)), blob.size, events_);
    MeteredSource source(from.open(blob), meter);
    oci::BlobStore::Writer writer(layout_.blobs());
    copy(source, writer);
    writer.commit(blob);
    meter.complete();
    return true;
  }

  bool put_manifest(const oci::Descriptor& manifest, std::string_view json) override {
    layout_.blobs().put(json, manifest.media_type);
    return true;
  }

  bool tag(const oci::Descriptor& root, std::string_view json) override {
    layout_.blobs().put(json, root.media_type);
    layout_.tag(name_, root);
    return true;
  }

  std::string where() const override {
    return name_.empty() ? cat("oci:", layout_.root().native()) : cat("oci:", layout_.root().native(), ":", name_);
  }

  std::string left_behind(std::size_t layers, std::size_t of_layers) const override {
    return cat(layers, " of ", of_layers, of_layers == 1 ? " layer is" : " layers are",
               " in the layout and will be reused; no name was changed");
  }

 private:
  oci::Layout layout_;
  std::string name_;
  EventSink& events_;
};

}  // namespace

std::unique_ptr<ImageSink> layout_sink(const fs::path& folder, std::string name, EventSink& events) {
  return std::make_unique<LayoutSink>(folder, std::move(name), events);
}

}  // namespace whittle::registry
