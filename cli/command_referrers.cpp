// whittle referrers: what refers to an image in a registry.
#include "registry/referrers.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/delivery.hpp"
#include "cli/image_source.hpp"
#include "registry/repository.hpp"

namespace whittle::cli {

namespace {

constexpr std::uint64_t kLargestAttachment = 256 << 20;

int list(registry::Referrers& referrers, const oci::Descriptor& subject, const ReferrersOptions& options,
         Session& session) {
  Json found = Json::array();
  for (const oci::Descriptor& referrer : referrers.list(subject.digest, options.type)) {
    found.push_back({{"digest", referrer.digest.str()},
                     {"size", referrer.size},
                     {"artifactType", printable(referrer.artifact_type)},
                     {"annotations", referrer.annotations}});
    if (options.json) continue;
    session.out() << referrer.digest.str() << "  " << printable(referrer.artifact_type) << "\n";
  }
  if (options.json) {
    session.out() << pretty_json(
        {{"schema", "whittle.referrers/v1"}, {"subject", subject.digest.str()}, {"referrers", found}});
  }
  return 0;
}

int attach(registry::Referrers& referrers, const oci::Descriptor& subject, oci::Reference image,
           const ReferrersOptions& options, Session& session) {
  if (options.type.empty()) {
    throw Error(Exit::usage, cat("of what type is ", backticked(options.attach), "?"))
        .hint("say so with `--type`, as in `--type application/spdx+json`");
  }
  const TemporaryFolder folder = temporary_store(session);
  oci::BlobStore blobs(folder.path());
  const oci::Descriptor referrer = registry::make_referrer(
      subject, {.artifact_type = options.type, .content = read_file(options.attach, kLargestAttachment)}, blobs);
  image.tag.clear();
  image.digest = referrer.digest;
  push_image(referrer, blobs, image, options.allow_http, session);
  referrers.add(subject.digest, referrer);
  session.out() << image.name() << "@" << referrer.digest.str() << "\n";
  return 0;
}

int remove(registry::Referrers& referrers, const oci::Descriptor& subject, const ReferrersOptions& options,
           Session& session) {
  const auto digest = Digest::parse(options.remove);
  if (!digest) throw Error(Exit::usage, cat(backticked(options.remove), " is not a digest"));
  if (!referrers.remove(subject.digest, *digest)) {
    throw Error(Exit::input_unavailable, cat("there is no referrer ", digest->str(), " of ", backticked(options.image)))
        .hint(cat("`whittle referrers ", options.image, "` lists what there is"));
  }
  session.events().info(cat("deleted ", digest->str()));
  return 0;
}

}  // namespace

int referrers(const ReferrersOptions& options, Session& session) {
  const oci::Reference image = oci::Reference::parse(options.image);
  if (image.host.empty()) {
    throw Error(Exit::usage, cat(backticked(options.image), " names no registry"))
        .hint("write the registry's host first, as in `registry.example/team/app:1`");
  }
  const registry::Client client = session.client(options.allow_http);
  const oci::Descriptor subject = registry::describe(image, client);
  registry::Referrers referrers(image, !options.attach.empty() || !options.remove.empty(), client);
  if (!options.attach.empty()) return attach(referrers, subject, image, options, session);
  if (!options.remove.empty()) return remove(referrers, subject, options, session);
  return list(referrers, subject, options, session);
}

}  // namespace whittle::cli
