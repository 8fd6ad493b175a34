#include "cli/set_images.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/image_source.hpp"
#include "cli/pipeline.hpp"
#include "layers/image_reader.hpp"

namespace whittle::cli {

namespace {

constexpr std::string_view kFrom = "from ", kBuild = "build ";

std::vector<oci::Platform> platforms_of(const sets::SetImage& image, const sets::ImageSet& set) {
  std::vector<oci::Platform> platforms;
  for (const sets::Profile& profile : set.profiles) {
    if (!image.is_for(profile)) continue;
    if (std::find(platforms.begin(), platforms.end(), profile.platform) == platforms.end()) {
      platforms.push_back(profile.platform);
    }
  }
  return platforms;
}

bool is_for(const oci::Platform& image, const oci::Platform& machine) {
  return image.os == machine.os && image.architecture == machine.architecture;
}

void copy_blob(const oci::Descriptor& blob, const oci::BlobSource& from, oci::BlobStore& into) {
  if (into.has(blob.digest, blob.size)) return;
  oci::BlobStore::Writer writer(into);
  copy(*from.open(blob), writer);
  writer.commit(blob);
}

// One image on its way into the lock.
class Locking {
 public:
  Locking(const sets::SetImage& image, std::vector<oci::Platform> platforms, const fs::path& folder, oci::Layout& store,
          bool allow_http, Session& session)
      : image_(image),
        platforms_(std::move(platforms)),
        folder_(folder),
        store_(store),
        allow_http_(allow_http),
        session_(session) {}

  sets::LockedImage run() {
    sets::LockedImage locked{.name = image_.name,
                             .reference = image_.reference,
                             .source = image_.build.empty() ? cat(kFrom, image_.from) : cat(kBuild, image_.build),
                             .root = {},
                             .is_critical = image_.is_critical,
                             .platforms = {}};
    if (image_.build.empty()) {
      locked.root = fetch(locked);
    } else {
      locked.root = build();
    }
    // Whether it has a platform, and under which name, depends on how it was found; the lock does not say it twice.
    locked.root.platform.reset();
    locked.root.annotations.clear();
    if (locked.platforms.empty()) {
      for (const oci::Platform& platform : platforms_) add(locked, locked.root, platform);
    }
    return locked;
  }

  const std::string& created() const { return created_; }

 private:
  oci::Descriptor build() {
    BuildOptions options;
    options.folder = (folder_ / image_.build).lexically_normal().native();
    options.tag = image_.reference;
    options.allow_http = allow_http_;
    for (const oci::Platform& platform : platforms_) options.platforms.push_back(platform.str());
    return build_image(options, session_).root;
  }

  oci::Descriptor fetch(sets::LockedImage& locked) {
    if (const auto* name = std::get_if<StoreName>(&parsed_name()); name != nullptr && !name->reference.host.empty()) {
      return pull(name->reference, locked);
    }
    const ResolvedImage found = resolve_image(image_.from, session_, allow_http_);
    if (found.blobs.root() != store_.root()) {
      for (const oci::Platform& platform : platforms_) {
        const oci::Image image = oci::load_image(found.blobs, found.root, platform);
        for (const oci::Descriptor& blob : oci::closure(found.blobs, image.manifest)) {
          copy_blob(blob, found.blobs, store_.blobs());
        }
      }
      copy_blob(found.root, found.blobs, store_.blobs());
      copy_indexes(found.root, found.blobs);
    }
    return found.root;
  }

  // The documents between an index and its images, so that the same search finds the same image in the store.
  void copy_indexes(const oci::Descriptor& root, const oci::BlobSource& from) {
    if (!oci::media_type::is_index(root.media_type)) return;
    const oci::Index index = oci::Index::decode(from.read(root, oci::kMaximumManifest), root.digest.str());
    for (const oci::Descriptor& child : index.manifests) {
      const bool is_there = from.has(child.digest, child.size);
      if (is_there) copy_blob(child, from, store_.blobs());
      if (is_there) copy_indexes(child, from);
    }
  }

  // The registry is asked once what the name means; everything else is asked for by digest.
  oci::Descriptor pull(oci::Reference reference, sets::LockedImage& locked) {
    reference.tag = reference.digest ? reference.tag : reference.tag_or_latest();
    session_.events().emit(StageStarted{"pull", reference.str()});
    return with_context(cat("cannot pull ", backticked(reference.str())), [&] {
      const registry::Client client = session_.client(allow_http_);
      const registry::RemoteImage remote(reference, store_.blobs(), client);
      oci::Descriptor root = remote.root();
      reference.digest = root.digest;
      for (const oci::Platform& platform : platforms_) {
        const oci::Descriptor manifest = registry::pull(
            reference, {.platform = platform, .all_platforms = false}, store_.blobs(), session_.transport(),
            session_.client_options(allow_http_), session_.transfers(), session_.events(), session_.stop());
        add(locked, manifest, platform);
      }
      return root;
    });
  }

  const ImageName& parsed_name() {
    if (!name_) name_ = parse_image_name(image_.from);
    return *name_;
  }

  void add(sets::LockedImage& locked, const oci::Descriptor& root, const oci::Platform& platform) {
    const oci::Image image = oci::load_image(store_.blobs(), root, platform);
    if (!image.manifest.platform || !is_for(*image.manifest.platform, platform)) {
      Error error(Exit::input_unavailable,
                  cat("the image ", backticked(image_.name), " is not there for ", platform.str()));
      if (image.manifest.platform) error.detail(cat("it is for ", image.manifest.platform->str()));
      throw error.hint("give it `profiles` of its own, or take another image");
    }
    sets::LockedPlatform one{.manifest = image.manifest, .compressed = 0, .installed = 0, .inodes = 0};
    one.manifest.platform = platform;
    one.manifest.annotations.clear();
    for (const oci::Descriptor& blob : oci::closure(store_.blobs(), image.manifest)) one.compressed += blob.size;
    for (const auto& [path, file] : layers::list_files(store_.blobs(), image)) {
      one.installed += file.entry.kind == ArchiveEntry::Kind::file ? file.entry.size : 0;
      ++one.inodes;
    }
    const oci::Config config =
        oci::Config::decode(store_.blobs().read(image.config, oci::kMaximumConfig), "the configuration");
    created_ = std::max(created_, config.created);
    locked.platforms.push_back(std::move(one));
  }

  const sets::SetImage& image_;
  std::vector<oci::Platform> platforms_;
  const fs::path& folder_;
  oci::Layout& store_;
  bool allow_http_;
  Session& session_;
  std::optional<ImageName> name_;
  std::string created_;
};

}  // namespace

sets::Lock lock_images(const sets::ImageSet& set, const fs::path& folder, oci::Layout& store, bool allow_http,
                       Session& session) {
  sets::Lock lock{.set = set.name, .epoch = set.epoch, .created = oci::rfc3339(0), .images = {}};
  for (const sets::SetImage& image : set.images) {
    with_context(cat("cannot lock the image ", backticked(image.name)), [&] {
      Locking locking(image, platforms_of(image, set), folder, store, allow_http, session);
      lock.images.push_back(locking.run());
      lock.created = std::max(lock.created, locking.created());
    });
  }
  return lock;
}

void bring_locked_images(const sets::Lock& lock, const oci::Platform& platform, oci::Layout& store, bool allow_http,
                         Session& session) {
  for (const sets::LockedImage& image : lock.images) {
    const sets::LockedPlatform* const one = image.find(platform);
    if (one == nullptr) continue;
    const auto is_there = [&] {
      const auto has = [&](const oci::Descriptor& blob) { return store.blobs().has(blob.digest, blob.size); };
      if (!has(one->manifest)) return false;
      const std::vector<oci::Descriptor> all = oci::closure(store.blobs(), one->manifest);
      return std::all_of(all.begin(), all.end(), has);
    };
    if (is_there()) continue;
    const std::string from = image.source.starts_with(kFrom) ? image.source.substr(kFrom.size()) : std::string();
    const bool is_remote = !from.empty() && !from.starts_with("oci:") && !from.starts_with("archive:") &&
                           !oci::Reference::parse(from).host.empty();
    if (!is_remote) {
      throw Error(Exit::input_unavailable,
                  cat("the image ", backticked(image.name), " of the lock is not in the store"))
          .detail(cat("it was locked as ", one->manifest.digest.str(), ", ", printable(image.source)))
          .hint("`whittle set lock` builds it, and locks it anew");
    }
    oci::Reference reference = oci::Reference::parse(from);
    reference.digest = one->manifest.digest;
    session.events().emit(StageStarted{"pull", reference.str()});
    with_context(cat("cannot pull ", backticked(reference.str())), [&] {
      registry::pull(reference, {.platform = platform, .all_platforms = false}, store.blobs(), session.transport(),
                     session.client_options(allow_http), session.transfers(), session.events(), session.stop());
    });
  }
}

}  // namespace whittle::cli
