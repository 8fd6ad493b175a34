#include "builder/results.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/installed_data.hpp"
#include "builder/proof_memory.hpp"
#include "builder/proofs.hpp"
#include "builder/sandbox.hpp"
#include "builder/secrets.hpp"
#include "proof/packages.hpp"

namespace whittle::builder {

namespace {

using plan::Output;

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
    if (is_within(real, fs::canonical(root))) return real;
  }
  throw Error(Exit::build_failed, cat(backticked(output.built), " leads out of the work folder"));
}

// The step cache keeps files: a folder of packages that held none is not there again.
void make_empty_folder(const Output& output, const WorkFolder& work) {
  if (output.kind != Output::Kind::dependency) return;
  const std::optional<fs::path> folder = confined(work.path(), output.built);
  if (folder && !fs::exists(*folder)) make_folders(*folder);
}

// `path` as in the result's files, so that the bytes are found there.
Json to_json(const std::map<std::string, Library>& closure) {
  std::vector<fs::path> files;
  for (const auto& [installed, library] : closure) files.push_back(library.file.file);
  const std::map<std::string, std::string> packages = proof::packages_of(files);
  Json list = Json::array();
  for (const auto& [installed, library] : closure) {
    const std::string path = library.file.file.native();
    const auto package = packages.find(path);
    list.push_back({{"path", path},
                    {"installed", installed},
                    {"origin", package == packages.end() ? path : cat("package ", package->second)},
                    {"why", library.file.why},
                    {"runtime", library.is_of_runtime}});
  }
  return list;
}

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

// What was installed beside the programs, which only the build could tell.
Json data_to_json(const plan::BuildPlan& settled) {
  Json list = Json::array();
  for (const Output& output : settled.outputs) {
    if (output.kind == Output::Kind::program) continue;
    list.push_back({{"built", output.built}, {"installed", output.installed}, {"kind", static_cast<int>(output.kind)}});
  }
  return list;
}

void take_data(plan::BuildPlan& plan, const Json& data) {
  std::erase_if(plan.outputs, [](const Output& output) { return output.kind != Output::Kind::program; });
  for (const Json& one : data) {
    Output output;
    output.built = one.at("built").get<std::string>();
    output.installed = one.at("installed").get<std::string>();
    output.kind = static_cast<Output::Kind>(one.at("kind").get<int>());
    plan.outputs.push_back(std::move(output));
  }
}

plan::Artifact::Kind kind_of(const Output& output) {
  switch (output.kind) {
    case Output::Kind::program:
      return plan::Artifact::Kind::program;
    case Output::Kind::runtime:
      return plan::Artifact::Kind::runtime;
    case Output::Kind::dependency:
      return plan::Artifact::Kind::dependency;
    case Output::Kind::data:
      break;
  }
  return plan::Artifact::Kind::asset;
}

plan::Artifact artifact_of(const CachedFile& file, const Output& output, const std::string& origin,
                           const StepCache& cache) {
  const bool is_program = output.kind == Output::Kind::program;
  return {.file = file.link.empty() ? cache.place_of(file) : fs::path(),
          .installed = cat(output.installed, file.path.substr(output.built.size())),
          .mode = is_program || (file.mode & 0100U) != 0 ? 0755U : 0644U,
          .origin = origin,
          .kind = kind_of(output),
          .link = file.link,
          .digest = file.content.digest,
          .size = file.content.size};
}

std::string origin_of(const Output& output, const plan::BuildPlan& plan) {
  if (!output.shipped.empty()) return "whittle, its file server";
  const std::string step = step_of(plan, output.built);
  return step.empty() ? cat("the tree: ", output.built) : cat("step ", step);
}

// The loader and the libraries that dynamic programs bring along.
void add_closure(Built& built, const CachedResult& kept, const StepCache& cache) {
  for (const Json& library : kept.facts.at("closure")) {
    const auto file = std::find_if(kept.files.begin(), kept.files.end(), [&](const CachedFile& one) {
      return one.path == library.at("path").get<std::string>();
    });
    if (file == kept.files.end()) throw Error(Exit::bug, "a result has lost a library");
    built.artifacts.push_back(
        {.file = cache.place_of(*file),
         .installed = library.at("installed").get<std::string>(),
         .mode = 0755,
         .origin = library.at("origin").get<std::string>(),
         .reason = library.at("why").get<std::string>(),
         .kind = library.at("runtime").get<bool>() ? plan::Artifact::Kind::runtime : plan::Artifact::Kind::dependency,
         .digest = file->content.digest,
         .size = file->content.size});
  }
}

// What the outputs hold, each path once.
std::vector<CachedFile> files_of(const plan::BuildPlan& settled, const Making& making, const WorkFolder& work,
                                 const StepCache& cache, KnownFiles& known) {
  std::set<std::string> paths;
  for (const Output& output : settled.outputs) paths.insert(output.built);
  std::vector<CachedFile> files;
  for (const std::string& path : paths) {
    std::vector<CachedFile> found = files_below(making.not_restored, path);
    if (found.empty()) found = cache.take(work.path(), path, known);
    std::move(found.begin(), found.end(), std::back_inserter(files));
  }
  return files;
}

Proofs proved(const plan::BuildPlan& settled, const Making& making, const WorkFolder& work, const StepCache& cache,
              KnownFiles& known) {
  // Libraries are looked for beside those that need them.
  cache.restore(making.not_restored, work.path(), known);
  std::vector<fs::path> places;
  for (const Output& output : settled.outputs) places.push_back(place_of(output, work));
  return prove(settled, places);
}

// The zone that the image's own environment names is evidence too.
void add_needs_of_image(plan::RuntimeNeeds& needs, const plan::BuildPlan& plan) {
  const auto zone = plan.image.env.find("TZ");
  if (!needs.time_zones.empty() || zone == plan.image.env.end()) return;
  if (zone->second.find('/') != std::string::npos) needs.time_zones = cat("image.env: TZ=", zone->second);
}

}  // namespace

void keep_result(const Digest& key, const plan::BuildPlan& plan, const std::vector<plan::ReportedProgram>& reported,
                 Making making, const WorkFolder& work, const StepCache& cache, KnownFiles& known) {
  plan::BuildPlan settled = plan::settle(plan, reported);
  settled.outputs = with_installed_data(settled, work.path());
  for (const Output& output : settled.outputs) {
    if (!files_below(making.not_restored, output.built).empty()) continue;
    make_empty_folder(output, work);
    const fs::path place = place_of(output, work);
    if (making.secrets != nullptr)
      refuse_secret_in(place, output.installed, step_of(plan, output.built), *making.secrets);
  }
  CachedResult result{.files = files_of(settled, making, work, cache, known)};
  const ProofMemory memory(settled, result.files, cache);
  std::optional<Proofs> proofs = memory.recall();
  if (!proofs) memory.remember(*(proofs = proved(settled, making, work, cache, known)));
  making.warnings.insert(making.warnings.end(), proofs->warnings.begin(), proofs->warnings.end());
  std::set<std::string> libraries;
  for (const auto& [installed, library] : proofs->closure) libraries.insert(library.file.file.native());
  for (const std::string& path : libraries) {
    if (!files_below(result.files, path).empty()) continue;
    std::vector<CachedFile> found = cache.take(work.path(), path, known);
    std::move(found.begin(), found.end(), std::back_inserter(result.files));
  }
  const plan::RuntimeNeeds& needs = proofs->needs;
  result.facts = {
      {"reported", to_json(reported)},       {"data", data_to_json(settled)},
      {"warnings", making.warnings},         {"sandbox", making.sandbox},
      {"closure", to_json(proofs->closure)}, {"needs", {needs.certificates, needs.time_zones, needs.name_service}}};
  cache.store(key, result);
}

std::optional<Built> kept_result(const Digest& key, const plan::BuildPlan& plan, const Inputs& inputs,
                                 const StepCache& cache) {
  const std::optional<CachedResult> kept = cache.find(key);
  if (!kept) return std::nullopt;
  Built built;
  built.sandbox = kept->facts.value("sandbox", Sandbox::kNone);
  if (plan.sandbox == "required" && built.sandbox == Sandbox::kNone) return std::nullopt;
  built.plan = plan::settle(plan, reported_in(kept->facts));
  take_data(built.plan, kept->facts.at("data"));
  built.tools = inputs.all_tools();
  built.warnings = kept->facts.at("warnings").get<std::vector<std::string>>();
  built.warnings.insert(built.warnings.end(), inputs.warnings.begin(), inputs.warnings.end());
  const auto needs = kept->facts.at("needs").get<std::vector<std::string>>();
  built.needs = {.certificates = needs.at(0), .time_zones = needs.at(1), .name_service = needs.at(2)};
  add_needs_of_image(built.needs, plan);

  for (const Output& output : built.plan.outputs) {
    const std::size_t before = built.artifacts.size();
    const std::string origin = origin_of(output, built.plan);
    for (const CachedFile& file : files_below(kept->files, output.built)) {
      const std::string below = file.path.substr(output.built.size());
      if (!file.link.empty() && leads_out(below, file.link)) {
        built.warnings.push_back(cat("the link ", backticked(cat(output.installed, below)), " to ",
                                     backticked(file.link), " leads out of ", backticked(output.installed),
                                     " and is left out"));
        continue;
      }
      built.artifacts.push_back(artifact_of(file, output, origin, cache));
    }
    // A framework may load nothing of others.
    if (built.artifacts.size() == before && output.kind != Output::Kind::dependency) return std::nullopt;
  }
  add_closure(built, *kept, cache);
  std::sort(built.artifacts.begin(), built.artifacts.end(),
            [](const plan::Artifact& a, const plan::Artifact& b) { return a.installed < b.installed; });
  return built;
}

}  // namespace whittle::builder
