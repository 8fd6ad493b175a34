// whittle push, pull: images between the store and registries.
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/image_source.hpp"

namespace whittle::cli {

namespace {

oci::Reference with_registry(const std::string& text) {
  oci::Reference reference = oci::Reference::parse(text);
  if (reference.host.empty()) {
    throw Error(Exit::usage, cat(backticked(text), " names no registry"))
        .hint("write the registry's host first, as in `registry.example/team/app:1`");
  }
  return reference;
}

int print_reference(const oci::Reference& name, const oci::Descriptor& root, bool json, Session& session) {
  const std::string pinned = cat(name.name(), "@", root.digest.str());
  if (json) {
    session.out() << pretty_json({{"reference", pinned}, {"digest", root.digest.str()}, {"size", root.size}});
  } else {
    session.out() << pinned << "\n";
  }
  return 0;
}

}  // namespace

int push(const ImageOptions& options, Session& session) {
  oci::Reference to = with_registry(options.destination.empty() ? options.image : options.destination);
  const ResolvedImage found = resolve_image(options.image, session, options.allow_http);
  // A digest says which image is meant, not where its name should point.
  if (to.digest && *to.digest != found.root.digest) {
    throw Error(Exit::usage, cat("cannot push to ", backticked(to.str()), ": that digest is of another image"))
        .detail(cat(backticked(options.image), " is ", found.root.digest.str()));
  }
  if (!to.digest) to.tag = to.tag_or_latest();
  push_image(found.root, found.blobs, to, options.allow_http, session);
  return print_reference(to, found.root, options.json, session);
}

int pull(const ImageOptions& options, Session& session) {
  oci::Reference from = with_registry(options.image);
  session.events().emit(StageStarted{"pull", from.str()});
  oci::Layout store = session.open_store();
  const oci::Descriptor root = with_context(cat("cannot pull ", backticked(from.str())), [&] {
    return registry::pull(from, {.platform = oci::Platform::host(), .all_platforms = options.all_platforms},
                          store.blobs(), session.transport(), session.client_options(options.allow_http),
                          session.pool(), session.events(), session.stop());
  });
  if (from.tag.empty() && from.digest) from.tag = cat("sha256-", from.digest->hex());
  store.tag(store_name(from), root);
  return print_reference(from, root, options.json, session);
}

}  // namespace whittle::cli
