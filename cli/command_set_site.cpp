// whittle set site: what other programs of a site read, made of the lock and the images' own configurations.
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "oci/layout.hpp"
#include "sets/lock.hpp"
#include "sets/registry_settings.hpp"
#include "sets/site.hpp"

namespace whittle::cli {

namespace {

// "sensor=9.5MB" → {"sensor", "9.5MB"}.
std::pair<std::string, std::string> pair_of(const std::string& text, const char* option) {
  const std::size_t equals = text.find('=');
  if (equals != std::string::npos && equals > 0) return {text.substr(0, equals), text.substr(equals + 1)};
  throw Error(Exit::usage, cat("`", option, "` needs NAME=VALUE, not ", backticked(text)));
}

sets::SiteImage& image_called(sets::Site& site, const std::string& name) {
  std::vector<std::string> names;
  for (sets::SiteImage& image : site.images) {
    if (image.name == name) return image;
    names.push_back(image.name);
  }
  Error error(Exit::usage, cat("the set has no image ", backticked(name)));
  if (const auto near = nearest(name, names)) error.hint(cat("did you mean `", *near, "`?"));
  throw error;
}

void add_measurements(sets::Site& site, const SetSiteOptions& options) {
  for (const std::string& text : options.memory) {
    const auto [name, value] = pair_of(text, "--memory");
    const auto size = parse_size(value);
    if (!size) throw Error(Exit::usage, cat(backticked(value), " is no size")).hint("as `9500KB`");
    image_called(site, name).measured.memory = *size;
  }
  for (const std::string& text : options.cpu) {
    const auto [name, value] = pair_of(text, "--cpu");
    const auto milli_cores = parse_number(value);
    if (!milli_cores) throw Error(Exit::usage, cat(backticked(value), " is no number of milli-cores"));
    image_called(site, name).measured.milli_cores = *milli_cores;
  }
}

sets::Site site_of(const sets::ImageSet& set, const sets::Lock& lock, const sets::Profile& profile,
                   const oci::BlobSource& blobs) {
  sets::Site site{.name = set.name, .epoch = lock.epoch, .images = {}};
  for (const sets::LockedImage& image : lock.images) {
    const sets::LockedPlatform* const locked = image.find(profile.platform);
    if (locked == nullptr) continue;
    const oci::Manifest manifest =
        oci::Manifest::decode(blobs.read(locked->manifest, oci::kMaximumManifest), image.reference);
    const oci::Config config =
        oci::Config::decode(blobs.read(manifest.config, oci::kMaximumConfig), cat("the configuration of ", image.name));
    site.images.push_back(sets::SiteImage::of(image.name, image.reference, locked->manifest.digest, config));
    site.images.back().is_critical = image.is_critical;
  }
  return site;
}

sets::RegistrySettings settings_for(const sets::ImageSet& set, const SetSiteOptions& options) {
  if (options.registry.empty()) return set.registry;
  return sets::read_registry_settings(read_file(options.registry), fs::path(options.registry).filename().native());
}

class Files {
 public:
  Files(fs::path folder, std::ostream& out) : folder_(std::move(folder)), out_(out) {}
  void write(const fs::path& name, const std::string& text) {
    make_folders((folder_ / name).parent_path());
    write_file(folder_ / name, text);
    out_ << (folder_ / name).native() << "\n";
  }

 private:
  fs::path folder_;
  std::ostream& out_;
};

void write_registry(const sets::RegistrySettings& settings, const SetSiteOptions& options, Files& files) {
  const sets::GatewayAddress gateway{.host = options.gateway, .has_tls = options.gateway_tls};
  files.write("registry/registries.conf", sets::registries_conf(settings, gateway));
  files.write(fs::path("registry/certs.d") / settings.address / "hosts.toml", sets::hosts_toml(settings, gateway));
  files.write("registry/registries.yaml", sets::k3s_registries_yaml(settings, gateway));
}

}  // namespace

int set_site(const SetSiteOptions& options, Session& session) {
  const sets::ImageSet set = sets::read_set(read_file(options.file), fs::path(options.file).filename().native());
  const fs::path lock_file = fs::path(options.file).replace_extension(".lock");
  const std::string lock_name = backticked(lock_file.native());
  const std::optional<std::string> lock_text = read_file_if_exists(lock_file);
  if (!lock_text) {
    throw Error(Exit::input_unavailable, cat("there is no lock ", lock_name)).hint("`whittle set lock` writes it");
  }
  const sets::Lock lock = sets::Lock::decode(*lock_text, lock_name);
  lock.require_match(set, lock_name);
  const oci::Layout store = session.open_store();
  sets::Site site = site_of(set, lock, set.profile(options.profile), store.blobs());
  add_measurements(site, options);
  for (const sets::SiteImage& image : site.images) {
    if (image.measured.memory > 0) continue;
    session.events().warn(cat(backticked(image.name), " gets no memory limit: `--memory ", image.name,
                              "=SIZE` says what it was seen to need"));
  }
  Files files(options.output, session.out());
  files.write("kubernetes.yaml", sets::kubernetes_manifests(site));
  files.write("image-pre-pull-job.yaml", sets::image_pre_pull_job(site));
  for (const sets::TextFile& unit : sets::quadlet_units(site)) files.write(fs::path("quadlet") / unit.name, unit.text);
  files.write("containerd.toml", sets::containerd_config(options.pause));
  const sets::RegistrySettings settings = settings_for(set, options);
  if (!settings.address.empty()) write_registry(settings, options, files);
  return 0;
}

}  // namespace whittle::cli
