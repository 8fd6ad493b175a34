// whittle set: image sets for gateways, from what a site wants to what travels.
#include <algorithm>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "bundle/reader.hpp"
#include "bundle/signing.hpp"
#include "bundle/writer.hpp"
#include "cli/commands.hpp"
#include "cli/delivery.hpp"
#include "cli/image_source.hpp"
#include "cli/set_images.hpp"
#include "sets/deltas.hpp"
#include "sets/fleet.hpp"

namespace whittle::cli {

namespace {

fs::path lock_path(const SetOptions& options) {
  return fs::path(options.file).replace_extension(".lock");
}

fs::path trust_path(const SetOptions& options) {
  return options.trust.empty() ? fs::path(options.file).replace_extension(".trust.json") : fs::path(options.trust);
}

sets::ImageSet read_set_file(const SetOptions& options) {
  const std::optional<std::string> text = read_file_if_exists(options.file);
  if (!text) {
    throw Error(Exit::input_unavailable, cat("there is no set ", backticked(options.file)))
        .hint("write one: docs/gateway.md has an example");
  }
  return sets::read_set(*text, fs::path(options.file).filename().native());
}

sets::Lock read_lock(const fs::path& path) {
  const std::optional<std::string> text = read_file_if_exists(path);
  if (!text) {
    throw Error(Exit::input_unavailable, cat("there is no lock ", backticked(path.native())))
        .hint("`whittle set lock` writes it");
  }
  return sets::Lock::decode(*text, backticked(path.native()));
}

void print(const sets::Lock& lock, const SetOptions& options, Session& session) {
  if (options.json) {
    session.out() << pretty_json({{"schema", "whittle.lock/v1"}, {"lock", parse_json(lock.encode(), "the lock")}});
    return;
  }
  for (const sets::LockedImage& image : lock.images) {
    for (const sets::LockedPlatform& one : image.platforms) {
      session.out() << image.name << "  " << one.manifest.platform->str() << "  " << one.manifest.digest.str() << "  "
                    << human_size(one.compressed) << " compressed, " << human_size(one.installed) << " installed, "
                    << one.inodes << " inodes\n";
    }
  }
}

// What a lock of an earlier generation says that devices have.
bundle::Receipt receipt_of(const sets::Lock& lock, const sets::Profile& profile, const oci::BlobSource& blobs) {
  bundle::Receipt receipt{.device = "the earlier lock",
                          .compatible = {},
                          .platform = profile.platform,
                          .set = lock.set,
                          .epoch = lock.epoch,
                          .generation = 0,
                          .compressor = {},
                          .free_bytes = 0,
                          .blobs = {},
                          .images = {}};
  for (const sets::LockedImage& image : lock.images) {
    const sets::LockedPlatform* const one = image.find(profile.platform);
    if (one == nullptr) continue;
    receipt.images.push_back(cat(image.name, " ", one->manifest.digest.str()));
    for (const oci::Descriptor& blob : oci::closure(blobs, one->manifest)) receipt.blobs.push_back(blob.digest);
  }
  std::sort(receipt.blobs.begin(), receipt.blobs.end());
  return receipt;
}

bundle::TrustChain read_chain(const fs::path& path) {
  const std::optional<std::string> text = read_file_if_exists(path);
  if (!text) {
    throw Error(Exit::input_unavailable, cat("there is no trust document ", backticked(path.native())))
        .hint("`whittle set keygen KEY`, then `whittle set trust --key KEY.pub` writes it")
        .detail("it says which keys devices believe");
  }
  bundle::TrustChain chain = bundle::TrustChain::decode(*text, backticked(path.native()));
  if (chain.documents.empty()) throw Error(Exit::usage, cat(backticked(path.native()), " holds no trust document"));
  return chain;
}

std::vector<bundle::SigningKey> read_keys(const std::vector<std::string>& files) {
  std::vector<bundle::SigningKey> keys;
  for (const std::string& file : files) keys.push_back(bundle::SigningKey::from_file(file));
  return keys;
}

void warn_of_missing_signatures(const bundle::Trust& trust, const bundle::SignedText& root, Session& session) {
  const std::size_t valid = bundle::valid_signatures(trust, root);
  if (valid >= trust.threshold) return;
  session.events().warn(cat(valid, " of ", trust.threshold, " signatures that devices ask for; add one with ",
                            "`whittle set sign BUNDLE --key KEY`"));
}

Json json_of(const bundle::BundleReader& bundle) {
  Json files = Json::array(), images = Json::array(), keys = Json::array();
  for (const fs::path& file : bundle.files()) files.push_back(file.native());
  for (const bundle::BundledImage& image : bundle.root().images) {
    images.push_back({{"name", image.name}, {"reference", image.reference}, {"digest", image.target.digest.str()}});
  }
  for (const bundle::Signature& one : bundle.signed_root().signatures) keys.push_back(one.key);
  const auto bytes_in = [](const std::vector<bundle::BlobSize>& blobs) {
    std::uint64_t total = 0;
    for (const bundle::BlobSize& blob : blobs) total += blob.size;
    return total;
  };
  return {{"schema", "whittle.bundle/v1"},
          {"root", bundle.root_digest().str()},
          {"set", bundle.root().set},
          {"epoch", bundle.root().epoch},
          {"platform", bundle.root().platform.str()},
          {"files", std::move(files)},
          {"size", bundle.size()},
          {"carried", bytes_in(bundle.root().blobs)},
          {"asked", bytes_in(bundle.root().bases)},
          {"rebuilt", bundle.root().rebuilt.size()},
          {"images", std::move(images)},
          {"keys", std::move(keys)}};
}

void print(const bundle::BundleReader& bundle, const SetOptions& options, Session& session) {
  if (options.json) {
    session.out() << pretty_json(json_of(bundle));
    return;
  }
  for (const fs::path& file : bundle.files()) session.out() << file.native() << "\n";
}

std::vector<fs::path> paths_of(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

std::uint64_t volume_size_of(const SetOptions& options, const sets::Profile& profile) {
  if (options.volume_size.empty()) return profile.volume_size;
  if (options.volume_size == "fat32") return 0xFFFFFFFF;
  const std::optional<std::uint64_t> size = parse_size(options.volume_size);
  if (!size)
    throw Error(Exit::usage, cat(backticked(options.volume_size), " is no size")).hint("as `4GiB`, or `fat32`");
  return *size;
}

// Blobs of the store, and what was made for this bundle alone.
class BundledBlobs : public oci::BlobSource {
 public:
  BundledBlobs(const oci::BlobStore& store, const fs::path& made) : store_(store), made_(made) {}
  oci::BlobStore& made() { return made_; }

  bool has(const Digest& digest, std::uint64_t size) const override { return source(digest, size).has(digest, size); }
  std::string read(const oci::Descriptor& blob, std::uint64_t limit) const override {
    return source(blob.digest, blob.size).read(blob, limit);
  }
  std::unique_ptr<Source> open(const oci::Descriptor& blob) const override {
    return source(blob.digest, blob.size).open(blob);
  }

 private:
  const oci::BlobStore& source(const Digest& digest, std::uint64_t size) const {
    return made_.has(digest, size) ? made_ : store_;
  }
  const oci::BlobStore& store_;
  oci::BlobStore made_;
};

// Signs the root, writes the volumes, and reads them back.
bundle::BundleReader write_signed(bundle::Root root, const fs::path& target, const SetOptions& options,
                                  const oci::BlobSource& blobs, Session& session) {
  const std::vector<bundle::SigningKey> keys = read_keys(options.keys);
  if (keys.empty()) throw Error(Exit::usage, "a bundle is signed").hint("name a key with `--key FILE`");
  bundle::BundlePlan plan{.root = std::move(root), .trust = read_chain(trust_path(options)), .signatures = {}};
  const std::string text = plan.root.encode();
  for (const bundle::SigningKey& key : keys) plan.signatures.push_back(key.sign(text));
  std::sort(plan.signatures.begin(), plan.signatures.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  session.events().emit(
      StageStarted{"bundle", cat(plan.root.images.size(), " images, ", plan.root.blobs.size(), " blobs")});
  const std::vector<fs::path> files = bundle::write_bundle(plan, blobs, target, session.events(), session.stop());
  // What was written has left the page cache: this reads the medium, which may lie about its size.
  bundle::BundleReader written(files);
  session.events().emit(StageStarted{"verify", "reading the medium back"});
  written.verify(session.events(), session.stop());
  warn_of_missing_signatures(plan.trust.newest(), written.signed_root(), session);
  session.events().info(cat(human_size(written.size()), files.size() == 1 ? "" : cat(" in ", files.size(), " volumes"),
                            ", epoch ", plan.root.epoch));
  return written;
}

// The same for devices that have something: layers that can be made there are carried as what makes them.
bundle::BundleReader write_delta(bundle::Root root, std::span<const bundle::Receipt> have, const fs::path& target,
                                 const SetOptions& options, const oci::BlobStore& store, Session& session) {
  const TemporaryFolder folder = temporary_store(session);
  BundledBlobs blobs(store, folder.path());
  if (!have.empty()) {
    session.events().emit(
        StageStarted{"delta", cat("from what ", have.size(), have.size() == 1 ? " device has" : " devices have")});
    sets::add_deltas(root, have, store, blobs.made(), folder.path(), session.events(), session.stop());
  }
  return write_signed(std::move(root), target, options, blobs, session);
}

// The set, its lock, and the store with what the lock names for these platforms.
struct LockedSet {
  sets::ImageSet set;
  sets::Lock lock;
  oci::Layout store;

  LockedSet(const SetOptions& options, Session& session)
      : set(read_set_file(options)), lock(read_lock(lock_path(options))), store(session.open_store()) {
    lock.require_match(set, backticked(lock_path(options).native()));
  }
};

std::vector<bundle::Receipt> read_receipts(const SetOptions& options) {
  std::vector<bundle::Receipt> receipts;
  for (const std::string& file : options.have) {
    receipts.push_back(bundle::Receipt::decode(read_file(file), backticked(file)));
  }
  return receipts;
}

Json json_of(const sets::ProfilePlan& plan) {
  Json devices = Json::array();
  for (const sets::DevicePlan& device : plan.devices) {
    devices.push_back({{"device", device.device},
                       {"current", device.is_current},
                       {"missingBlobs", device.missing_blobs},
                       {"missing", device.missing_bytes}});
  }
  return {{"profile", plan.profile->name},
          {"platform", plan.profile->platform.str()},
          {"carried", plan.carried_bytes()},
          {"devices", std::move(devices)}};
}

void print(const sets::ProfilePlan& plan, Session& session) {
  session.out() << plan.profile->name << "  " << plan.profile->platform.str() << "  "
                << (plan.have.empty() ? "nothing to carry" : human_size(plan.carried_bytes())) << "\n";
  for (const sets::DevicePlan& device : plan.devices) {
    session.out() << "  " << printable(device.device) << "  "
                  << (device.is_current ? "is up to date" : cat("lacks ", human_size(device.missing_bytes))) << "\n";
  }
}

}  // namespace

int set_lock(const SetOptions& options, Session& session) {
  const sets::ImageSet set = read_set_file(options);
  oci::Layout store = session.open_store();
  const fs::path path = lock_path(options);
  const std::optional<sets::Lock> before = options.locked ? std::optional(read_lock(path)) : std::nullopt;
  const sets::Lock lock = lock_images(set, fs::path(options.file).parent_path(), store, options.allow_http, session);
  if (before) {
    const std::vector<std::string> drift = sets::differences(*before, lock);
    if (!drift.empty()) {
      Error error(Exit::budget_exceeded, cat("the set is not what ", backticked(path.native()), " says"));
      for (const std::string& line : drift) error.detail(line);
      throw error.hint("`whittle set lock` accepts what there is now").note("the lock was not changed");
    }
    before->require_match(set, backticked(path.native()));
  }
  sets::check_budgets(set, lock, store.blobs());
  if (!before) write_file(path, lock.encode());
  print(lock, options, session);
  return 0;
}

int set_bundle(const SetOptions& options, Session& session) {
  LockedSet locked(options, session);
  const sets::Profile& profile = locked.set.profile(options.profile);
  bring_locked_images(locked.lock, profile.platform, locked.store, options.allow_http, session);
  std::vector<bundle::Receipt> have = read_receipts(options);
  for (const std::string& file : options.have_locks) {
    const sets::Lock earlier = read_lock(file);
    bring_locked_images(earlier, profile.platform, locked.store, options.allow_http, session);
    have.push_back(receipt_of(earlier, profile, locked.store.blobs()));
  }
  bundle::Root root = sets::plan_bundle(locked.lock, profile, have, locked.store.blobs());
  root.volume_size = volume_size_of(options, profile);
  const fs::path target =
      options.output.empty() ? fs::path(cat(root.set, "-", root.epoch, ".whittle")) : fs::path(options.output);
  print(write_delta(std::move(root), have, target, options, locked.store.blobs(), session), options, session);
  return 0;
}

int set_plan_fleet(const SetOptions& options, Session& session) {
  LockedSet locked(options, session);
  for (const sets::Profile& profile : locked.set.profiles) {
    bring_locked_images(locked.lock, profile.platform, locked.store, options.allow_http, session);
  }
  const std::vector<sets::ProfilePlan> plans =
      sets::plan_fleet(locked.set, locked.lock, read_receipts(options), locked.store.blobs());
  Json list = Json::array();
  for (const sets::ProfilePlan& plan : plans) {
    list.push_back(json_of(plan));
    if (!options.json) print(plan, session);
    if (options.keys.empty() || plan.have.empty()) continue;
    bundle::Root root = plan.root;
    root.volume_size = volume_size_of(options, *plan.profile);
    const fs::path file = fs::path(options.output) / cat(root.set, "-", root.epoch, "-", root.profile, ".whittle");
    const bundle::BundleReader written =
        write_delta(std::move(root), plan.have, file, options, locked.store.blobs(), session);
    for (const fs::path& one : written.files()) {
      list.back()["files"].push_back(one.native());
      if (!options.json) session.out() << "  " << one.native() << "\n";
    }
  }
  if (options.json) session.out() << pretty_json({{"schema", "whittle.fleet/v1"}, {"profiles", std::move(list)}});
  return 0;
}

int set_delta(const SetOptions& options, Session& session) {
  if (options.have.empty() && options.have_locks.empty()) {
    throw Error(Exit::usage, "a delta needs to know what the device has")
        .hint("`--have RECEIPT` (from `whittle gateway receipt` there), or `--have-lock FILE`");
  }
  return set_bundle(options, session);
}

int set_sign(const SetOptions& options, Session& session) {
  const std::vector<fs::path> files = paths_of(options.bundles);
  if (options.keys.empty()) throw Error(Exit::usage, "no key is named").hint("as `--key FILE`");
  for (const bundle::SigningKey& key : read_keys(options.keys)) bundle::sign_bundle(files, key);
  const bundle::BundleReader bundle(files);
  if (!bundle.trust().documents.empty()) {
    warn_of_missing_signatures(bundle.trust().newest(), bundle.signed_root(), session);
  }
  print(bundle, options, session);
  return 0;
}

int set_verify(const SetOptions& options, Session& session) {
  const bundle::BundleReader bundle(paths_of(options.bundles));
  session.events().emit(
      StageStarted{"verify", cat("epoch ", bundle.root().epoch, " of ", backticked(bundle.root().set))});
  if (!options.trust.empty()) {
    const bundle::TrustChain chain = read_chain(options.trust);
    const bundle::Trust trust = bundle.check_trust(chain.newest());
    session.events().info(cat("signed by ", bundle::valid_signatures(trust, bundle.signed_root()), " of ",
                              trust.keys.size(), " trusted keys, ", trust.threshold, " needed"));
  } else {
    session.events().warn("whether it can be trusted was not looked at: `--trust FILE` names the keys");
  }
  bundle.verify(session.events(), session.stop());
  print(bundle, options, session);
  return 0;
}

int set_keygen(const SetOptions& options, Session& session) {
  const fs::path path = options.output, public_path = path.native() + ".pub";
  for (const fs::path& one : {path, public_path}) {
    if (!fs::exists(one)) continue;
    throw Error(Exit::usage, cat("there is a file ", backticked(one.native()), " already"))
        .hint("a key that signed something is still needed; take another name");
  }
  const bundle::SigningKey key = bundle::SigningKey::generate(
      options.algorithm == "p256" ? bundle::KeyAlgorithm::p256 : bundle::KeyAlgorithm::ed25519);
  write_file(path, key.pem(), 0600);
  write_file(public_path, key.public_key().pem());
  session.events().info(
      cat(backticked(path.native()), " is secret and signs; devices get to know ", backticked(public_path.native())));
  session.out() << key.public_key().id() << "\n";
  return 0;
}

int set_trust(const SetOptions& options, Session& session) {
  const fs::path path = trust_path(options);
  if (options.keys.empty()) throw Error(Exit::usage, "no key is named").hint("as `--key gateway.pub`");
  const std::string name = options.set_name.empty() ? read_set_file(options).name : options.set_name;
  bundle::Trust next{.set = name, .version = 1, .threshold = options.threshold, .keys = {}};
  for (const std::string& file : options.keys)
    next.keys.push_back(bundle::PublicKey::from_pem(read_file(file), backticked(file)));
  bundle::TrustChain chain;
  if (fs::exists(path)) {
    chain = read_chain(path);
    next.version = chain.newest().version + 1;
  }
  bundle::Trust::decode(next.encode(), "the new trust document");
  bundle::SignedText document{next.encode(), {}};
  for (const bundle::SigningKey& key : read_keys(options.signing_keys))
    document.signatures.push_back(key.sign(document.text));
  if (!chain.documents.empty()) {
    const std::string what = cat("version ", next.version, " of the trust document");
    bundle::require_signatures(chain.newest(), document, cat(what, ", as version ", next.version - 1, " has it"));
    bundle::require_signatures(next, document, what);
  }
  chain.documents.push_back(std::move(document));
  write_file(path, chain.encode() + "\n");
  session.events().info(
      cat("version ", next.version, ": ", next.threshold, " of ", next.keys.size(), " keys must sign"));
  session.out() << path.native() << "\n";
  return 0;
}

int set_export(const SetOptions& options, Session& session) {
  const bundle::BundleReader bundle(paths_of(options.bundles));
  if (!bundle.root().is_whole()) {
    throw Error(Exit::usage, "this bundle carries only what one device lacks, and other tools need all of an image")
        .hint("write a whole one with `whittle set bundle`");
  }
  for (const bundle::BundledImage& image : bundle.root().images) {
    const std::string& to = options.output;
    if (to.starts_with("oci:")) {
      deliver_to(*registry::layout_sink(to.substr(4), image.reference, session.events()), image.target, bundle,
                 session);
    } else if (to.starts_with("archives:")) {
      const fs::path folder = to.substr(9);
      make_folders(folder);
      const fs::path file = folder / cat(image.name, "-", image.target.digest.hex().substr(0, 16), ".tar");
      deliver_to(*registry::archive_sink(file, image.reference), image.target, bundle, session);
    } else if (to.starts_with("registry:")) {
      oci::Reference reference = oci::Reference::parse(image.reference);
      reference.host = to.substr(9);
      push_image(image.target, bundle, oci::Reference::parse(reference.str()), options.allow_http, session);
    } else {
      throw Error(Exit::usage, cat("cannot export to ", backticked(to)))
          .hint(
              "`oci:DIR` is a layout, `archives:DIR` a file an image (as K3s takes them), `registry:HOST` a registry");
    }
    session.out() << image.reference << "@" << image.target.digest.str() << "\n";
  }
  return 0;
}

}  // namespace whittle::cli
