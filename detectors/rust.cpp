// Rust: packages and workspaces. Programs are found as cargo finds them; the messages of `cargo build`
// settle where they lie.
#include <algorithm>
#include <map>

#include "base/text.hpp"
#include "detectors/cargo_closure.hpp"
#include "detectors/cargo_manifest.hpp"
#include "detectors/detector.hpp"
#include "detectors/places.hpp"
#include "detectors/target_platform.hpp"

namespace whittle::detectors {

namespace {

constexpr int kScore = 100;

struct Crates {
  CargoManifest root;
  std::optional<CargoManifest> workspace;  // of an ancestor
  std::vector<CargoPackage> built;         // what `cargo build` here would build
  std::string lock_folder = ".";           // in the context
};

std::set<std::string> features_of(const plan::Config& config) {
  const std::vector<std::string> arguments = build_arguments(config);
  std::set<std::string> features = {"default"};
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--all-features") return {"*"};
    if (argument == "--no-default-features") features.erase("default");
    std::string list;
    if (argument.starts_with("--features=")) list = argument.substr(11);
    if ((argument == "--features" || argument == "-F") && i + 1 < arguments.size()) list = arguments[i + 1];
    std::replace(list.begin(), list.end(), ' ', ',');
    for (const std::string& feature : split(list, ',')) {
      if (!feature.empty()) features.insert(feature);
    }
  }
  return features;
}

// The nearest manifest above the application that is a workspace.
void read_enclosing(const Surroundings& surroundings, Crates& crates) {
  for (std::string folder = surroundings.app_in_context; folder != ".";) {
    folder = folder_of(folder);
    const std::string path = joined(folder, "Cargo.toml");
    if (!surroundings.context.has(path)) continue;
    CargoManifest manifest = read_manifest(surroundings.context, path, from_application(surroundings, path));
    if (!manifest.document.root.contains("workspace")) continue;
    crates.workspace = std::move(manifest);
    crates.lock_folder = folder;
    return;
  }
}

// What cargo builds without being told: the default members, else the root package, else every member.
std::vector<std::string> built_folders(const plan::SourceTree& tree, const CargoManifest& root) {
  std::vector<std::string> folders = members_of(tree, root, "default-members");
  if (!folders.empty()) return folders;
  if (root.document.root.contains("package")) return {"."};
  for (std::string& folder : members_of(tree, root, "members")) {
    if (!is_aside(folder) && last_part(folder) != "xtask") folders.push_back(std::move(folder));
  }
  return folders;
}

std::optional<Crates> read_crates(const Surroundings& surroundings) {
  const plan::SourceTree& tree = surroundings.app;
  if (!tree.has("Cargo.toml")) return std::nullopt;
  Crates crates{.root = read_manifest(tree, "Cargo.toml", "Cargo.toml"),
                .workspace = {},
                .built = {},
                .lock_folder = surroundings.app_in_context};
  const bool is_workspace = crates.root.document.root.contains("workspace");
  if (!is_workspace) read_enclosing(surroundings, crates);
  const CargoManifest* inherited = is_workspace ? &crates.root : crates.workspace ? &*crates.workspace : nullptr;
  for (const std::string& folder : built_folders(tree, crates.root)) {
    const std::string path = joined(folder, "Cargo.toml");
    const CargoManifest manifest = folder == "." ? crates.root : read_manifest(tree, path, path);
    if (std::optional<CargoPackage> package =
            package_of(tree, folder, manifest, inherited, features_of(surroundings.config))) {
      crates.built.push_back(std::move(*package));
    }
  }
  return crates;
}

// For another machine with musl, whose start files and library come with Rust's own: nothing of the system is linked.
std::string target_triple(const Surroundings& surroundings) {
  const TargetPlatform& target = target_platform(surroundings.platform);
  return std::string(is_foreign(surroundings) ? target.rust_musl : target.rust);
}

// `.cargo/config.toml` of the project, where cargo would see it from the application's folder.
struct CargoConfig {
  std::vector<std::string> flags;
  bool is_vendored = false;
};

void append_flags(std::vector<std::string>& flags, const Json& table) {
  if (!table.is_object() || !table.contains("rustflags")) return;
  const Json& value = table["rustflags"];
  if (value.is_string()) {
    for (const std::string& word : split(value.get<std::string>(), ' ')) {
      if (!word.empty()) flags.push_back(word);
    }
  } else if (value.is_array()) {
    for (const Json& word : value) {
      if (word.is_string()) flags.push_back(word.get<std::string>());
    }
  }
}

CargoConfig read_cargo_config(const Surroundings& surroundings) {
  CargoConfig config;
  std::string folder = surroundings.app_in_context;
  for (bool is_last = false; !is_last; folder = folder_of(folder)) {
    is_last = folder == ".";
    for (const char* name : {".cargo/config.toml", ".cargo/config"}) {
      const std::string path = joined(folder, name);
      const std::optional<std::string> text = surroundings.context.read_if_exists(path);
      if (!text) continue;
      const Json root = parse_toml(*text, path, static_cast<int>(Exit::detector_failed)).root;
      // RUSTFLAGS in the environment hides these, so they are taken over; target flags hide build flags.
      const std::string triple = target_triple(surroundings);
      const Json targets = root.value("target", Json::object()), build = root.value("build", Json::object());
      if (targets.is_object() && targets.contains(triple) && targets[triple].contains("rustflags")) {
        append_flags(config.flags, targets[triple]);
      } else {
        append_flags(config.flags, build);
      }
      const Json sources = root.value("source", Json::object());
      config.is_vendored = config.is_vendored || (sources.is_object() && sources.contains("crates-io"));
      break;
    }
  }
  return config;
}

// Words joined by the unit separator, since paths may hold blanks. The work folder is no part of them:
// it differs between builds, and cargo would build every dependency again. rustc is run with relative paths there.
std::string encoded_flags(const std::vector<std::string>& projects_own, bool is_static, bool is_for_another) {
  std::vector<std::string> flags = {"-Cstrip=symbols", "--remap-path-prefix=${cache:cargo}=/cargo",
                                    "--remap-path-prefix=${keep}=/keep"};
  if (is_static) flags.insert(flags.begin(), "-Ctarget-feature=+crt-static");
  if (is_for_another) flags.insert(flags.end(), {"-Clinker=rust-lld", "-Clink-self-contained=yes"});
  flags.insert(flags.begin(), projects_own.begin(), projects_own.end());
  return join(flags, "\x1f");
}

std::map<std::string, std::string> environment() {
  return {{"CARGO_HOME", "${cache:cargo}"}, {"CARGO_TERM_COLOR", "never"}, {"CARGO_INCREMENTAL", "0"}};
}

plan::Step fetch_step(const Surroundings& surroundings, const std::string& lock, bool is_locked) {
  plan::Step step;
  step.name = "fetch crates";
  step.argv = {"cargo", "fetch"};
  if (is_locked) {
    step.argv.push_back("--locked");
  } else {
    step.outputs = {joined("src", lock)};
  }
  step.argv.insert(step.argv.end(), {"--target", target_triple(surroundings)});
  step.env = environment();
  step.folder = step_folder(surroundings);
  step.inputs = {"**/Cargo.toml", "**/Cargo.lock", "**/.cargo/*"};
  step.network = true;
  return step;
}

plan::Step compile_step(const Surroundings& surroundings, const std::vector<CargoProgram>& programs,
                        const CargoConfig& config, bool is_locked) {
  plan::Step step;
  step.name = programs.size() == 1 ? cat("compile ", programs.front().name) : "compile";
  step.argv = {"cargo", "build", "--release", "--offline"};
  if (is_locked) step.argv.push_back("--locked");
  step.argv.insert(step.argv.end(), {"--target", target_triple(surroundings), "--target-dir", "${keep}/target",
                                     "--jobs", "${jobs}", "--message-format=json-render-diagnostics"});
  std::set<std::string> packages;
  for (const CargoProgram& program : programs) packages.insert(program.package);
  for (const std::string& package : packages) step.argv.insert(step.argv.end(), {"--package", package});
  for (const CargoProgram& program : programs) step.argv.insert(step.argv.end(), {"--bin", program.name});
  for (const std::string& argument : build_arguments(surroundings.config)) step.argv.push_back(argument);
  step.env = environment();
  step.env["CARGO_ENCODED_RUSTFLAGS"] =
      encoded_flags(config.flags, !accepts_libraries(surroundings.config), is_foreign(surroundings));
  step.folder = step_folder(surroundings);
  step.report = plan::Report::cargo_messages;
  return step;
}

bool lock_names_registry(const std::optional<std::string>& lock) {
  return lock && lock->find("\nsource = ") != std::string::npos;
}

// `channel` of rust-toolchain.toml, or the only word of rust-toolchain.
std::optional<plan::Value> pinned_toolchain(const plan::SourceTree& tree) {
  for (const char* name : {"rust-toolchain.toml", "rust-toolchain"}) {
    const std::optional<std::string> text = tree.read_if_exists(name);
    if (!text) continue;
    if (text->find('[') == std::string::npos) return plan::Value{std::string(trim(*text)), cat(name, ":1")};
    const TomlDocument document = parse_toml(*text, name, static_cast<int>(Exit::detector_failed));
    const Json channel = document.root.value("/toolchain/channel"_json_pointer, Json());
    if (channel.is_string())
      return plan::Value{channel.get<std::string>(), cat(name, ":", document.line("/toolchain/channel"))};
  }
  return std::nullopt;
}

// The highest version that any package wants.
plan::Tool cargo_tool(const std::vector<CargoPackage>& packages) {
  plan::Tool tool{"cargo", "", ""};
  std::vector<std::uint64_t> highest;
  for (const CargoPackage& package : packages) {
    std::vector<std::uint64_t> parts;
    for (const std::string& part : split(package.rust_version, '.')) parts.push_back(parse_number(part).value_or(0));
    if (package.rust_version.empty() || parts <= highest) continue;
    highest = std::move(parts);
    tool = {"cargo", cat(">=", package.rust_version), package.rust_version_source};
  }
  return tool;
}

std::vector<CargoProgram> programs_of(const std::vector<CargoPackage>& packages) {
  std::vector<CargoProgram> programs;
  for (const CargoPackage& package : packages) {
    programs.insert(programs.end(), package.programs.begin(), package.programs.end());
  }
  return programs;
}

std::string default_program(const std::vector<CargoPackage>& packages, const std::vector<CargoProgram>& chosen) {
  const auto is_chosen = [&](const std::string& name) {
    return std::any_of(chosen.begin(), chosen.end(), [&](const CargoProgram& program) { return program.name == name; });
  };
  for (const CargoPackage& package : packages) {
    if (!package.default_run.empty() && is_chosen(package.default_run)) return package.default_run;
  }
  if (chosen.size() == 1) return chosen.front().name;
  return packages.size() == 1 && is_chosen(packages.front().name) ? packages.front().name : std::string();
}

void name_application(plan::BuildPlan& plan, const Crates& crates, const std::vector<CargoProgram>& chosen,
                      const Surroundings& surroundings) {
  const std::vector<CargoPackage>& packages = crates.built;
  const auto root = std::find_if(packages.begin(), packages.end(), [](const auto& one) { return one.folder == "."; });
  if (root != packages.end() || packages.size() == 1) {
    const CargoPackage& package = root != packages.end() ? *root : packages.front();
    plan.name = safe_name(package.name);
    plan.values["name"] = {plan.name, cat(joined(package.folder, "Cargo.toml"), ":", package.line)};
  } else if (chosen.size() == 1) {
    plan.name = safe_name(chosen.front().name);
    plan.values["name"] = {plan.name, chosen.front().source};
  } else {
    plan.name = safe_name(surroundings.app.name());
    plan.values["name"] = {plan.name, "inferred from the folder"};
  }
}

// Narrower than everything only in a workspace, where others have packages too. Of vendored ones cargo does not say
// which it has read.
std::vector<std::string> inputs_of(const Crates& crates, const std::vector<CargoProgram>& chosen,
                                   const CargoConfig& config, const Surroundings& surroundings) {
  const bool is_workspace = crates.workspace || crates.root.document.root.contains("workspace");
  if (!is_workspace || config.is_vendored) return {"**"};
  std::vector<std::string> folders;
  for (const CargoPackage& package : crates.built) {
    const bool is_chosen = std::any_of(chosen.begin(), chosen.end(),
                                       [&](const CargoProgram& program) { return program.package == package.name; });
    if (is_chosen) folders.push_back(joined(surroundings.app_in_context, package.folder));
  }
  return cargo_inputs(surroundings.context, crates.workspace ? crates.lock_folder : surroundings.app_in_context,
                      folders);
}

std::optional<plan::Detection> detect(const Surroundings& surroundings) {
  const std::optional<Crates> crates = read_crates(surroundings);
  if (!crates) return std::nullopt;
  const std::vector<CargoProgram> programs = programs_of(crates->built);
  if (programs.empty()) throw failure("Cargo.toml", 0, "no package here has a program: it is a library");
  std::vector<CargoProgram> chosen;
  for (const CargoProgram& program : programs) {
    if (is_wanted(surroundings.config, program.name, ".")) chosen.push_back(program);
  }

  plan::Detection detection{.detector = "rust", .language = "rust", .score = kScore};
  plan::BuildPlan& plan = detection.plan;
  const std::string default_name = default_program(crates->built, chosen);
  const bool has_package = crates->root.document.root.contains("package");
  detection.evidence.push_back({"Cargo.toml", crates->root.document.line(has_package ? "/package" : "/workspace"),
                                has_package ? "package manifest" : "workspace manifest"});
  for (const CargoPackage& package : crates->built) {
    for (const CargoProgram& program : package.programs) {
      detection.apps.push_back({program.name, package.folder, program.name == default_name});
    }
  }
  name_application(plan, *crates, chosen, surroundings);
  plan.tools.push_back(cargo_tool(crates->built));
  if (is_foreign(surroundings)) {
    plan.tools.front().library = cat("lib/rustlib/", target_triple(surroundings), "/lib");
  } else {
    plan.tools.push_back({"cc", "", ""});  // rustc links with it
  }
  if (!plan.tools.front().constraint.empty()) {
    plan.values["rust"] = {plan.tools.front().constraint.substr(2), plan.tools.front().source};
  }
  if (const std::optional<plan::Value> pinned = pinned_toolchain(surroundings.app))
    plan.values["rust toolchain"] = *pinned;
  if (const auto found = plan.values.find("rust toolchain"); found != plan.values.end()) {
    const std::string& channel = found->second.value;
    const bool is_version = !channel.empty() && channel.find_first_not_of("0123456789.") == std::string::npos;
    if (is_version) plan.tools.front().pin = channel;
    if (is_version) plan.tools.front().pin_source = found->second.source;
  }
  if (chosen.empty()) return detection;  // unknown targets: decide() names the known ones

  const std::string lock_path = joined(crates->lock_folder, "Cargo.lock");
  const std::optional<std::string> lock = surroundings.context.read_if_exists(lock_path);
  const CargoConfig config = read_cargo_config(surroundings);
  const bool has_dependencies = std::any_of(crates->built.begin(), crates->built.end(),
                                            [](const CargoPackage& package) { return package.has_dependencies; });
  if (!config.is_vendored && (lock ? lock_names_registry(lock) : has_dependencies)) {
    plan.steps.push_back(fetch_step(surroundings, lock_path, lock.has_value()));
  }
  if (!lock && has_dependencies) {
    detection.warnings.push_back(
        "there is no Cargo.lock: the versions of the dependencies are those of today; `cargo generate-lockfile` pins "
        "them");
  }
  plan.steps.push_back(compile_step(surroundings, chosen, config, lock.has_value()));
  plan.steps.back().inputs = inputs_of(*crates, chosen, config, surroundings);
  for (const CargoProgram& program : chosen) {
    plan::Output output;
    output.built = cat("${keep}/target/", target_triple(surroundings), "/release/");
    output.installed = cat("/bin/", program.name);
    output.process = program.name;
    output.target = program.name;
    plan.outputs.push_back(std::move(output));
    plan.values[cat("program ", program.name)] = {program.name, program.source};
  }
  return detection;
}

}  // namespace

extern const Detector kRust;
const Detector kRust = {"rust", "rust", "Cargo packages and workspaces", "Cargo.toml", kScore, detect};

}  // namespace whittle::detectors
