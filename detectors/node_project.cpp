#include "detectors/node_project.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "detectors/node_version.hpp"
#include "detectors/places.hpp"
#include "detectors/target_platform.hpp"

namespace whittle::detectors {

namespace {

using Words = std::vector<std::string>;

constexpr std::array<std::string_view, 7> kStartFiles = {"index.js",  "server.js",    "app.js",       "main.js",
                                                         "index.mjs", "src/index.js", "src/server.js"};
constexpr std::array<std::string_view, 4> kBuildScripts = {"build", "heroku-postbuild", "gcp-build", "prestart"};

Error no_start(const NodeManifest& manifest, int line, std::string why) {
  return failure(manifest.shown(), line, std::move(why));
}

bool has_web_process(const Surroundings& surroundings) {
  if (!surroundings.config.processes.empty()) return true;
  for (const std::string& line : split_lines(surroundings.app.read_if_exists("Procfile").value_or(""))) {
    if (line.starts_with("web:")) return true;
  }
  return false;
}

NodeCommand command_of_file(const std::string& file, std::string source) {
  NodeCommand command;
  command.argv = node_argv({file});
  command.script = file;
  command.source = std::move(source);
  return command;
}

std::optional<NodeCommand> start_of_script(const NodeManifest& manifest) {
  const std::map<std::string, std::string> scripts = manifest.scripts();
  // Nest's own starter compiles before it starts, and is a tool of developers.
  const auto production = scripts.find("start:prod");
  const bool is_nest = manifest.depends_on("@nestjs/core") && production != scripts.end();
  const auto start = is_nest ? production : scripts.find("start");
  if (start == scripts.end()) return std::nullopt;
  const std::string what = cat("the script ", backticked(start->first));
  const std::string place = manifest.place("scripts", start->first);
  NodeCommand command = node_command(start->second, manifest, what, place);
  if (!command.program.empty() && is_development_server(command.program, command.argv)) return std::nullopt;
  return command;
}

std::optional<NodeCommand> start_of_file(const plan::SourceTree& tree, const NodeManifest& manifest, bool is_built) {
  std::string main = manifest.text("main");
  if (!main.empty()) {
    main = joined(".", main);
    const bool is_there = tree.has(main) || tree.has(cat(main, ".js")) || tree.has(cat(main, "/index.js"));
    if (is_there || is_built) return command_of_file(main, manifest.place("main"));
  }
  const std::map<std::string, std::string> programs = manifest.texts("bin");
  const std::string bin = programs.size() == 1 ? programs.begin()->second : manifest.text("bin");
  if (!bin.empty() && (is_built || tree.has(joined(".", bin)))) {
    return command_of_file(joined(".", bin), manifest.place("bin"));
  }
  for (const std::string_view file : kStartFiles) {
    if (tree.has(file)) return command_of_file(std::string(file), std::string(file));
  }
  return std::nullopt;
}

std::string build_script(const NodeManifest& manifest) {
  const std::map<std::string, std::string> scripts = manifest.scripts();
  for (const std::string_view name : kBuildScripts) {
    if (scripts.contains(std::string(name))) return std::string(name);
  }
  return {};
}

// Members first that others need, development included: a build may need what production does not.
class BuildOrder {
 public:
  explicit BuildOrder(const std::map<std::string, WorkspaceMember>& members) : members_(members) {}

  void visit(const NodeManifest& manifest, const std::string& folder) {
    if (!seen_.insert(folder).second) return;
    for (const char* key : {"dependencies", "devDependencies", "optionalDependencies", "peerDependencies"}) {
      for (const auto& [name, range] : manifest.texts(key)) {
        const auto member = members_.find(name);
        if (member != members_.end()) visit(member->second.manifest, member->second.folder);
      }
    }
    if (const std::string script = build_script(manifest); !script.empty()) builds.push_back({folder, script});
  }

  std::vector<NodeProject::Build> builds;

 private:
  const std::map<std::string, WorkspaceMember>& members_;
  std::set<std::string> seen_;
};

void check_start(const NodeProject& project, const plan::SourceTree& tree) {
  const NodeCommand& start = *project.start;
  const NodeManifest& manifest = project.manifest;
  if (!start.program.empty()) {
    const std::string package = package_of_program(manifest, start.program);
    if (manifest.texts("devDependencies").contains(package) && !manifest.dependencies().contains(package)) {
      throw no_start(manifest, manifest.line("devDependencies", package),
                     cat(start.source, " starts ", backticked(start.program),
                         ", which is a development dependency: the image has none of them"));
    }
    return;
  }
  if (project.needs_development() || start.script.empty()) return;
  const std::string file = joined(".", start.script);
  if (file.starts_with("..") || file.starts_with("node_modules/")) return;
  for (const char* ending : {"", ".js", ".cjs", ".mjs", ".json", "/index.js", "/package.json"}) {
    if (tree.has(cat(file, ending))) return;
  }
  const std::size_t colon = start.source.rfind(':');
  throw failure(
      start.source.substr(0, colon),
      static_cast<int>(parse_number(colon == std::string::npos ? "" : start.source.substr(colon + 1)).value_or(0)),
      cat("it starts ", backticked(start.script), ", which is not there, and there is no script `build`"));
}

Error nothing_to_start(const NodeProject& project, const std::map<std::string, WorkspaceMember>& members) {
  const NodeManifest& manifest = project.manifest;
  Words folders;
  for (const auto& [name, member] : members) {
    if (member.manifest.scripts().contains("start")) folders.push_back(member.folder);
  }
  std::sort(folders.begin(), folders.end());
  if (!folders.empty()) {
    return no_start(manifest, manifest.line("workspaces"),
                    cat("it is a workspace, whose applications are built by themselves: `whittle build ",
                        folders.front(), "`; there is ", join(folders, ", ")));
  }
  return no_start(manifest, 1,
                  "nothing to start was found: no script `start`, no `main`, no index.js or server.js; name it under "
                  "`[process.web]` in whittle.toml");
}

void find_start(NodeProject& project, const Surroundings& surroundings,
                const std::map<std::string, WorkspaceMember>& members) {
  const plan::SourceTree& tree = surroundings.app;
  const bool has_process = has_web_process(surroundings);
  try {
    project.start = start_of_script(project.manifest);
  } catch (const Error&) {
    if (!has_process) throw;
  }
  const std::string starts = !project.start ? "" : project.start->program.empty() ? "node" : project.start->program;
  project.product = node_product(tree, project.manifest, starts);
  const bool is_server = !project.product || project.product->shape == NodeProduct::Shape::server;
  if (project.product && !project.product->start.empty() && !project.start && is_server) {
    project.start = NodeCommand{.argv = node_argv(project.product->start),
                                .env = {},
                                .script = project.product->start.front(),
                                .program = {},
                                .source = project.product->source};
  }
  if (!is_server) return;
  if (!project.start) project.start = start_of_file(tree, project.manifest, project.needs_development());
  if (!project.start && !has_process) throw nothing_to_start(project, members);
  if (project.start && !has_process) check_start(project, tree);
}

}  // namespace

NodeProject read_node_project(const Surroundings& surroundings, Words& warnings) {
  std::optional<NodeManifest> manifest = NodeManifest::read(surroundings.app, "package.json", "package.json");
  std::optional<NodeManifest> root =
      NodeManifest::read(surroundings.context, "package.json", from_application(surroundings, "package.json"));
  if (is_foreign(surroundings)) {
    throw failure("package.json", 0,
                  cat("an image with Node for ", surroundings.platform, " is built on such a machine"));
  }
  NodeProject project{.name = last_part(manifest->text("name")),
                      .name_source = manifest->place("name"),
                      .manifest = *manifest,
                      .root = root ? *root : *manifest,
                      .node = {},
                      .packages = {},
                      .values = {},
                      .folders = {surroundings.app_in_context},
                      .members = {},
                      .product = {},
                      .start = {},
                      .builds = {}};
  const std::map<std::string, WorkspaceMember> members = workspace_members(surroundings.context);
  for (const auto& [name, member] : members) project.members.push_back(member.folder);
  project.has_packages = project.manifest.has_production_dependencies();
  for (std::string& folder : members_needed_by(project.manifest, members)) {
    if (folder != surroundings.app_in_context) project.folders.push_back(std::move(folder));
  }
  BuildOrder order(members);
  order.visit(project.manifest, surroundings.app_in_context);
  project.builds = std::move(order.builds);
  find_start(project, surroundings, members);

  plan::BuildPlan values;
  project.node = node_tool(surroundings, project.manifest, values, warnings);
  project.packages = package_manager(surroundings, project.root, project.node, values, warnings);
  project.values = std::move(values.values);
  if (project.packages.lock_file.empty() && project.has_packages) {
    warnings.push_back("there is no lock file: another build may have other versions of the packages");
  }
  return project;
}

}  // namespace whittle::detectors
