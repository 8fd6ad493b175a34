// Configuration > the repository's hints > what a detector inferred > defaults: every value with its source.
#include <algorithm>
#include <array>
#include <span>

#include "base/error.hpp"
#include "base/text.hpp"
#include "detectors/detector.hpp"
#include "detectors/dockerfile_hints.hpp"
#include "detectors/places.hpp"
#include "detectors/procfile.hpp"
#include "detectors/static_site.hpp"
#include "detectors/version_files.hpp"
#include "plan/ignore_patterns.hpp"

namespace whittle::detectors {

namespace {

using plan::BuildPlan;
using plan::Config;
using plan::Setting;

void take(BuildPlan& plan, const char* key, std::string& place, const std::optional<Setting>& setting) {
  if (setting) place = setting->value;
  plan.values[key] = {place, setting ? setting->source : "default"};
}

void take_list(BuildPlan& plan, const char* key, std::vector<std::string>& place,
               const std::optional<plan::ListSetting>& setting) {
  if (!setting) return;
  place = setting->values;
  plan.values[key] = {join(place, " "), setting->source};
}

void take_map(BuildPlan& plan, std::string_view key, std::map<std::string, std::string>& place,
              const std::map<std::string, Setting>& settings) {
  for (const auto& [name, setting] : settings) {
    place[name] = setting.value;
    plan.values[cat(key, " ", name)] = {setting.value, setting.source};
  }
}

void refuse_unknown_targets(const plan::Detection& detection, const Config& config) {
  if (!config.targets || detection.apps.empty()) return;
  std::vector<std::string> known;
  for (const plan::App& app : detection.apps) known.push_back(app.name);
  for (const std::string& target : config.targets->values) {
    const bool is_there = std::any_of(detection.apps.begin(), detection.apps.end(), [&](const plan::App& app) {
      return app.name == target || (app.path != "." && app.path == joined(".", target));
    });
    if (is_there || detection.may_have_other_programs) continue;
    Error error(Exit::usage, cat("there is no program ", backticked(target), " to build"));
    error.at(config.targets->source).detail(cat("there is ", join(known, ", ")));
    if (const std::optional<std::string> meant = nearest(target, known))
      error.hint(cat("did you mean ", backticked(*meant), "?"));
    throw error;
  }
}

// What an interpreter loads cannot be linked into it.
void settle_link(BuildPlan& plan, const Config& config) {
  if (plan.link != "closure") return take(plan, "link", plan.link, config.link);
  plan.values["link"] = {plan.link, cat("language ", plan.language)};
  if (!config.link || config.link->value == plan.link) return;
  throw Error(Exit::usage, cat("an image of ", plan.language, " cannot be linked statically"))
      .at(config.link->source)
      .hint("remove `link`: the interpreter brings exactly the libraries that it needs");
}

void settle_toolchain(BuildPlan& plan, const plan::Detection& detection, const Config& config) {
  if (config.toolchain && config.toolchain->value == "host") {
    for (plan::Tool& tool : plan.tools) tool.downloads.clear();
    for (plan::Toolchain& toolchain : plan.toolchains) toolchain.downloads.clear();
  }
  const bool is_c = detection.language == "c" || detection.language == "cpp";
  if (!is_c) {
    plan.toolchain = "auto";
    return;
  }
  take(plan, "toolchain", plan.toolchain, config.toolchain);
  if (!plan.toolchains.empty()) return;
  throw Error(Exit::usage, cat("the toolchain ", backticked(plan.toolchain), " cannot build ",
                               detection.language == "cpp" ? "C++" : "C", " for ", plan.platform))
      .at(plan.values["toolchain"].source)
      .hint("use `toolchain = \"host\"` or `toolchain = \"zig\"` under `[build]` in whittle.toml");
}

// What a Procfile's line means: `./bin/web`, `web` and `/app/web` are all `/bin/web`. Empty: nothing of this image.
std::vector<std::string> command_of(const BuildPlan& plan, const plan::Detection& detection,
                                    const std::vector<std::string>& line) {
  const std::string& word = line.front();
  for (std::size_t count = line.size(); count > 0; --count) {
    const auto words = std::span(line).first(count);
    const auto command = detection.commands.find(count == 1 ? last_part(word) : join(words, " "));
    if (command == detection.commands.end()) continue;
    std::vector<std::string> argv = command->second;
    argv.insert(argv.end(), line.begin() + static_cast<std::ptrdiff_t>(count), line.end());
    return argv;
  }
  const std::vector<std::string> rest(line.begin() + 1, line.end());
  const auto with_rest = [&](std::string program) {
    std::vector<std::string> argv = {std::move(program)};
    argv.insert(argv.end(), rest.begin(), rest.end());
    return argv;
  };
  for (const plan::Output& output : plan.outputs) {
    if (output.kind != plan::Output::Kind::program) continue;
    if (output.installed.ends_with('/')) return with_rest(output.installed + last_part(word));
    if (last_part(output.installed) == last_part(word)) return with_rest(output.installed);
  }
  return {};
}

void read_procfile(BuildPlan& plan, const plan::Detection& detection, const Surroundings& surroundings) {
  const std::optional<std::string> text = surroundings.app.read_if_exists("Procfile");
  if (!text) return;
  for (ProcfileEntry& entry : parse_procfile(*text, "Procfile")) {
    if (surroundings.config.processes.contains(entry.name)) continue;
    const std::string source = cat("Procfile:", entry.line);
    std::vector<std::string> argv = command_of(plan, detection, entry.argv);
    if (argv.empty()) {
      plan.warnings.push_back(cat(source, ": ", backticked(entry.argv.front()),
                                  " is not a program of this image, so the process ", backticked(entry.name),
                                  " is left out"));
      continue;
    }
    plan.values[cat("process ", entry.name)] = {shell_line(argv), source};
    plan.image.processes[entry.name] = std::move(argv);
  }
}

// Interpreted languages have a start of their own, and their detectors know where.
bool is_native(const BuildPlan& plan) {
  constexpr std::array<std::string_view, 6> kNative = {"go", "rust", "c", "cpp", "zig", "binary"};
  return std::find(kNative.begin(), kNative.end(), plan.language) != kNative.end();
}

// What Docker starts, as a program of the image: by its name, or by the name that it is copied under when there is one.
const plan::Output* started_program(const BuildPlan& plan, const DockerfileHints& hints) {
  std::vector<const plan::Output*> programs;
  for (const plan::Output& output : plan.outputs) {
    const bool is_known =
        output.kind == plan::Output::Kind::program && !output.process.empty() && !output.installed.ends_with('/');
    if (!is_known) continue;
    if (last_part(output.installed) == last_part(hints.argv.front())) return &output;
    programs.push_back(&output);
  }
  const bool is_copied =
      std::find(hints.copied.begin(), hints.copied.end(), last_part(hints.argv.front())) != hints.copied.end();
  return programs.size() == 1 && is_copied ? programs.front() : nullptr;
}

// The process that it is; empty when it is none of this image. One that the Procfile or the configuration has is
// theirs, with its arguments.
std::string take_start(BuildPlan& plan, const DockerfileHints& hints) {
  if (hints.argv.empty() || !is_native(plan)) return {};
  const plan::Output* const program = started_program(plan, hints);
  if (program == nullptr) return {};
  std::vector<std::string> argv = hints.argv;
  argv.front() = program->installed;
  if (plan.image.processes.contains(program->process)) return program->process;
  if (argv.size() > 1) plan.values[cat("process ", program->process)] = {shell_line(argv), hints.argv_source};
  plan.image.arguments = hints.arguments;
  plan.image.processes[program->process] = std::move(argv);
  return program->process;
}

void settle_processes(BuildPlan& plan, const plan::Detection& detection, const Surroundings& surroundings,
                      const DockerfileHints& hints) {
  const Config& config = surroundings.config;
  read_procfile(plan, detection, surroundings);
  for (const auto& [name, argv] : config.processes) {
    plan.image.processes[name] = argv.values;
    plan.values[cat("process ", name)] = {shell_line(argv.values), argv.source};
  }
  std::string source;
  const bool has_web = plan.image.processes.contains("web");
  const std::string started = take_start(plan, hints);
  if (config.default_process) {
    plan.image.default_process = config.default_process->value;
    source = config.default_process->source;
  } else if (!started.empty() && !has_web) {
    plan.image.default_process = started;
    source = hints.argv_source;
  } else if (!has_web) {
    for (const plan::App& app : detection.apps) {
      const bool is_made = std::any_of(plan.outputs.begin(), plan.outputs.end(),
                                       [&](const plan::Output& output) { return output.process == app.name; });
      if (app.is_default && (is_made || plan.image.processes.contains(app.name))) plan.image.default_process = app.name;
    }
  }
  plan::name_processes(plan);
  if (plan.image.default_process != started) plan.image.arguments.clear();
  if (!plan.image.arguments.empty()) plan.values["arguments"] = {shell_line(plan.image.arguments), hints.argv_source};
  if (plan.image.default_process.empty()) return;
  plan.values["default"] = {plan.image.default_process, source.empty() ? "inferred" : source};
}

// A pattern of the application as one of the whole source, which is the context.
std::string in_context(const std::string& pattern, const Surroundings& surroundings) {
  if (surroundings.app_in_context == ".") return pattern;
  const bool takes_back = pattern.starts_with('!');
  return cat(takes_back ? "!" : "", surroundings.app_in_context, "/", trim(pattern.substr(takes_back ? 1 : 0)));
}

void settle_ignores(BuildPlan& plan, const Surroundings& surroundings) {
  take_list(plan, "ignore", plan.image.ignore, surroundings.config.ignore);
  // `.whittleignore` where there is one speaks for this program alone.
  const char* const file = surroundings.app.has(".whittleignore") ? ".whittleignore" : ".dockerignore";
  const std::optional<std::string> text = surroundings.app.read_if_exists(file);
  for (std::string& pattern : plan::parse_ignore_file(text.value_or(""))) {
    if (is_utf8(pattern)) plan.image.ignore.push_back(std::move(pattern));
  }
  for (std::string& pattern : plan.image.ignore) pattern = in_context(pattern, surroundings);
  // A step that copies the application leaves out what the image shall not have.
  for (plan::Step& step : plan.steps) {
    const auto list = step.files.find("python/ignored");
    if (list != step.files.end()) list->second = join(plan.image.ignore, "\n");
  }
}

void settle_files(BuildPlan& plan, const Surroundings& surroundings) {
  for (const plan::FileMapping& file : surroundings.config.files) {
    const std::string source = joined(".", file.source);
    if (!surroundings.app.has(source) && !surroundings.app.has_folder(source)) {
      throw Error(Exit::usage, cat(backticked(file.source), " of `image.files` is not in the source tree"))
          .at("whittle.toml")
          .hint("paths are relative to the folder of whittle.toml");
    }
  }
  for (plan::FileMapping file : surroundings.config.files) {
    if (surroundings.app_in_context != ".") {
      file.source = cat(joined(surroundings.app_in_context, file.source), file.source.ends_with('/') ? "/" : "");
    }
    plan.image.files.push_back(std::move(file));
  }
}

void settle_image(BuildPlan& plan, const Surroundings& surroundings, const DecideOptions& options) {
  const Config& config = surroundings.config;
  plan::ImageSettings& image = plan.image;
  take(plan, "user", image.user, config.user);
  take(plan, "workdir", image.workdir, config.workdir);
  if (config.stop_signal) take(plan, "stop-signal", image.stop_signal, config.stop_signal);
  take(plan, "certificates", image.certificates, config.certificates);
  take_list(plan, "timezones", image.timezones, config.timezones);
  take_list(plan, "ports", image.ports, config.ports);
  take_map(plan, "env", image.env, config.image_env);
  image.labels = options.labels;
  take_map(plan, "label", image.labels, config.labels);
  settle_ignores(plan, surroundings);
  settle_files(plan, surroundings);
  image.created = options.created;
  if (!options.created.empty()) plan.values["created"] = {options.created, options.created_source};
}

void settle_layers(BuildPlan& plan, const Config& config) {
  std::string compression = cat("zstd:", plan.layers.level);
  take(plan, "compression", compression, config.compression);
  const std::size_t colon = compression.find(':');
  if (colon != std::string::npos) {
    plan.layers.level = static_cast<int>(parse_number(compression.substr(colon + 1)).value_or(3));
  }
  take(plan, "form", plan.layers.form, config.form);
  if (!config.gzip_twin) return;
  std::string twin;
  take(plan, "gzip-twin", twin, config.gzip_twin);
  plan.layers.gzip_twin = twin == "always";
  if (plan.layers.gzip_twin && plan.layers.form == "dual") {
    throw Error(Exit::usage, "an image has either a gzip twin or the form `dual`: each must be the first of its index")
        .at(plan.values["gzip-twin"].source)
        .hint("use `form = \"auto\"` with the gzip twin");
  }
}

void settle_budget(BuildPlan& plan, const Config& config) {
  const auto limit = [&](const char* key, std::uint64_t& bytes, const std::optional<Setting>& setting) {
    if (!setting) return;
    bytes = parse_number(setting->value).value_or(0);
    plan.values[cat("budget ", key)] = {setting->value, setting->source};
  };
  limit("compressed", plan.budget.compressed, config.budget_compressed);
  limit("installed", plan.budget.installed, config.budget_installed);
}

// What is a warning otherwise.
void settle_versions(BuildPlan& plan, const Config& config) {
  if (!config.strict_versions || config.strict_versions->value != "always") return;
  plan.values["strict-versions"] = {config.strict_versions->value, config.strict_versions->source};
  for (plan::Tool& tool : plan.tools) {
    if (tool.pin.empty()) continue;
    tool.constraint += cat(tool.constraint.empty() ? "" : ",", tool.pin.starts_with('>') ? "" : "=", tool.pin);
    tool.source = tool.pin_source;
  }
}

// What `words` name: steps by name, or by a pattern.
std::vector<plan::Step*> steps_named(BuildPlan& plan, const plan::ListSetting& words, std::string_view key) {
  std::vector<plan::Step*> found;
  for (const std::string& word : words.values) {
    const std::size_t before = found.size();
    for (plan::Step& step : plan.steps) {
      if (step.name == word || matches_glob(word, step.name)) found.push_back(&step);
    }
    if (found.size() > before) continue;
    std::vector<std::string> known;
    for (const plan::Step& step : plan.steps) known.push_back(step.name);
    Error error(Exit::usage, cat("there is no step ", backticked(word), " for ", backticked(key)));
    error.at(words.source).detail(cat("there is ", join(known, ", ")));
    if (const std::optional<std::string> meant = nearest(word, known))
      error.hint(cat("did you mean ", backticked(*meant), "?"));
    throw error;
  }
  return found;
}

void settle_sandbox(BuildPlan& plan, const Config& config) {
  for (const auto& [id, secret] : config.secrets) {
    const plan::ListSetting named{secret.steps, secret.source};
    for (plan::Step* step : steps_named(plan, named, cat("build.secrets.", id))) {
      step->secrets.push_back({id, secret.variable, secret.file_variable, secret.home});
    }
    plan.values[cat("secret ", id)] = {join(secret.steps, ", "), secret.source};
  }
  if (config.sandbox) take(plan, "sandbox", plan.sandbox, config.sandbox);
  if (!config.network) return;
  for (plan::Step* step : steps_named(plan, *config.network, "build.network")) step->network = true;
  plan.values["network"] = {join(config.network->values, ", "), config.network->source};
}

void settle_build_environment(BuildPlan& plan, const Config& config) {
  for (const auto& [name, setting] : config.build_env) {
    for (plan::Step& step : plan.steps) step.env[name] = setting.value;
    plan.values[cat("build env ", name)] = {setting.value, setting.source};
  }
}

// Below the configuration, and below what a detector has set because its language needs it.
DockerfileHints read_dockerfile(const Surroundings& surroundings, const plan::Detection& detection) {
  const char* const name = surroundings.app.has("Dockerfile") ? "Dockerfile" : "Containerfile";
  const std::optional<std::string> text = surroundings.app.read_if_exists(name);
  if (!text) return {};
  DockerfileHints hints = hints_of_dockerfile(*text, name);
  const plan::ImageSettings& own = detection.plan.image;
  std::erase_if(hints.config.image_env, [&](const auto& variable) { return own.env.contains(variable.first); });
  if (own.workdir != "/") hints.config.workdir.reset();
  if (!own.ports.empty()) hints.config.ports.reset();
  return hints;
}

}  // namespace

BuildPlan decide(const plan::Detection& detection, const Surroundings& outer, const DecideOptions& options) {
  const DockerfileHints hints = read_dockerfile(outer, detection);
  const Config config = merged(hints.config, outer.config);
  const Surroundings surroundings{.app = outer.app,
                                  .context = outer.context,
                                  .app_in_context = outer.app_in_context,
                                  .config = config,
                                  .platform = outer.platform,
                                  .host = outer.host};
  refuse_unknown_targets(detection, config);
  BuildPlan plan = detection.plan;
  plan.language = detection.language;
  plan.detector = detection.detector;
  plan.app_root = surroundings.app_in_context;
  plan.platform = surroundings.platform;
  plan.warnings.insert(plan.warnings.end(), detection.warnings.begin(), detection.warnings.end());
  plan.warnings.insert(plan.warnings.end(), hints.warnings.begin(), hints.warnings.end());
  if (!plan.name.empty() && !config.name) plan.name = lower(plan.name);
  if (config.name) {
    plan.name = config.name->value;
    plan.values["name"] = {config.name->value, config.name->source};
  }
  plan.values["name"].value = plan.name;
  if (config.targets) plan.values["targets"] = {join(config.targets->values, " "), config.targets->source};
  if (config.args) plan.values["args"] = {shell_line(config.args->values), config.args->source};
  if (config.detector) plan.values["detector"] = {config.detector->value, config.detector->source};
  settle_link(plan, config);
  settle_toolchain(plan, detection, config);
  settle_static_server(plan);
  settle_versions(plan, config);
  settle_build_environment(plan, config);
  settle_sandbox(plan, config);
  settle_image(plan, surroundings, options);
  settle_layers(plan, config);
  settle_budget(plan, config);
  settle_processes(plan, detection, surroundings, hints);
  for (std::string& warning : version_contradictions(surroundings.app, plan))
    plan.warnings.push_back(std::move(warning));
  return plan;
}

}  // namespace whittle::detectors
