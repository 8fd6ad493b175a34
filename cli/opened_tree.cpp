#include "cli/opened_tree.hpp"

#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/platforms.hpp"
#include "cli/version_control.hpp"
#include "detectors/context.hpp"
#include "oci/reference.hpp"
#include "plan/plan_list.hpp"

namespace whittle::cli {

namespace {

plan::Config command_line_config(const BuildOptions& options) {
  plan::Config config;
  const auto set = [&](std::optional<plan::Setting> plan::Config::*member, const std::string& value, const char* flag) {
    if (!value.empty()) config.*member = plan::checked_setting(member, value, flag);
  };
  if (!options.tag.empty()) config.name = plan::Setting{oci::Reference::parse(options.tag).name(), "--tag"};
  set(&plan::Config::detector, options.detector, "--detector");
  set(&plan::Config::toolchain, options.toolchain, "--toolchain");
  set(&plan::Config::link, options.link, "--link");
  set(&plan::Config::timeout, options.timeout, "--timeout");
  set(&plan::Config::sandbox, options.sandbox, "--sandbox");
  set(&plan::Config::compression, options.compression, "--compression");
  if (options.strict_versions) config.strict_versions = plan::Setting{"always", "--strict-versions"};
  if (options.gzip_twin) config.gzip_twin = plan::Setting{"always", "--gzip-twin"};
  if (options.release) config.compression = plan::Setting{std::string(kReleaseCompression), "--release"};
  if (!options.targets.empty()) config.targets = plan::ListSetting{options.targets, "--target"};
  if (!options.program.empty()) {
    config.targets = plan::ListSetting{{options.program}, "--all"};
    config.default_process = plan::Setting{options.program, "--all"};
  }
  return config;
}

// The image's time and labels: SOURCE_DATE_EPOCH, else the commit's time, else 0.
detectors::DecideOptions provenance_of(const fs::path& folder, Session& session) {
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

}  // namespace

detectors::Surroundings OpenedTree::surroundings(const std::string& platform) const {
  return {.app = app,
          .context = context(),
          .app_in_context = app_in_context,
          .config = config,
          .platform = platform,
          .host = oci::Platform::host().str()};
}

OpenedTree open_tree(const BuildOptions& options, Session& session) {
  plan::DiskTree app(options.folder);
  plan::Config config = merged(plan::read_config(app), plan::config_from_environment(session.environment()));
  OpenedTree tree{.app = std::move(app),
                  .context_tree = std::nullopt,
                  .app_in_context = ".",
                  .config = merged(std::move(config), command_line_config(options)),
                  .platforms = platforms_of(options.platforms)};
  if (const std::optional<fs::path> context = detectors::find_context(tree.app.root())) {
    tree.context_tree.emplace(*context);
    tree.app_in_context = tree.app.root().lexically_relative(*context).native();
  }
  return tree;
}

std::vector<plan::BuildPlan> make_plans(const OpenedTree& tree, const BuildOptions& options, Session& session) {
  if (!options.plan_file.empty()) {
    std::vector<plan::BuildPlan> plans =
        plan::plans_from_json(parse_json(read_file(options.plan_file), options.plan_file), options.plan_file);
    // How steps are confined is up to whoever builds, not to whoever wrote the plan.
    for (plan::BuildPlan& plan : plans) {
      if (tree.config.sandbox) plan.sandbox = tree.config.sandbox->value;
    }
    return plans;
  }
  const detectors::DecideOptions provenance = provenance_of(tree.app.root(), session);
  std::vector<plan::BuildPlan> plans;
  for (const std::string& platform : tree.platforms) {
    const detectors::Surroundings surroundings = tree.surroundings(platform);
    const detectors::Survey survey = detectors::survey(surroundings);
    plans.push_back(detectors::decide(detectors::verdict(survey, surroundings), surroundings, provenance));
  }
  return plans;
}

void warn_once(const std::vector<plan::BuildPlan>& plans, EventSink& events) {
  std::set<std::string> said;
  for (const plan::BuildPlan& plan : plans) {
    for (const std::string& warning : plan.warnings) {
      if (said.insert(warning).second) events.warn(warning);
    }
  }
}

std::vector<std::string> programs_of(const BuildOptions& options, Session& session) {
  const OpenedTree tree = open_tree(options, session);
  const detectors::Surroundings surroundings = tree.surroundings(tree.platforms.front());
  const detectors::Survey survey = detectors::survey(surroundings);
  std::vector<std::string> programs;
  for (const plan::Output& output : detectors::verdict(survey, surroundings).plan.outputs) {
    if (output.kind == plan::Output::Kind::program) programs.push_back(output.process);
    if (!output.process.empty()) continue;
    throw Error(Exit::usage, "`--all` cannot know the programs of this tree before it is built")
        .hint("name them: `--target NAME` for each, or `targets = [\"…\"]` under `[build]` in whittle.toml");
  }
  return programs;
}

}  // namespace whittle::cli
