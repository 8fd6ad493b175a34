#include "builder/results.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "proof/proof.hpp"

namespace whittle::builder {

namespace {

using plan::Output;

// The step that a file is from: the one that declares it, else the last.
std::string step_of(const plan::BuildPlan& plan, const std::string& built) {
  for (const plan::Step& step : plan.steps) {
    for (const std::string& output : step.outputs) {
      if (built == output || built.starts_with(cat(output, "/"))) return step.name;
    }
  }
  return plan.steps.empty() ? "" : plan.steps.back().name;
}

// Below the work folder or what is kept beside it: a report must not make us read other files.
fs::path place_of(const Output& output, const WorkFolder& work) {
  const fs::path path = fs::path(output.built).is_absolute() ? fs::path(output.built) : work.path() / output.built;
  std::error_code problem;
  const fs::path real = fs::canonical(path, problem);
  if (problem) {
    throw Error(Exit::build_failed, cat("the build did not make ", backticked(output.built)))
        .hint("name what the build makes: `targets = [\"…\"]` under `[build]` in whittle.toml");
  }
  for (const fs::path& root : {work.path(), work.keep(), work.source()}) {
    const fs::path relative = real.lexically_relative(fs::canonical(root));
    if (!relative.empty() && *relative.begin() != "..") return real;
  }
  throw Error(Exit::build_failed, cat(backticked(output.built), " leads out of the work folder"));
}

struct Proofs {
  plan::RuntimeNeeds needs;
  std::vector<std::string> warnings;

  void add(const Output& output, const fs::path& file, const plan::BuildPlan& plan) {
    const proof::Verdict verdict = proof::check_program(file, plan.platform);
    if (!verdict.runs_on_scratch) throw proof::not_static_error(output.built, step_of(plan, output.built), verdict);
    for (const proof::Finding& finding : verdict.findings) {
      if (finding.severity != proof::Finding::Severity::warning) continue;
      warnings.push_back(cat(backticked(output.installed), " ", finding.text, ": ", finding.remedy));
    }
    const auto note = [&](std::string& need, const std::string& evidence) {
      if (need.empty() && !evidence.empty()) need = cat(output.installed, ": ", evidence);
    };
    note(needs.certificates, verdict.wants_certificates);
    note(needs.time_zones, verdict.wants_time_zones);
    note(needs.name_service, verdict.wants_name_service);
  }
};

Json to_json(const std::vector<plan::ReportedProgram>& reported) {
  Json list = Json::array();
  for (const plan::ReportedProgram& program : reported) {
    list.push_back({{"name", program.name}, {"path", program.path}, {"installed", program.installed}});
  }
  return list;
}

std::vector<plan::ReportedProgram> reported_in(const Json& facts) {
  std::vector<plan::ReportedProgram> reported;
  for (const Json& program : facts.at("reported")) {
    reported.push_back({.name = program.at("name").get<std::string>(),
                        .path = program.at("path").get<std::string>(),
                        .installed = program.at("installed").get<bool>()});
  }
  return reported;
}

plan::Artifact artifact_of(const CachedFile& file, const Output& output, const plan::BuildPlan& plan,
                           const fs::path& folder, std::size_t number) {
  const bool is_program = output.kind == Output::Kind::program;
  const std::string step = step_of(plan, output.built);
  plan::Artifact artifact{.file = folder / std::to_string(number),
                          .installed = output.installed,
                          .mode = is_program || (file.mode & 0100U) != 0 ? 0755U : 0644U,
                          .origin = step.empty() ? cat("the tree: ", output.built) : cat("step ", step),
                          .kind = is_program ? plan::Artifact::Kind::program : plan::Artifact::Kind::asset,
                          .digest = file.digest,
                          .size = file.size};
  if (file.path != output.built) artifact.installed += file.path.substr(output.built.size());
  whittle::copy_file(file.stored, artifact.file);
  return artifact;
}

// The zone that the image's own environment names is evidence too.
void add_needs_of_image(plan::RuntimeNeeds& needs, const plan::BuildPlan& plan) {
  const auto zone = plan.image.env.find("TZ");
  if (!needs.time_zones.empty() || zone == plan.image.env.end()) return;
  if (zone->second.find('/') != std::string::npos) needs.time_zones = cat("image.env: TZ=", zone->second);
}

}  // namespace

void keep_result(const Digest& key, const plan::BuildPlan& plan, const std::vector<plan::ReportedProgram>& reported,
                 const WorkFolder& work, const StepCache& cache) {
  const plan::BuildPlan settled = plan::settle(plan, reported);
  Proofs proofs;
  // Linked under plain names first: what lies in the kept folder or in the user's tree is taken by content.
  std::vector<std::string> paths;
  for (const Output& output : settled.outputs) {
    const fs::path file = place_of(output, work);
    if (output.kind == Output::Kind::program) proofs.add(output, file, settled);
    paths.push_back(output.built);
  }
  const plan::RuntimeNeeds& needs = proofs.needs;
  cache.store(key, work.path(), paths,
              {{"reported", to_json(reported)},
               {"warnings", proofs.warnings},
               {"needs", {needs.certificates, needs.time_zones, needs.name_service}}},
              work.path() / "tmp");
}

std::optional<Built> kept_result(const Digest& key, const plan::BuildPlan& plan, const Inputs& inputs, const Host& host,
                                 const StepCache& cache) {
  const std::optional<CachedResult> kept = cache.find(key);
  if (!kept) return std::nullopt;
  Built built;
  built.plan = plan::settle(plan, reported_in(kept->facts));
  built.tools = inputs.all_tools();
  built.warnings = kept->facts.at("warnings").get<std::vector<std::string>>();
  const auto needs = kept->facts.at("needs").get<std::vector<std::string>>();
  built.needs = {.certificates = needs.at(0), .time_zones = needs.at(1), .name_service = needs.at(2)};
  add_needs_of_image(built.needs, plan);

  const auto folder = std::make_shared<ResultFolder>(host.cache);
  for (const Output& output : built.plan.outputs) {
    const std::size_t before = built.artifacts.size();
    for (const CachedFile& file : kept->files) {
      if (file.path != output.built && !file.path.starts_with(cat(output.built, "/"))) continue;
      if (!file.link.empty()) continue;
      built.artifacts.push_back(artifact_of(file, output, built.plan, folder->path(), built.artifacts.size()));
    }
    if (built.artifacts.size() == before) return std::nullopt;
  }
  std::sort(built.artifacts.begin(), built.artifacts.end(),
            [](const plan::Artifact& a, const plan::Artifact& b) { return a.installed < b.installed; });
  built.keeps_files = folder;
  return built;
}

}  // namespace whittle::builder
