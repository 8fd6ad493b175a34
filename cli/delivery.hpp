// The end of `build` and `push`: an image goes where it was asked to go.
#pragma once

#include "cli/opened_tree.hpp"
#include "cli/session.hpp"
#include "oci/blob_store.hpp"
#include "oci/reference.hpp"
#include "registry/image_sink.hpp"

namespace whittle::cli {

// Before anything is built: throws Error(usage) for a name without a registry that is to be pushed, and for outputs of
// no known kind.
void refuse_impossible_delivery(const BuildOptions& options, const oci::Reference& name);

// Sends an image to any sink, and says what was done.
void deliver_to(registry::ImageSink& sink, const oci::Descriptor& root, const oci::BlobSource& blobs, Session& session);
// Sends the image `root` of `blobs` to `name` in its registry.
void push_image(const oci::Descriptor& root, const oci::BlobSource& blobs, const oci::Reference& name, bool allow_http,
                Session& session);
// To all outputs and, with `push`, the registry of `image`.
void deliver(const oci::Descriptor& root, const oci::Reference& image, const BuildOptions& options,
             const oci::BlobStore& blobs, Session& session);

}  // namespace whittle::cli
