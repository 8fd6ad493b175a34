// Go: modules and workspaces. Programs are found by reading package clauses; `go list` confirms them
// before `go build` runs (docs/design/targets.md).
#include <algorithm>
#include <map>

#include "base/text.hpp"
#include "detectors/cgo.hpp"
#include "detectors/detector.hpp"
#include "detectors/downloads.hpp"
#include "detectors/go_closure.hpp"
#include "detectors/go_module.hpp"
#include "detectors/go_packages.hpp"
#include "detectors/places.hpp"
#include "detectors/version_files.hpp"
#include "plan/versions.hpp"

namespace whittle::detectors {

namespace {

constexpr int kScore = 100;

struct Module {
  std::string folder;  // in the application's tree
  std::string prefix;  // import path of that folder
  GoModule file;
};

// The modules that the application consists of, and where its version of Go is written.
struct Modules {
  std::vector<Module> list;
  GoLine go, toolchain;
  std::string manifest;  // as the application sees it: "go.mod", "../go.work"
  std::string vendored;  // folder in the context that may hold vendor/modules.txt
};

struct Program {
  std::string name, folder, import_path, source;
};

Module read_module(const plan::SourceTree& tree, std::string folder) {
  const std::string path = joined(folder, "go.mod");
  GoModule file = parse_go_module(tree.read(path), path);
  std::string prefix = file.path.value;
  return {std::move(folder), std::move(prefix), std::move(file)};
}

// Go itself refuses it, but only once everything is fetched.
void refuse_older_workspace(const GoWorkspace& workspace, const Module& member) {
  const GoLine& wanted = member.file.go;
  // Without the line a workspace is one of 1.18.
  if (plan::numbers_of(wanted.value) <= plan::numbers_of(workspace.go.value.empty() ? "1.18" : workspace.go.value))
    return;
  throw failure(
      "go.work", workspace.go.line,
      cat(joined(member.folder, "go.mod"), ":", wanted.line, " wants Go ", wanted.value, ", and the workspace says ",
          workspace.go.value.empty() ? "nothing" : workspace.go.value, "; `go work use` sets it right"));
}

Modules read_workspace(const plan::SourceTree& tree) {
  const GoWorkspace workspace = parse_go_workspace(tree.read("go.work"), "go.work");
  Modules modules{
      .list = {}, .go = workspace.go, .toolchain = workspace.toolchain, .manifest = "go.work", .vendored = "."};
  for (const GoLine& member : workspace.members) {
    const std::string folder = joined(".", member.value);
    if (folder.starts_with("..") || member.value.starts_with('/')) {
      throw failure("go.work", member.line,
                    cat("the module ", backticked(member.value), " is outside the source tree"));
    }
    if (!tree.has(joined(folder, "go.mod"))) {
      throw failure("go.work", member.line,
                    cat("there is no module in ", backticked(member.value),
                        "; `env = { GOWORK = \"off\" }` under `[build]` ", "builds without the workspace"));
    }
    modules.list.push_back(read_module(tree, folder));
    refuse_older_workspace(workspace, modules.list.back());
  }
  return modules;
}

// The module of an ancestor that the application is a folder of.
std::optional<Modules> read_enclosing(const Surroundings& surroundings) {
  for (std::string folder = surroundings.app_in_context; folder != ".";) {
    folder = folder_of(folder);
    const std::string path = joined(folder, "go.mod");
    if (!surroundings.context.has(path)) continue;
    const std::string manifest = from_application(surroundings, path);
    GoModule file = parse_go_module(surroundings.context.read(path), manifest);
    const std::string inside =
        folder == "." ? surroundings.app_in_context : surroundings.app_in_context.substr(folder.size() + 1);
    Modules modules{.list = {}, .go = file.go, .toolchain = file.toolchain, .manifest = manifest, .vendored = folder};
    std::string prefix = cat(file.path.value, "/", inside);
    modules.list.push_back({".", std::move(prefix), std::move(file)});
    return modules;
  }
  return std::nullopt;
}

bool ignores_workspaces(const plan::Config& config) {
  const auto setting = config.build_env.find("GOWORK");
  return setting != config.build_env.end() && setting->second.value == "off";
}

std::optional<Modules> read_modules(const Surroundings& surroundings) {
  const plan::SourceTree& tree = surroundings.app;
  if (tree.has("go.work") && !ignores_workspaces(surroundings.config)) return read_workspace(tree);
  if (tree.has("go.mod")) {
    Module module = read_module(tree, ".");
    Modules modules{.list = {},
                    .go = module.file.go,
                    .toolchain = module.file.toolchain,
                    .manifest = "go.mod",
                    .vendored = surroundings.app_in_context};
    modules.list.push_back(std::move(module));
    return modules;
  }
  const std::vector<std::string> sources = tree.glob("*.go");
  if (sources.empty()) return std::nullopt;
  if (std::optional<Modules> modules = read_enclosing(surroundings)) return modules;
  throw failure(sources.front(), 0, "there is no go.mod; `go mod init NAME` writes one");
}

GoTarget target_of(const Surroundings& surroundings) {
  const std::vector<std::string> platform = split(surroundings.platform, '/');
  GoTarget target;
  if (platform.size() > 1) target.architecture = platform[1];
  for (const std::string& argument : build_arguments(surroundings.config)) {
    const std::size_t tags = argument.starts_with("--") ? 2 : 1;
    if (!argument.starts_with("-") || !std::string_view(argument).substr(tags).starts_with("tags=")) continue;
    for (const std::string& tag : split(std::string_view(argument).substr(tags + 5), ',')) target.tags.insert(tag);
  }
  return target;
}

std::vector<Program> programs_of(const Surroundings& surroundings, const Modules& modules) {
  std::vector<Program> programs;
  std::map<std::string, int> names;
  for (const Module& module : modules.list) {
    for (const GoProgram& found : go_programs(surroundings.app, module.folder, target_of(surroundings))) {
      const std::string inside =
          joined(".", module.folder == "." ? found.folder : found.folder.substr(module.folder.size()));
      Program program;
      program.folder = found.folder;
      program.import_path = inside == "." ? module.prefix : cat(module.prefix, "/", inside);
      program.name = safe_name(go_program_name(program.import_path));
      program.source = cat(found.file, ":", found.line);
      ++names[program.name];
      programs.push_back(std::move(program));
    }
  }
  for (Program& program : programs) {
    if (names[program.name] > 1 && program.folder != ".") program.name = safe_name(program.folder);
  }
  return programs;
}

// Helpers of the developers: generators, release scripts, what only the module itself may import.
bool is_helper(const std::string& folder) {
  if (is_aside(folder)) return true;
  for (const std::string& part : split(folder, '/')) {
    if (part == "internal" || part == "hack" || part == "tools" || part == "scripts" || part == "build" ||
        part == "ci") {
      return true;
    }
  }
  return false;
}

bool is_prominent(const Program& program, const Modules& modules) {
  const std::vector<std::string> parts = split(program.folder, '/');
  return std::find(parts.begin(), parts.end(), "cmd") != parts.end() ||
         std::any_of(modules.list.begin(), modules.list.end(),
                     [&](const Module& module) { return module.folder == program.folder; });
}

// With targets exactly those; otherwise root packages and those below a `cmd`, and without any the rest.
std::vector<Program> chosen_of(const std::vector<Program>& programs, const Modules& modules,
                               const plan::Config& config) {
  std::vector<Program> prominent, others;
  for (const Program& program : programs) {
    if (config.targets ? !is_wanted(config, program.name, program.folder) : is_helper(program.folder)) continue;
    (config.targets || is_prominent(program, modules) ? prominent : others).push_back(program);
  }
  return prominent.empty() ? others : prominent;
}

Cgo cgo_of(const Surroundings& surroundings, const Modules& modules) {
  Cgo cgo;
  const auto setting = surroundings.config.build_env.find("CGO_ENABLED");
  if (setting != surroundings.config.build_env.end()) {
    const bool is_on = setting->second.value == "1";
    return {.use = is_on ? Cgo::Use::always : Cgo::Use::never, .source = setting->second.source};
  }
  for (const Module& module : modules.list) {
    const std::string manifest =
        modules.manifest.ends_with("go.mod") ? modules.manifest : joined(module.folder, "go.mod");
    if (const GoLine* found = module_that_needs_c(module.file.requirements)) {
      return {.use = Cgo::Use::always, .source = cat(manifest, ":", found->line)};
    }
    if (cgo.use == Cgo::Use::never) cgo.source = go_import_of_c(surroundings.app, module.folder);
    if (!cgo.source.empty()) cgo.use = Cgo::Use::when_needed;
  }
  return cgo;
}

std::string argument_of(const Program& program) {
  return program.folder == "." ? "." : cat("./", program.folder);
}

std::map<std::string, std::string> environment(std::string_view platform) {
  const std::vector<std::string> parts = split(platform, '/');
  std::map<std::string, std::string> env = {{"CGO_ENABLED", "0"},
                                            {"GOCACHE", "${cache:go-build}"},
                                            {"GOMODCACHE", "${cache:go-mod}"},
                                            {"GOFLAGS", ""},
                                            {"GOTOOLCHAIN", "local"},
                                            {"GOOS", parts[0]},
                                            {"GOARCH", parts.size() > 1 ? parts[1] : "amd64"}};
  if (parts.size() > 2 && parts[1] == "arm") env["GOARM"] = parts[2].substr(1);
  return env;
}

// Beyond the download nothing may depend on the user's own settings of Go, or reach for the network.
std::map<std::string, std::string> closed_environment(std::string_view platform) {
  std::map<std::string, std::string> env = environment(platform);
  env["GOENV"] = "off";
  env["GOPROXY"] = "off";
  return env;
}

// `-ldflags` of the user and ours are one option to Go: the last one would win.
std::pair<std::string, std::vector<std::string>> link_arguments(const std::vector<std::string>& arguments) {
  std::string link = "-ldflags=-s -w -buildid=";
  std::vector<std::string> others;
  for (const std::string& argument : arguments) {
    const std::size_t dashes = argument.starts_with("--") ? 2 : 1;
    if (argument.starts_with("-") && std::string_view(argument).substr(dashes).starts_with("ldflags=")) {
      link += cat(" ", std::string_view(argument).substr(dashes + 8));
    } else {
      others.push_back(argument);
    }
  }
  return {link, others};
}

plan::Step compile_step(const std::vector<Program>& programs, const Surroundings& surroundings) {
  plan::Step step;
  const bool is_alone = programs.size() == 1;
  step.name = is_alone ? cat("compile ", programs.front().name) : "compile";
  const auto [link, arguments] = link_arguments(build_arguments(surroundings.config));
  step.argv = {"go", "build", "-trimpath", "-buildvcs=false", link};
  step.argv.insert(step.argv.end(), arguments.begin(), arguments.end());
  step.argv.insert(step.argv.end(), {"-o", is_alone ? cat("${work}/out/", programs.front().name) : "${work}/out/"});
  for (const Program& program : programs) {
    step.argv.push_back(argument_of(program));
    step.outputs.push_back(cat("out/", program.name));
  }
  step.env = closed_environment(surroundings.platform);
  step.folder = step_folder(surroundings);
  return step;
}

std::vector<plan::Step> compile_steps(const std::vector<Program>& programs, const Surroundings& surroundings) {
  // One command shares the loading of packages, but then Go chooses the names.
  const bool has_own_names = std::all_of(programs.begin(), programs.end(), [](const Program& program) {
    return program.name == go_program_name(program.import_path);
  });
  if (has_own_names) return {compile_step(programs, surroundings)};
  std::vector<plan::Step> steps;
  for (const Program& program : programs) steps.push_back(compile_step({program}, surroundings));
  return steps;
}

plan::Step fetch_step(const Surroundings& surroundings) {
  plan::Step step;
  step.name = "fetch modules";
  step.argv = {"go", "mod", "download"};
  step.env = environment(surroundings.platform);
  step.folder = step_folder(surroundings);
  step.inputs = {"**/go.mod", "**/go.sum", "**/go.work", "**/go.work.sum"};
  step.network = true;
  return step;
}

plan::Step list_step(const std::vector<Program>& programs, const std::vector<std::string>& inputs,
                     const Surroundings& surroundings) {
  plan::Step step;
  step.name = "list programs";
  step.argv = {"go", "list", "-find", "-json=Dir,ImportPath,Name"};
  const bool is_narrow = inputs.size() > 1;
  // With everything that the programs are made of: it must be among the inputs, or these are no key.
  if (is_narrow) {
    step.argv.erase(step.argv.begin() + 2);
    step.argv.insert(step.argv.begin() + 2, "-deps");
    step.argv.back() += ",DepOnly,Standard,GoFiles,CFiles,HFiles,SFiles,SysoFiles,EmbedFiles";
  }
  for (const std::string& argument : build_arguments(surroundings.config)) {
    if (argument.starts_with("-tags=") || argument.starts_with("--tags=") || argument.starts_with("-mod=")) {
      step.argv.push_back(argument);
    }
  }
  for (const Program& program : programs) step.argv.push_back(argument_of(program));
  step.env = closed_environment(surroundings.platform);
  step.folder = step_folder(surroundings);
  step.inputs = {"**/*.go", "**/go.mod", "**/go.sum", "**/go.work", "**/go.work.sum", "**/vendor/modules.txt"};
  if (is_narrow) step.inputs = inputs;
  step.report = plan::Report::go_list;
  return step;
}

// Go itself uses `vendor/` from language version 1.14 on (go.dev/ref/mod, "Vendoring"). Packages published through a
// module proxy keep vendor/modules.txt alone: there is nothing to build from in such a folder.
bool is_vendored(const Surroundings& surroundings, const Modules& modules) {
  const std::vector<std::string> version = split(modules.go.value, '.');
  const bool is_old = version.size() > 1 && version[0] == "1" && parse_number(version[1]).value_or(14) < 14;
  if (is_old || !surroundings.context.has(joined(modules.vendored, "vendor/modules.txt"))) return false;
  return !surroundings.context.glob(joined(modules.vendored, "vendor/**/*.go")).empty();
}

bool needs_download(const Surroundings& surroundings, const Modules& modules) {
  if (is_vendored(surroundings, modules)) return false;
  return std::any_of(modules.list.begin(), modules.list.end(),
                     [](const Module& module) { return !module.file.requirements.empty(); });
}

// `1.21rc2` is satisfied by 1.21: release candidates of the past are not what a constraint is about.
std::string floor_of(std::string_view version) {
  const std::size_t end = version.find_first_not_of("0123456789.");
  return std::string(version.substr(0, end));
}

std::string application_name(const Surroundings& surroundings, const Modules& modules,
                             const std::vector<Program>& chosen) {
  if (modules.list.size() == 1) return safe_name(go_program_name(modules.list.front().prefix));
  return chosen.size() == 1 ? chosen.front().name : safe_name(surroundings.app.name());
}

// The toolchain line is a preference, no floor; without one, what the project's version file pins.
plan::Tool fetchable(plan::Tool tool, const Modules& modules, const plan::BuildPlan& plan,
                     const Surroundings& surroundings) {
  const std::string& line = modules.toolchain.value;
  std::string wanted = floor_of(std::string_view(line).substr(line.starts_with("go") ? 2 : 0));
  if (!wanted.empty()) {
    tool.pin = cat(">=", wanted);
    tool.pin_source = plan.values.at("go toolchain").source;
  }
  std::vector<std::string> ignored;  // decide() tells what cannot be read
  for (const VersionPin& pin : version_pins(surroundings.app, ignored)) {
    const std::string version = floor_of(pin.version.value);
    if (pin.tool != "go" || !tool.pin.empty() || plan::numbers_of(version).size() < 3) continue;
    wanted = version;
    tool.pin = version;
    tool.pin_source = pin.version.source;
  }
  tool.downloads = go_downloads(wanted);
  for (plan::Download& download : go_downloads(floor_of(modules.go.value))) {
    const bool is_known = std::find(tool.downloads.begin(), tool.downloads.end(), download) != tool.downloads.end();
    if (!is_known) tool.downloads.push_back(std::move(download));
  }
  return tool;
}

// C includes what it likes.
std::vector<std::string> inputs_of(const std::vector<Program>& programs, const Cgo& cgo,
                                   const Surroundings& surroundings) {
  if (cgo.use != Cgo::Use::never) return {"**"};
  std::vector<std::string> folders;
  for (const Program& program : programs) folders.push_back(joined(surroundings.app_in_context, program.folder));
  return go_inputs(surroundings.context, folders);
}

std::optional<plan::Detection> detect(const Surroundings& surroundings) {
  const std::optional<Modules> modules = read_modules(surroundings);
  if (!modules) return std::nullopt;
  const std::vector<Program> programs = programs_of(surroundings, *modules);
  const std::vector<Program> chosen = chosen_of(programs, *modules, surroundings.config);
  if (chosen.empty() && !surroundings.config.targets) {
    Error error = failure(modules->manifest, 0,
                          programs.empty() ? "the module has no main package: it is a library"
                                           : cat("no main package outside examples, tests and tools; there is ",
                                                 backticked(argument_of(programs.front()))));
    throw error;
  }

  plan::Detection detection{.detector = "go", .language = "go", .score = kScore};
  plan::BuildPlan& plan = detection.plan;
  plan.leaves_source_alone = true;
  plan.name = application_name(surroundings, *modules, chosen);
  plan.values["name"] = {plan.name, modules->list.size() == 1
                                        ? cat(modules->manifest, ":", modules->list.front().file.path.line)
                                        : "inferred from the folder"};
  if (modules->manifest.ends_with("go.work")) {
    detection.evidence.push_back({modules->manifest, 0, "workspace file"});
  }
  for (const Module& module : modules->list) {
    const std::string file =
        modules->manifest.ends_with("go.mod") ? modules->manifest : joined(module.folder, "go.mod");
    detection.evidence.push_back({file, module.file.path.line, "module file"});
  }
  for (const Program& program : programs) {
    const bool is_chosen =
        std::any_of(chosen.begin(), chosen.end(), [&](const Program& one) { return one.folder == program.folder; });
    const bool is_default = is_chosen && (chosen.size() == 1 || program.name == plan.name);
    detection.apps.push_back({program.name, program.folder, is_default});
  }

  plan::Tool tool{"go", "", ""};
  if (!modules->go.value.empty()) {
    plan.values["go"] = {modules->go.value, cat(modules->manifest, ":", modules->go.line)};
    tool = {"go", cat(">=", floor_of(modules->go.value)), plan.values["go"].source};
  }
  if (!modules->toolchain.value.empty()) {
    plan.values["go toolchain"] = {modules->toolchain.value, cat(modules->manifest, ":", modules->toolchain.line)};
  }
  plan.tools.push_back(fetchable(std::move(tool), *modules, plan, surroundings));
  if (chosen.empty()) return detection;  // unknown targets: decide() names the known ones

  if (needs_download(surroundings, *modules)) plan.steps.push_back(fetch_step(surroundings));
  const Cgo cgo = cgo_of(surroundings, *modules);
  add_cgo_toolchains(plan, cgo, surroundings);
  const std::vector<std::string> inputs = inputs_of(chosen, cgo, surroundings);
  plan.steps.push_back(list_step(chosen, inputs, surroundings));
  if (cgo.use != Cgo::Use::never) list_with_cgo(plan.steps.back());
  for (plan::Step& step : compile_steps(chosen, surroundings)) {
    use_cgo(step, cgo);
    step.inputs = inputs;
    plan.steps.push_back(std::move(step));
  }
  for (const Program& program : chosen) {
    plan::Output output;
    output.built = cat("out/", program.name);
    output.installed = cat("/bin/", program.name);
    output.process = program.name;
    output.target = program.import_path;
    plan.outputs.push_back(std::move(output));
    plan.values[cat("program ", program.name)] = {argument_of(program), program.source};
  }
  return detection;
}

}  // namespace

extern const Detector kGo;
const Detector kGo = {"go", "go", "Go modules and workspaces", "go.work, go.mod", kScore, detect};

}  // namespace whittle::detectors
