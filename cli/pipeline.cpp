#include "cli/pipeline.hpp"

#include <unistd.h>

#include <memory>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/builder.hpp"
#include "builder/sandbox.hpp"
#include "builder/stat_index.hpp"
#include "cli/budget.hpp"
#include "cli/build_record.hpp"
#include "cli/delivery.hpp"
#include "cli/given_secrets.hpp"
#include "cli/image_source.hpp"
#include "cli/origins.hpp"
#include "cli/platforms.hpp"
#include "cli/probe.hpp"
#include "cli/supplies.hpp"
#include "cli/supply_record.hpp"
#include "cli/tool_downloads.hpp"
#include "layers/assembler.hpp"
#include "layers/root_filesystem.hpp"
#include "layers/site.hpp"
#include "plan/config_keys.hpp"

namespace whittle::cli {

namespace {

// Everything besides the builder's inputs that decides the image's bytes.
Digest image_key(const builder::InputKey& inputs, const plan::BuildPlan& plan, const layers::BaseFacts& facts,
                 Session& session) {
  builder::StatIndex index(session.cache_folder() / "stat-index", session.events());
  Hasher hasher;
  hasher.update(inputs.digest.str());
  hasher.update(layers::compression_identity(layers::compression_of(plan.layers)));
  // Another whittle may compose differently; tzdata.zi changes with every release of the time zone database
  // that the other files are made from.
  std::error_code unknown;
  const fs::path whittle = fs::read_symlink("/proc/self/exe", unknown);
  for (const fs::path& fact : {whittle, facts.certificates, facts.time_zones / "tzdata.zi"}) {
    hasher.update(fs::is_regular_file(fact) ? index.digest(fact).str() : "absent");
  }
  index.save();
  return hasher.digest();
}

bool is_last_part(std::string_view repository, std::string_view program) {
  return last_part(repository) == lower(program);
}

oci::Reference image_name(const plan::BuildPlan& plan, const BuildOptions& options) {
  oci::Reference name = oci::Reference::parse(options.tag.empty() ? plan.name : options.tag);
  // A program that is called like its image needs no second name.
  if (!options.program.empty() && !is_last_part(name.repository, options.program)) {
    name.repository += cat("-", lower(options.program));
  }
  if (name.digest) {
    throw Error(Exit::usage, cat("cannot tag an image ", backticked(options.tag), ": a digest is not a name"))
        .hint("use `NAME:TAG`");
  }
  name.tag = name.tag_or_latest();
  return name;
}

// What a client fetches that can read everything.
std::uint64_t compressed_size(const oci::BlobStore& blobs, const oci::Descriptor& root) {
  std::uint64_t total = 0;
  for (const oci::Descriptor& blob : oci::closure(blobs, image_to_show(root, blobs))) total += blob.size;
  return total;
}

std::optional<std::chrono::seconds> time_limit(const plan::Config& config) {
  return config.timeout ? plan::parse_duration(config.timeout->value) : std::nullopt;
}

// build → compose → partition → assemble.
BuildRecords::Record make_image(const plan::BuildPlan& plan, const builder::InputKey& inputs, const fs::path& source,
                                const layers::BaseFacts& facts, const builder::Options& options, oci::BlobStore& blobs,
                                Session& session) {
  EventSink& events = session.events();

  // Runs the steps. Beyond this point programs exist and are proved, and no more processes start.
  events.emit(StageStarted{"build", plan.steps.empty() ? "nothing to run" : cat(plan.steps.size(), " steps")});
  const builder::Built built =
      builder::build(plan, inputs, session.host(), options, session.runner(), events, session.stop());

  // Puts every file in its place. Beyond this point modes and owners are normalised and no two files collide.
  layers::RootFilesystem root = layers::compose(built.plan, built.artifacts, built.needs, source, facts, events);
  if (!plan.image.site.empty()) {
    layers::complete_site(root, plan.image.site, session.cache_folder() / "sites", session.pool());
  }

  // Splits by how often things change. Beyond this point each entry is in exactly one layer.
  const std::size_t entries = root.size();
  const std::uint64_t installed = layers::content_size(root);
  const std::string origins = Origins::record_of(root, built.plan, built.sandbox);
  const std::vector<layers::Slice> slices = layers::partition(std::move(root));

  // Writes the blobs. Beyond this point everything is on disk and digests are final.
  events.emit(StageStarted{"layers", cat(entries, " entries in ", slices.size(), " layers")});
  layers::LayerCache cache(session.cache_folder() / "layers");
  const oci::Image image = layers::assemble(built.plan, slices, blobs, cache, session.pool(), events, session.stop());
  Origins(session.cache_folder() / "origins").remember(image.config.digest, origins);
  return {image.manifest, built.warnings, installed, built.sandbox};
}

// The images of a tree's plans, one for each platform: those whose inputs were built before, and the others.
class Images {
 public:
  // `said` are the warnings that were told already.
  Images(const OpenedTree& tree, std::vector<plan::BuildPlan> plans, oci::BlobStore& blobs, Session& session,
         std::set<std::string>& said)
      : source_(tree.context().root()),
        plans_(std::move(plans)),
        blobs_(blobs),
        session_(session),
        records_(session.cache_folder() / "builds", blobs),
        said_(said) {}

  void make(const builder::Options& options) {
    const std::vector<builder::InputKey> inputs =
        builder::input_keys(plans_, source_, session_.host(), session_.runner(), session_.events(), session_.stop());
    std::vector<Digest> keys;
    std::vector<BuildRecords::Record> made(plans_.size());
    std::vector<std::size_t> changed;
    for (std::size_t i = 0; i < plans_.size(); ++i) {
      keys.push_back(image_key(inputs[i], plans_[i], facts_, session_));
      const std::optional<BuildRecords::Record> record = records_.find(keys[i]);
      const bool is_good = record && (plans_[i].sandbox != "required" || record->sandbox != builder::Sandbox::kNone);
      if (is_good) made[i] = *record;
      if (!is_good) changed.push_back(i);
    }
    for (const std::size_t i : changed) {
      if (plans_.size() > 1) session_.events().info(plans_[i].platform);
      made[i] = make_image(plans_[i], inputs[i], source_, facts_, options, blobs_, session_);
    }
    for (const BuildRecords::Record& one : made) add(one);
    is_unchanged_ = changed.empty();
    if (is_unchanged_) return;
    // The keys speak of the tree as it was at the beginning; the images, of files as they were when they were read.
    const std::size_t last = changed.back();
    if (!builder::source_is_unchanged(inputs[last], plans_[last], source_, session_.host(), session_.runner(),
                                      session_.events(), session_.stop())) {
      return session_.events().warn(
          "the source tree changed while it was built; the image may hold some files from before and some after");
    }
    for (const std::size_t i : changed) records_.remember(keys[i], made[i]);
  }

  // Whether each image is as small as its plan wants it.
  void check_budgets() const {
    for (std::size_t i = 0; i < plans_.size(); ++i) {
      check_budget(plans_[i], {.root = roots_[i], .compressed = compressed_[i], .installed = installed_[i]}, blobs_);
    }
  }

  const std::vector<plan::BuildPlan>& plans() const { return plans_; }
  const layers::BaseFacts& facts() const { return facts_; }
  const std::vector<oci::Descriptor>& roots() const { return roots_; }
  const std::vector<std::uint64_t>& compressed() const { return compressed_; }
  const std::vector<std::string>& sandboxes() const { return sandboxes_; }
  bool is_unchanged() const { return is_unchanged_; }

 private:
  void add(const BuildRecords::Record& record) {
    for (const std::string& warning : record.warnings) {
      if (said_.insert(warning).second) session_.events().warn(warning);
    }
    roots_.push_back(record.root);
    compressed_.push_back(compressed_size(blobs_, record.root));
    installed_.push_back(record.installed);
    sandboxes_.push_back(record.sandbox);
  }

  const fs::path source_;
  const std::vector<plan::BuildPlan> plans_;
  oci::BlobStore& blobs_;
  Session& session_;
  BuildRecords records_;
  const layers::BaseFacts facts_;
  std::vector<oci::Descriptor> roots_;
  std::vector<std::uint64_t> compressed_, installed_;
  std::vector<std::string> sandboxes_;
  std::set<std::string>& said_;
  bool is_unchanged_ = false;
};

void refuse_failed_probe(const std::vector<proof::Finding>& findings, const oci::Reference& name, EventSink& events) {
  for (const proof::Finding& finding : findings) {
    if (finding.severity == proof::Finding::Severity::fact) events.info(finding.text);
    if (finding.severity == proof::Finding::Severity::warning) events.warn(cat(finding.text, ": ", finding.remedy));
    if (finding.severity != proof::Finding::Severity::reason) continue;
    throw Error(Exit::not_static, cat("the program of ", backticked(store_name(name)), " does not run in its image"))
        .detail(finding.text)
        .hint(finding.remedy)
        .note("the image is in the store; it was not delivered anywhere else");
  }
}

std::vector<plan::BuildPlan> with_supplies(std::vector<plan::BuildPlan> plans, const Supplied& supplied) {
  for (plan::BuildPlan& plan : plans) {
    plan.image.supplies = supplied.supplies;
    const bool sets_home = !supplied.home.empty() && plan.image.env.try_emplace("HOME", supplied.home).second;
    if (sets_home) plan.values["env HOME"] = {supplied.home, "--probe"};
  }
  return plans;
}

// Runs the program in its image, and makes the image again with what it was seen to miss, as far as that helps. What
// helped is remembered for the image, so that the same inputs give the same bytes without another trial.
class Probing {
 public:
  Probing(const OpenedTree& tree, const builder::Options& how, oci::BlobStore& blobs, Session& session,
          std::set<std::string>& said)
      : tree_(tree), how_(how), blobs_(blobs), session_(session), said_(said) {}

  // `images` become those with the supplies.
  std::vector<proof::Finding> complete(std::unique_ptr<Images>& images) {
    const Digest plain = root_of(*images).digest;
    const SupplyRecords records(session_.cache_folder() / "supplies");
    std::optional<Probed> seen;
    std::optional<Supplied> supplied = records.find(plain);
    if (!supplied) {
      seen = probe_image(blobs_, root_of(*images), session_);
      supplied = what_helps(*images, *seen);
      records.remember(plain, *supplied);
    }
    if (!supplied->empty()) {
      images = remade(*images, *supplied);
      seen.reset();
    }
    if (!seen) seen = probe_image(blobs_, root_of(*images), session_);
    tell(*supplied);
    return std::move(seen->findings);
  }

 private:
  oci::Descriptor root_of(const Images& images) { return put_root(images.roots(), blobs_); }

  std::unique_ptr<Images> remade(const Images& images, const Supplied& supplied) {
    auto other = std::make_unique<Images>(tree_, with_supplies(images.plans(), supplied), blobs_, session_, said_);
    other->make(how_);
    return other;
  }

  Supplied what_helps(const Images& images, const Probed& before) {
    Supplied wanted{.supplies = {}, .home = before.wants_home ? "/tmp" : ""};
    for (const plan::Supply& supply : before.supplies) {
      if (images.facts().has(supply)) wanted.supplies.push_back(supply);
    }
    if (wanted.empty()) return {};
    const Probed after = probe_image(blobs_, root_of(*remade(images, wanted)), session_);
    if (before.runs && !after.runs) return {};
    std::erase_if(wanted.supplies, [&](const plan::Supply& supply) { return is_still_missed(supply, after.said); });
    return wanted;
  }

  void tell(const Supplied& supplied) {
    for (const plan::Supply& supply : supplied.supplies) {
      const std::string setting = setting_for(supply);
      session_.events().info(
          cat("added ", description_of(supply), ": ", supply.reason,
              setting.empty() ? "" : cat("; ", backticked(setting), " under `[image]` does the same")));
    }
    if (!supplied.home.empty()) {
      session_.events().info(cat("set HOME to ", supplied.home, ": it does not run where it cannot write to HOME; ",
                                 backticked(cat("env = { HOME = \"", supplied.home, "\" }")),
                                 " under `[image]` does the same"));
    }
  }

  const OpenedTree& tree_;
  const builder::Options& how_;
  oci::BlobStore& blobs_;
  Session& session_;
  std::set<std::string>& said_;
};

}  // namespace

BuildResult build_image(const BuildOptions& options, Session& session) {
  EventSink& events = session.events();

  // Opens the tree. Beyond this point every path is inside the root.
  const OpenedTree tree = open_tree(options, session);

  // Looks at it and decides. Beyond this point everything that will be done is written in the plans, one a platform.
  events.emit(StageStarted{"detect", printable(tree.app.root().native())});
  const std::vector<plan::BuildPlan> plans = make_plans(tree, options, session);
  const plan::BuildPlan& plan = plans.front();
  events.info(cat(plan.language, " (", plan.detector, ")"));
  warn_once(plans, events);
  const builder::Secrets secrets = given_secrets(options.secrets, session.environment());
  builder::refuse_missing_secrets(plans, secrets);
  for (const std::string& id : builder::unused_secrets(plans, secrets)) {
    events.warn(cat("no step asks for the secret ", backticked(id)));
  }
  BuildResult result{.reference = {}, .root = {}, .name = image_name(plan, options)};
  refuse_impossible_delivery(options, result.name);

  // Makes what was not made before from the same inputs. Beyond this point there is an image for every platform.
  oci::Layout store = session.open_store();
  std::set<std::string> said;
  auto images = std::make_unique<Images>(tree, plans, store.blobs(), session, said);
  ToolDownloads downloads(session);
  builder::Options how = {.offline = options.offline, .jobs = 0, .time_limit = time_limit(tree.config)};
  how.downloader = &downloads;
  how.secrets = &secrets;
  how.sandbox = &session.sandbox(plan.sandbox);
  if (!plan.steps.empty()) how.sandbox->look_ahead(session.stop());
  images->make(how);

  // Runs the program, if that was asked for, and adds what it misses. Beyond this point the images are what they will
  // be.
  std::vector<proof::Finding> findings;
  if (options.probe) findings = Probing(tree, how, store.blobs(), session, said).complete(images);
  images->check_budgets();
  result.root = put_root(images->roots(), store.blobs());
  result.unchanged = images->is_unchanged();

  // Names it. Beyond this point the store shows the image.
  if (store.find(store_name(result.name)) != result.root) store.tag(store_name(result.name), result.root);
  result.reference = cat(result.name.name(), "@", result.root.digest.str());
  for (std::size_t i = 0; i < plans.size(); ++i) {
    result.platforms.push_back(
        {plans[i].platform, images->roots()[i].digest, images->compressed()[i], images->sandboxes()[i]});
  }
  result.compressed = plans.size() == 1 ? images->compressed().front() : compressed_size(store.blobs(), result.root);
  events.info(cat(store_name(result.name), ", ", plans.size() > 1 ? cat(plans.size(), " platforms, ") : "",
                  human_size(result.compressed), result.unchanged ? ", nothing had changed" : ""));

  // Says what was seen. Beyond this point a program that was run is known to start.
  refuse_failed_probe(findings, result.name, events);

  // Takes it where it was asked to go: blobs before config before manifest before tag.
  deliver(result.root, result.name, options, store.blobs(), session);
  return result;
}

}  // namespace whittle::cli
