#include "cli/delivery.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/image_source.hpp"

namespace whittle::cli {

void refuse_impossible_delivery(const BuildOptions& options, const oci::Reference& name) {
  if (options.push && name.host.empty()) {
    throw Error(Exit::usage, cat("cannot push ", backticked(name.str()), ": the name has no registry"))
        .hint("name one, as in `whittle build -t registry.example/team/app:1 --push`");
  }
  for (const std::string& output : options.outputs) {
    if (output.starts_with("oci:") && output.size() > 4) continue;
    if (output.starts_with("archive:") && output.size() > 8) continue;
    throw Error(Exit::usage, cat("cannot write to ", backticked(output)))
        .hint("an output is `oci:DIR` or `archive:FILE`");
  }
}

void deliver_to(registry::ImageSink& sink, const oci::Descriptor& root, const oci::BlobSource& blobs,
                Session& session) {
  const registry::Delivery delivery =
      registry::deliver(root, blobs, sink, session.transfers(), session.events(), session.stop());
  session.events().info(delivery.unchanged
                            ? cat(sink.where(), ": already there")
                            : cat(sink.where(), ": ", delivery.sent_blobs, " blobs sent (",
                                  human_size(delivery.sent_bytes), "), ", delivery.reused_blobs, " were there"));
}

void push_image(const oci::Descriptor& root, const oci::BlobSource& blobs, const oci::Reference& name, bool allow_http,
                Session& session) {
  session.events().emit(StageStarted{"push", name.str()});
  const registry::ClientOptions options = session.client_options(allow_http);
  const auto sink = registry::registry_sink(name, session.transport(), options, session.events(), session.stop());
  with_context(cat("cannot push ", backticked(name.str())), [&] { deliver_to(*sink, root, blobs, session); });
}

void deliver(const oci::Descriptor& root, const oci::Reference& image, const BuildOptions& options,
             const oci::BlobStore& blobs, Session& session) {
  for (const std::string& output : options.outputs) {
    session.events().emit(StageStarted{"export", printable(output)});
    const std::string name = store_name(image);
    const auto sink = output.starts_with("oci:") ? registry::layout_sink(output.substr(4), name, session.events())
                                                 : registry::archive_sink(output.substr(8), name);
    deliver_to(*sink, root, blobs, session);
  }
  if (options.push) push_image(root, blobs, image, options.allow_http, session);
}

}  // namespace whittle::cli
