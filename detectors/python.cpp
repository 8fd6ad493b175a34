// Python: the interpreter of the host with the part of its library that is imported, packages as wheels, and the
// application as it lies in the tree.
#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/text.hpp"
#include "detectors/detector.hpp"
#include "detectors/downloads.hpp"
#include "detectors/outputs.hpp"
#include "detectors/places.hpp"
#include "detectors/python_dependencies.hpp"
#include "detectors/python_scripts.hpp"
#include "detectors/python_start.hpp"
#include "detectors/target_platform.hpp"
#include "detectors/version_files.hpp"
#include "plan/versions.hpp"

namespace whittle::detectors {

namespace {

constexpr int kScore = 100;
constexpr int kScoreOfRequirements = 90;  // also lies beside the manifests of other languages, for their documentation
constexpr int kScoreOfFiles = 18;

constexpr std::array<std::string_view, 9> kOtherManifests = {"go.mod",       "Cargo.toml",   "CMakeLists.txt",
                                                             "meson.build",  "package.json", "configure.ac",
                                                             "build.gradle", "pom.xml",      "build.zig"};

// What the interpreter of the host is asked for: the code's constraint, and a version that the project names.
plan::Tool python_tool(const plan::SourceTree& tree, const PythonManifest& manifest, plan::Detection& detection) {
  plan::Tool tool{"python", "", ""};
  tool.constraint = manifest.constraint.value.empty() ? ">=3.8" : python_constraint(manifest.constraint.value);
  tool.source = manifest.constraint.source;
  plan::Value pin = manifest.pin;
  for (const VersionPin& found : version_pins(tree, detection.warnings)) {
    if (found.tool == "python") {
      pin = found.version;
      break;
    }
  }
  if (const auto text = tree.read_if_exists("runtime.txt"); text && pin.value == manifest.pin.value) {
    const std::string_view line = trim(std::string_view(*text).substr(0, text->find('\n')));
    if (line.starts_with("python-")) pin = {std::string(line.substr(7)), "runtime.txt:1"};
  }
  if (!plan::numbers_of(pin.value).empty()) {
    tool.pin = pin.value;
    tool.pin_source = pin.source;
    detection.plan.values["python"] = pin;
  }
  if (!manifest.constraint.value.empty()) detection.plan.values.emplace("python", manifest.constraint);
  return tool;
}

bool takes_everything(const plan::Config& config) {
  return config.python && config.python->value == "full";
}

std::map<std::string, std::string> environment() {
  return {{"PYTHONHASHSEED", "0"},
          {"PYTHONDONTWRITEBYTECODE", "1"},
          {"PYTHONUTF8", "1"},
          {"PYTHONWARNINGS", "ignore"},
          {"PYTHON_LIBRARIES", "${cache:python}"}};
}

void add_scripts(plan::Step& step, std::initializer_list<const char*> names) {
  for (const char* name : names) step.files[cat("python/", name)] = python_scripts().at(name);
}

plan::Step install_step(const Surroundings& surroundings, const PythonDependencies& dependencies) {
  plan::Step step;
  step.name = "install packages";
  step.folder = ".";
  step.argv = {"${tool:python}", "-s", "python/packages.py", "python/packages.json"};
  const bool has_own_pip = surroundings.config.toolchain && surroundings.config.toolchain->value == "host";
  if (has_own_pip) step.argv.insert(step.argv.end(), {"-m", "pip"});
  if (!has_own_pip) step.argv.emplace_back("${tool:pip-wheel}");
  step.env = environment();
  step.env["PIP_CACHE_DIR"] = "${cache:pip}";
  add_scripts(step, {"packages.py", "packages_facts.py", "modules.py", "bytecode.py", "elf.py"});
  std::vector<std::string> options = dependencies.options;
  for (std::string& option : options) {
    if (option.starts_with("${source}")) option = cat(step_folder(surroundings), option.substr(9));
  }
  if (!dependencies.constraints.empty()) {
    step.files["python/constraints.txt"] = cat(join(dependencies.constraints, "\n"), "\n");
    options.insert(options.end(), {"-c", "python/constraints.txt"});
  }
  step.files["python/requirements.txt"] = cat(join(dependencies.requirements, "\n"), "\n");
  step.files["python/packages.json"] = canonical_json({{"requirements", "python/requirements.txt"},
                                                       {"options", options},
                                                       {"packages", "packages"},
                                                       {"facts", "packages.json"},
                                                       {"full", takes_everything(surroundings.config)}});
  step.inputs = dependencies.files;
  step.outputs = {"packages", "packages.json"};
  step.network = true;
  return step;
}

plan::Step assemble_step(const Surroundings& surroundings, const PythonProject& project,
                         const PythonDependencies& dependencies, const PythonStart& start) {
  plan::Step step;
  step.name = "put the application together";
  step.folder = ".";
  step.argv = {"${tool:python}", "-S", "-s", "python/application.py", "python/application.json"};
  step.env = environment();
  add_scripts(step, {"application.py", "packages_facts.py", "modules.py", "bytecode.py", "elf.py", "runtime.py"});
  const PythonManifest& manifest = project.manifest;
  Json scripts = Json::object(), mapped = Json::array();
  for (const plan::FileMapping& file : surroundings.config.files) {
    mapped.push_back(joined(surroundings.app_in_context, file.source));
  }
  for (const PythonScript& script : manifest.scripts) scripts[script.name] = script.target;
  step.files["python/application.json"] =
      canonical_json({{"context", "src"},
                      {"folder", surroundings.app_in_context},
                      {"mapped", mapped},
                      {"members", dependencies.folders},
                      {"project", {{"name", manifest.name.value}, {"version", manifest.version}}},
                      {"scripts", scripts},
                      {"started", start.modules},
                      {"needed_scripts", start.scripts},
                      {"application", "application"},
                      {"place", kPythonApplication},
                      {"project_folder", "project"},
                      {"runtime", "runtime"},
                      {"facts", "packages.json"},
                      {"full", takes_everything(surroundings.config)}});
  step.needs = {"packages.json"};
  // decide() writes down what is ignored.
  step.files["python/ignored"] = "";
  step.outputs = {"application", "runtime"};
  if (!manifest.name.value.empty() || !dependencies.folders.empty()) step.outputs.emplace_back("project");
  return step;
}

// Texts that say in a Python file that it loads zones by name.
void add_time_zones(const PythonProject& project, plan::BuildPlan& plan) {
  if (project.packages.contains("tzdata") || project.packages.contains("pytz")) return;
  std::string source;
  for (const PythonFile& file : project.files) {
    if (std::find(file.imports.begin(), file.imports.end(), "zoneinfo") != file.imports.end()) source = file.path;
    if (!source.empty()) break;
  }
  if (source.empty() && project.packages.contains("django")) source = "Django";
  if (source.empty()) return;
  plan.image.timezones = {"all"};
  plan.values["timezones"] = {"all", cat("inferred from ", source)};
}

void settle_image(const Surroundings& surroundings, const PythonProject& project, const PythonStart& start,
                  plan::BuildPlan& plan) {
  plan::ImageSettings& image = plan.image;
  image.workdir = kPythonApplication;
  image.processes = start.processes;
  image.ports = start.ports;
  const std::string root = python_root(surroundings.app);
  image.env = {{"PYTHONPATH", cat(kPythonApplication, root == "." ? "" : cat("/", root, ":", kPythonApplication), ":",
                                  kPythonProject)},
               {"PYTHONDONTWRITEBYTECODE", "1"},
               {"PYTHONUNBUFFERED", "1"},
               {"SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"}};
  for (const auto& [key, value] : start.values) plan.values[key] = value;
  if (!start.ports.empty()) plan.values["ports"] = {join(start.ports, " "), "inferred"};
  add_time_zones(project, plan);
}

bool has_other_manifest(const plan::SourceTree& tree) {
  return std::any_of(kOtherManifests.begin(), kOtherManifests.end(),
                     [&](std::string_view name) { return tree.has(name); });
}

// The manifest that makes it fire, with the score; 0: nothing does.
std::pair<int, std::string> sign_of(const plan::SourceTree& tree, const PythonManifest& manifest) {
  if (manifest.is_application) return {kScore, manifest.file.empty() ? "pyproject.toml" : manifest.file};
  for (const char* name : {"uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "Pipfile.lock"}) {
    if (tree.has(name)) return {kScore, name};
  }
  for (const char* name :
       {"requirements.txt", "requirements/production.txt", "requirements/prod.txt", "requirements/base.txt"}) {
    if (tree.has(name)) return {kScoreOfRequirements, name};
  }
  if (tree.has("pyproject.toml")) return {kScoreOfRequirements, "pyproject.toml"};
  const std::vector<std::string> files = tree.glob("*.py");
  return files.empty() ? std::pair(0, std::string()) : std::pair(kScoreOfFiles, files.front());
}

void refuse_what_is_not_built(const Surroundings& surroundings, const PythonManifest& manifest,
                              const std::string& file) {
  if (is_foreign(surroundings)) {
    throw failure(
        file, 0,
        cat("an image of Python for ", surroundings.platform,
            " takes the interpreter of such a machine, and this one is ", surroundings.host, "; build it there"));
  }
  if (!manifest.compiled_by.empty()) {
    throw failure(manifest.file, 0,
                  cat("its own package is compiled by ", manifest.compiled_by, ", which whittle does not run; ",
                      "publish it as a wheel, and build an image of what uses it"));
  }
}

void name_it(const Surroundings& surroundings, const PythonManifest& manifest, plan::BuildPlan& plan) {
  if (manifest.name.value.empty()) {
    plan.name = safe_name(surroundings.app.name());
    plan.values["name"] = {plan.name, "the folder's name"};
    return;
  }
  plan.name = safe_name(manifest.name.value);
  plan.values["name"] = {plan.name, manifest.name.source};
}

plan::Detection detection_of(const Surroundings& surroundings, const PythonManifest& manifest, int score,
                             const std::string& sign) {
  plan::Detection detection{.detector = "python", .language = "python", .score = score};
  detection.evidence.push_back({sign, sign.ends_with(".py") && score == kScoreOfFiles ? 0 : 1, "Python project"});
  const std::vector<PythonFile> files = python_files(surroundings.app);
  const PythonDependencies dependencies = read_python_dependencies(surroundings, manifest);
  detection.warnings = dependencies.warnings;
  const PythonProject project{.tree = surroundings.app,
                              .manifest = manifest,
                              .files = files,
                              .packages = dependencies.names,
                              .is_complete = dependencies.is_complete,
                              .is_told = surroundings.app.has("Procfile") || !surroundings.config.processes.empty()};
  PythonStart start = find_python_start(project);
  detection.commands = python_commands(project);
  detection.apps = start.apps;
  for (plan::Evidence& one : start.evidence) detection.evidence.push_back(std::move(one));
  detection.warnings.insert(detection.warnings.end(), start.warnings.begin(), start.warnings.end());

  plan::BuildPlan& plan = detection.plan;
  name_it(surroundings, manifest, plan);
  plan.link = "closure";
  plan.leaves_source_alone = true;
  plan.tools = {python_tool(surroundings.app, manifest, detection)};
  if (!dependencies.requirements.empty()) {
    if (!surroundings.config.toolchain || surroundings.config.toolchain->value != "host")
      plan.tools.push_back(pip_tool());
    plan.steps.push_back(install_step(surroundings, dependencies));
    add_output(plan, "packages", kPythonPackages, plan::Output::Kind::dependency);
    plan.values["packages"] = {cat(dependencies.requirements.size()), dependencies.source};
  }
  plan.steps.push_back(assemble_step(surroundings, project, dependencies, start));
  add_output(plan, "runtime", "/usr", plan::Output::Kind::runtime);
  add_output(plan, "application", kPythonApplication, plan::Output::Kind::data);
  if (plan.steps.back().outputs.size() > 2) {
    add_output(plan, "project", kPythonProject, plan::Output::Kind::data);
  }
  const plan::Config& config = surroundings.config;
  plan.values["library"] = {takes_everything(config) ? "full" : "imported",
                            config.python ? config.python->source : "default"};
  settle_image(surroundings, project, start, plan);
  return detection;
}

std::optional<plan::Detection> detect(const Surroundings& surroundings) {
  const plan::SourceTree& tree = surroundings.app;
  const bool is_forced = surroundings.config.detector && surroundings.config.detector->value == "python";
  const bool has_others = has_other_manifest(tree) && !is_forced;
  try {
    const PythonManifest manifest = read_python_manifest(tree);
    const auto [score, sign] = sign_of(tree, manifest);
    if (score == 0) return std::nullopt;
    refuse_what_is_not_built(surroundings, manifest, sign);
    return detection_of(surroundings, manifest, score, sign);
  } catch (const Error&) {
    // A binding, or tools of developers: the project is what its other manifest makes.
    if (has_others) return std::nullopt;
    throw;
  }
}

}  // namespace

extern const Detector kPython;
const Detector kPython = {"python",
                          "python",
                          "Python applications: their packages as wheels, with the interpreter of the host",
                          "pyproject.toml, requirements.txt, Pipfile, setup.py, *.py",
                          kScore,
                          detect};

}  // namespace whittle::detectors
