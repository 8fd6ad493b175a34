#include "detectors/node_steps.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "detectors/node_scripts.hpp"
#include "detectors/outputs.hpp"
#include "detectors/places.hpp"
#include "detectors/static_site.hpp"
#include "plan/ignore_patterns.hpp"

namespace whittle::detectors {

namespace {

using Shape = NodeProduct::Shape;
using Words = std::vector<std::string>;

constexpr std::string_view kRuntime = "runtime", kDependencies = "dependencies", kApplicationFolder = "application";

// "/app/services/web"
std::string in_image(std::string_view folder) {
  return folder == "." ? std::string(kNodeApplication) : cat(kNodeApplication, "/", folder);
}

std::string npm_architecture(std::string_view platform) {
  return platform.starts_with("linux/arm64") ? "arm64" : "x64";
}

plan::Step script_step(std::string name, const char* file, const char* text, const Json& job) {
  plan::Step step;
  step.name = std::move(name);
  step.argv = {"${tool:node}", cat("${work}/whittle/", file, ".cjs"), cat("${work}/whittle/", file, ".json")};
  step.folder = ".";
  step.files = {{cat("whittle/", file, ".cjs"), text}, {cat("whittle/", file, ".json"), pretty_json(job)}};
  return step;
}

class Planner {
 public:
  Planner(const NodeProject& project, const Surroundings& surroundings, plan::Detection& detection)
      : project_(project), surroundings_(surroundings), detection_(detection), plan_(detection.plan) {}

  void run() {
    if (shape() != Shape::site) plan_.link = "closure";
    plan_.tools = {project_.node};
    plan_.values.insert(project_.values.begin(), project_.values.end());
    const bool is_server = shape() == Shape::server;
    const bool installs = project_.needs_development() || (is_server && project_.has_packages);
    if (shape() != Shape::site) add_runtime();
    if (installs) {
      if (!project_.packages.tool.name.empty()) plan_.tools.push_back(project_.packages.tool);
      add_packages(is_server && project_.has_packages);
    }
    for (const NodeProject::Build& build : project_.builds) plan_.steps.push_back(build_step(build));
    if (shape() == Shape::site) return add_site();
    add_application();
    add_image();
    add_commands();
  }

 private:
  Shape shape() const { return project_.product ? project_.product->shape : Shape::server; }
  std::string app_folder(std::string_view below = ".") const { return joined(surroundings_.app_in_context, below); }

  void add_runtime() {
    plan::Step step;
    step.name = "take node";
    step.argv = {"${tool:node}", "${work}/whittle/take-node.cjs", "${tool:node}", cat("${work}/", kRuntime, "/node")};
    step.folder = ".";
    step.inputs.clear();
    step.files = {{"whittle/take-node.cjs", node_scripts::take_node()},
                  {cat(kRuntime, "/signals.cjs"), node_scripts::signals()}};
    step.outputs = {std::string(kRuntime)};
    plan_.steps.push_back(std::move(step));
    add_output(plan_, cat(kRuntime, "/node"), kNode, plan::Output::Kind::runtime);
    add_output(plan_, cat(kRuntime, "/signals.cjs"), kSignals, plan::Output::Kind::runtime);
  }

  // Folders of packages in the tree, which a build needs as they were installed.
  Words package_folders() const {
    Words folders = {"node_modules"};
    for (const std::string& member : project_.members) folders.push_back(cat(member, "/node_modules"));
    const std::string own = app_folder("node_modules");
    if (std::find(folders.begin(), folders.end(), own) == folders.end()) folders.push_back(own);
    return folders;
  }

  void add_packages(bool are_taken) {
    const bool with_development = project_.needs_development();
    const NodePackageManager& manager = project_.packages;
    plan::Step fetch;
    fetch.name = "fetch packages";
    fetch.argv = manager.fetch(with_development);
    fetch.env = manager.fetch_env();
    fetch.inputs = manifest_globs();
    fetch.network = true;
    plan_.steps.push_back(std::move(fetch));

    Json job = {{"root", "${work}/src"},
                {"install", manager.install(with_development)},
                {"installed", manager.installed_mark()},
                {"folders", Words{}},
                {"apps", project_.folders},
                {"to", are_taken ? cat("${work}/", kDependencies) : ""},
                {"keeps", with_development},
                {"cpu", npm_architecture(surroundings_.platform)}};
    Words outputs;
    if (are_taken) outputs.emplace_back(kDependencies);
    if (with_development) {
      job["folders"] = package_folders();
      for (const std::string& folder : package_folders()) outputs.push_back(cat("src/", folder));
    }
    plan::Step install = script_step("install packages", "packages", node_scripts::install_packages(), job);
    install.env = manager.install_env();
    install.inputs = manifest_globs();
    install.outputs = std::move(outputs);
    plan_.steps.push_back(std::move(install));
    if (are_taken) add_output(plan_, kDependencies, kNodeApplication, plan::Output::Kind::dependency);
  }

  plan::Step build_step(const NodeProject::Build& build) const {
    plan::Step step;
    step.name = build.folder == surroundings_.app_in_context ? build.script : cat(build.script, " ", build.folder);
    step.argv = build.argv.empty() ? project_.packages.run(build.script) : build.argv;
    step.folder = joined("src", build.folder);
    step.env = project_.packages.install_env();
    for (const char* name : {"NEXT_TELEMETRY_DISABLED", "ASTRO_TELEMETRY_DISABLED", "NUXT_TELEMETRY_DISABLED",
                             "GATSBY_TELEMETRY_DISABLED", "STORYBOOK_DISABLE_TELEMETRY", "DO_NOT_TRACK"}) {
      step.env[name] = "1";
    }
    step.env["NG_CLI_ANALYTICS"] = "false";
    step.env["NODE_ENV"] = "production";
    step.env["NX_DAEMON"] = "false";
    if (project_.product) {
      for (const auto& [name, value] : project_.product->build_env) step.env[name] = value;
    }
    // Scripts call their package manager by its name.
    step.env["PATH"] = "${work}/whittle/bin:${path}";
    std::string line;
    for (const std::string& word : project_.packages.program) line += cat("\"", word, "\" ");
    step.files[cat("whittle/bin/", project_.packages.name())] = cat("#!/bin/sh\nexec ", line, "\"$@\"\n");
    return step;
  }

  void add_site() {
    const NodeProduct& product = *project_.product;
    const std::string built = cat("src/", app_folder(product.folder));
    if (project_.builds.empty() || project_.builds.back().folder != surroundings_.app_in_context) {
      throw failure(project_.manifest.shown(), 1,
                    cat(product.framework, " makes a site in ", backticked(product.folder),
                        ", and there is no script `build` that would run it"));
    }
    plan_.steps.back().outputs = {built};
    plan_.values["framework"] = {product.framework, product.source};
    plan_.values["site"] = {product.folder, product.source};
    serve_static(plan_, built, wants_single_page(surroundings_.config, product.single_page));
    detection_.apps.push_back({"web", ".", true});
  }

  Json parts() const {
    Json parts = Json::array();
    if (shape() == Shape::server) {
      const std::string cache = app_folder(".next/cache");
      for (const std::string& folder : project_.folders) {
        parts.push_back({{"from", folder}, {"to", joined(kApplicationFolder, folder)}, {"without", {cache}}});
      }
      return parts;
    }
    // What is made to be shipped as it is; it may lie in a folder for each member of a workspace.
    const NodeProduct& product = *project_.product;
    const std::string folder = app_folder(product.folder);
    const bool mirrors = !product.beside.empty();
    const std::string to = mirrors ? std::string(kApplicationFolder) : joined(kApplicationFolder, folder);
    const std::string packages = joined(folder, product.packages);
    parts.push_back({{"from", folder}, {"to", to}, {"whole", true}, {"without", {packages}}});
    parts.push_back({{"from", packages},
                     {"to", joined(kDependencies, mirrors ? product.packages : packages)},
                     {"whole", true},
                     {"optional", true}});
    for (const std::string& beside : product.beside) {
      parts.push_back({{"from", app_folder(beside)},
                       {"to", joined(kApplicationFolder, app_folder(beside))},
                       {"whole", true},
                       {"optional", true}});
    }
    return parts;
  }

  Words ignore_patterns() const {
    const char* const file = surroundings_.app.has(".whittleignore") ? ".whittleignore" : ".dockerignore";
    Words patterns = surroundings_.config.ignore ? surroundings_.config.ignore->values : Words{};
    for (std::string& pattern : plan::parse_ignore_file(surroundings_.app.read_if_exists(file).value_or(""))) {
      if (is_utf8(pattern)) patterns.push_back(std::move(pattern));
    }
    // Patterns are of the application, and the tree is its context.
    if (surroundings_.app_in_context == ".") return patterns;
    for (std::string& pattern : patterns) {
      const bool takes_back = pattern.starts_with('!');
      pattern = cat(takes_back ? "!" : "", surroundings_.app_in_context, "/", pattern.substr(takes_back ? 1 : 0));
    }
    return patterns;
  }

  // Compiled applications are started from a folder of their own; their sources are not loaded.
  bool is_compiled() const {
    if (!project_.start || !project_.needs_development()) return false;
    const std::string script = joined(".", project_.start->script);
    const std::string top = script.substr(0, script.find('/'));
    return top == "dist" || top == "build" || top == "out" || top == "lib" || top == ".output";
  }

  void add_application() {
    const Json job = {{"root", "${work}/src"},
                      {"work", "${work}"},
                      {"parts", parts()},
                      {"ignore", ignore_patterns()},
                      {"compiled", is_compiled()}};
    plan::Step step = script_step("lay out the application", "application", node_scripts::lay_out(), job);
    step.outputs = {std::string(kApplicationFolder)};
    step.needs.clear();  // of packages it takes none
    if (shape() == Shape::standalone) {
      step.outputs.emplace_back(kDependencies);
      add_output(plan_, kDependencies, kNodeApplication, plan::Output::Kind::dependency);
    }
    plan_.steps.push_back(std::move(step));
    add_output(plan_, kApplicationFolder, kNodeApplication, plan::Output::Kind::data);
  }

  void add_image() {
    plan::ImageSettings& image = plan_.image;
    image.env["NODE_ENV"] = "production";
    // Node has its own roots and zones in it; that its text speaks of the system's is no evidence.
    image.certificates = "never";
    image.timezones.clear();
    image.workdir = in_image(surroundings_.app_in_context);
    NodeCommand start;
    if (shape() == Shape::standalone) {
      const NodeProduct& product = *project_.product;
      for (const auto& [name, value] : product.image_env) image.env[name] = value;
      start.argv =
          node_argv({product.beside.empty() ? joined(product.folder, product.start.front()) : product.start.front()});
      start.source = product.source;
    } else if (project_.start) {
      start = *project_.start;
      if (project_.product) image.env.insert(project_.product->image_env.begin(), project_.product->image_env.end());
    } else {
      return;
    }
    for (const auto& [name, value] : start.env) {
      image.env[name] = value;
      plan_.values[cat("env ", name)] = {value, start.source};
    }
    if (project_.product) plan_.values["framework"] = {project_.product->framework, project_.product->source};
    plan_.values["process web"] = {shell_line(start.argv), start.source};
    image.processes["web"] = std::move(start.argv);
    detection_.apps.push_back({"web", ".", true});
  }

  // For a Procfile: programs of packages, and the package manager's own words for scripts.
  void add_commands() {
    detection_.commands["node"] = node_argv({});
    for (const auto& [name, range] : project_.manifest.dependencies()) {
      const std::string program = last_part(name);
      detection_.commands[program] = node_argv({cat("node_modules/.bin/", program)});
    }
    for (const auto& [name, line] : project_.manifest.scripts()) {
      const std::string what = cat("the script ", backticked(name)), place = project_.manifest.place("scripts", name);
      try {
        const NodeCommand command = node_command(line, project_.manifest, what, place);
        if (!command.env.empty()) continue;
        for (const char* manager : {"npm", "yarn", "pnpm", "bun"}) {
          detection_.commands[cat(manager, " run ", name)] = command.argv;
          detection_.commands[cat(manager, " ", name)] = command.argv;
        }
      } catch (const Error&) {
        continue;  // it cannot be a process
      }
    }
  }

  const NodeProject& project_;
  const Surroundings& surroundings_;
  plan::Detection& detection_;
  plan::BuildPlan& plan_;
};

}  // namespace

void plan_node_project(const NodeProject& project, const Surroundings& surroundings, plan::Detection& detection) {
  Planner(project, surroundings, detection).run();
}

}  // namespace whittle::detectors
