#include "cli/pipeline.hpp"

#include <unistd.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/builder.hpp"
#include "builder/stat_index.hpp"
#include "cli/build_record.hpp"
#include "cli/image_source.hpp"
#include "cli/version_control.hpp"
#include "detectors/context.hpp"
#include "layers/assembler.hpp"
#include "layers/root_filesystem.hpp"
#include "registry/image_sink.hpp"

namespace whittle::cli {

namespace {

std::string host_platform(const BuildOptions& options) {
  const oci::Platform host = oci::Platform::host();
  if (options.platform.empty()) return host.str();
  const std::optional<oci::Platform> wanted = oci::Platform::parse(options.platform);
  if (!wanted) {
    throw Error(Exit::usage, cat(backticked(options.platform), " is not a platform"))
        .hint("a platform is written like `linux/amd64`");
  }
  if (*wanted != host) {
    throw Error(Exit::usage, cat("whittle does not build for `", wanted->str(), "` on `", host.str(), "` yet"))
        .hint(cat("leave `--platform` out, or run whittle on `", wanted->str(), "`"));
  }
  return host.str();
}

plan::Config command_line_config(const BuildOptions& options) {
  plan::Config config;
  const auto set = [&](std::optional<plan::Setting> plan::Config::*member, const std::string& value, const char* flag) {
    if (!value.empty()) config.*member = plan::checked_setting(member, value, flag);
  };
  if (!options.tag.empty()) config.name = plan::Setting{oci::Reference::parse(options.tag).name(), "--tag"};
  set(&plan::Config::detector, options.detector, "--detector");
  set(&plan::Config::toolchain, options.toolchain, "--toolchain");
  set(&plan::Config::link, options.link, "--link");
  set(&plan::Config::compression, options.compression, "--compression");
  if (options.gzip_twin) config.gzip_twin = plan::Setting{"always", "--gzip-twin"};
  if (options.release) config.compression = plan::Setting{std::string(kReleaseCompression), "--release"};
  if (!options.targets.empty()) config.targets = plan::ListSetting{options.targets, "--target"};
  return config;
}

// The image's time and labels: SOURCE_DATE_EPOCH, else the commit's time, else 0.
detectors::DecideOptions provenance(const fs::path& folder, Session& session) {
  detectors::DecideOptions options{.created = "0", .created_source = "default", .labels = {}};
  if (const std::optional<Commit> commit = read_commit(folder)) {
    options.labels = labels_of(*commit);
    options.created = std::to_string(std::max<std::int64_t>(0, commit->committed));
    options.created_source = cat("commit ", commit->revision.substr(0, 12));
  }
  const std::string epoch = session.variable("SOURCE_DATE_EPOCH");
  if (epoch.empty()) return options;
  // Beyond the year 9999 the time has no RFC 3339 form.
  const std::optional<std::uint64_t> seconds = parse_number(epoch);
  if (!seconds || *seconds > 253'402'300'799) {
    throw Error(Exit::usage, cat("`SOURCE_DATE_EPOCH` is ", backticked(epoch), ", not a time in seconds since 1970"));
  }
  options.created = epoch;
  options.created_source = "SOURCE_DATE_EPOCH";
  return options;
}

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

oci::Reference image_name(const plan::BuildPlan& plan, const BuildOptions& options) {
  oci::Reference name = oci::Reference::parse(options.tag.empty() ? plan.name : options.tag);
  if (name.digest) {
    throw Error(Exit::usage, cat("cannot tag an image ", backticked(options.tag), ": a digest is not a name"))
        .hint("use `NAME:TAG`");
  }
  name.tag = name.tag_or_latest();
  return name;
}

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

}  // namespace

void deliver_to(registry::ImageSink& sink, const oci::Descriptor& root, const oci::BlobSource& blobs,
                Session& session) {
  const registry::Delivery delivery =
      registry::deliver(root, blobs, sink, session.transfers(), session.events(), session.stop());
  session.events().info(delivery.unchanged
                            ? cat(sink.where(), ": already there")
                            : cat(sink.where(), ": ", delivery.sent_blobs, " blobs sent (",
                                  human_size(delivery.sent_bytes), "), ", delivery.reused_blobs, " were there"));
}

namespace {

void deliver(const BuildResult& result, const BuildOptions& options, const oci::BlobStore& blobs, Session& session) {
  for (const std::string& output : options.outputs) {
    session.events().emit(StageStarted{"export", printable(output)});
    const std::string name = store_name(result.name);
    const auto sink = output.starts_with("oci:") ? registry::layout_sink(output.substr(4), name, session.events())
                                                 : registry::archive_sink(output.substr(8), name);
    deliver_to(*sink, result.root, blobs, session);
  }
  if (options.push) push_image(result.root, blobs, result.name, options.allow_http, session);
}

// What a client fetches that can read everything.
std::uint64_t compressed_size(const oci::BlobStore& blobs, const oci::Descriptor& root) {
  oci::Descriptor image = root;
  if (oci::media_type::is_index(root.media_type)) {
    image = oci::load_image(blobs, root, root.platform.value_or(oci::Platform::host())).manifest;
  }
  std::uint64_t total = 0;
  for (const oci::Descriptor& blob : oci::closure(blobs, image)) total += blob.size;
  return total;
}

struct Assembled {
  oci::Descriptor root;
  std::vector<std::string> warnings;
};

// build → compose → partition → assemble.
Assembled make_image(const plan::BuildPlan& plan, const builder::InputKey& inputs, const fs::path& source,
                     const layers::BaseFacts& facts, const BuildOptions& options, oci::BlobStore& blobs,
                     Session& session) {
  EventSink& events = session.events();

  // Runs the steps. Beyond this point programs exist and are proved, and no more processes start.
  events.emit(StageStarted{"build", plan.steps.empty() ? "nothing to run" : cat(plan.steps.size(), " steps")});
  const builder::Built built = builder::build(plan, inputs, session.host(), {.offline = options.offline, .jobs = 0},
                                              session.runner(), events, session.stop());

  // Puts every file in its place. Beyond this point modes and owners are normalised and no two files collide.
  layers::RootFilesystem root = layers::compose(built.plan, built.artifacts, built.needs, source, facts, events);

  // Splits by how often things change. Beyond this point each entry is in exactly one layer.
  const std::size_t entries = root.size();
  const std::vector<layers::Slice> slices = layers::partition(std::move(root));

  // Writes the blobs. Beyond this point everything is on disk and digests are final.
  events.emit(StageStarted{"layers", cat(entries, " entries in ", slices.size(), " layers")});
  layers::LayerCache cache(session.cache_folder() / "layers");
  const oci::Image image = layers::assemble(built.plan, slices, blobs, cache, session.pool(), events, session.stop());
  return {image.manifest, built.warnings};
}

}  // namespace

detectors::Surroundings OpenedTree::surroundings() const {
  return {.app = app, .context = context(), .app_in_context = app_in_context, .config = config, .platform = platform};
}

OpenedTree open_tree(const BuildOptions& options, Session& session) {
  plan::DiskTree app(options.folder);
  plan::Config config = merged(plan::read_config(app), plan::config_from_environment(session.environment()));
  OpenedTree tree{.app = std::move(app),
                  .context_tree = std::nullopt,
                  .app_in_context = ".",
                  .config = merged(std::move(config), command_line_config(options)),
                  .platform = host_platform(options)};
  if (const std::optional<fs::path> context = detectors::find_context(tree.app.root())) {
    tree.context_tree.emplace(*context);
    tree.app_in_context = tree.app.root().lexically_relative(*context).native();
  }
  return tree;
}

plan::BuildPlan make_plan(const OpenedTree& tree, const BuildOptions& options, Session& session) {
  if (!options.plan_file.empty()) {
    return plan::BuildPlan::from_json(parse_json(read_file(options.plan_file), options.plan_file), options.plan_file);
  }
  const detectors::Survey survey = detectors::survey(tree.surroundings());
  const plan::Detection& detection = detectors::verdict(survey, tree.surroundings());
  return detectors::decide(detection, tree.surroundings(), provenance(tree.app.root(), session));
}

BuildResult build_image(const BuildOptions& options, Session& session) {
  EventSink& events = session.events();

  // Opens the tree. Beyond this point every path is inside the root.
  const OpenedTree tree = open_tree(options, session);

  // Looks at it and decides. Beyond this point everything that will be done is written in the plan.
  events.emit(StageStarted{"detect", printable(tree.app.root().native())});
  const plan::BuildPlan plan = make_plan(tree, options, session);
  events.info(cat(plan.language, " (", plan.detector, ")"));
  for (const std::string& warning : plan.warnings) events.warn(warning);
  BuildResult result{.reference = {}, .root = {}, .name = image_name(plan, options)};
  refuse_impossible_delivery(options, result.name);

  // Asks whether the same inputs were built before. Beyond this point only what changed is made again.
  oci::Layout store = session.open_store();
  const layers::BaseFacts facts;
  const fs::path& source = tree.context().root();
  const builder::InputKey inputs =
      builder::input_key(plan, source, session.host(), session.runner(), events, session.stop());
  const Digest key = image_key(inputs, plan, facts, session);
  BuildRecords records(session.cache_folder() / "builds", store.blobs());
  if (const std::optional<BuildRecords::Record> record = records.find(key)) {
    for (const std::string& warning : record->warnings) events.warn(warning);
    result.root = record->root;
    result.unchanged = true;
  } else {
    const Assembled assembled = make_image(plan, inputs, source, facts, options, store.blobs(), session);
    for (const std::string& warning : assembled.warnings) events.warn(warning);
    result.root = assembled.root;
    // The key speaks of the tree as it was at the beginning; the image, of files as they were when they were read.
    if (builder::source_is_unchanged(inputs, plan, source, session.host(), session.runner(), events, session.stop())) {
      records.remember(key, {.root = assembled.root, .warnings = assembled.warnings});
    } else {
      events.warn(
          "the source tree changed while it was built; the image may hold some files from before and some after");
    }
  }

  // Names it. Beyond this point the store shows the image.
  if (store.find(store_name(result.name)) != result.root) store.tag(store_name(result.name), result.root);
  result.reference = cat(result.name.name(), "@", result.root.digest.str());
  result.compressed = compressed_size(store.blobs(), result.root);
  events.info(cat(store_name(result.name), ", ", human_size(result.compressed),
                  result.unchanged ? ", nothing had changed" : ""));

  // Takes it where it was asked to go: blobs before config before manifest before tag.
  deliver(result, options, store.blobs(), session);
  return result;
}

void push_image(const oci::Descriptor& root, const oci::BlobSource& blobs, const oci::Reference& name, bool allow_http,
                Session& session) {
  session.events().emit(StageStarted{"push", name.str()});
  const registry::ClientOptions options = session.client_options(allow_http);
  const auto sink = registry::registry_sink(name, session.transport(), options, session.events(), session.stop());
  with_context(cat("cannot push ", backticked(name.str())), [&] { deliver_to(*sink, root, blobs, session); });
}

}  // namespace whittle::cli
