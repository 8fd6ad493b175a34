#include "detectors/node_packages.hpp"

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/text.hpp"
#include "detectors/node_downloads.hpp"
#include "detectors/node_locks.hpp"
#include "detectors/places.hpp"
#include "plan/versions.hpp"

namespace whittle::detectors {

namespace {

using Kind = NodePackageManager::Kind;
using Words = std::vector<std::string>;

struct LockName {
  std::string_view file;
  Kind kind;
};
// In the order in which they win when the manifest names no package manager.
constexpr std::array<LockName, 6> kLocks = {{{"pnpm-lock.yaml", Kind::pnpm},
                                             {"bun.lock", Kind::bun},
                                             {"bun.lockb", Kind::bun},
                                             {"yarn.lock", Kind::yarn},
                                             {"npm-shrinkwrap.json", Kind::npm},
                                             {"package-lock.json", Kind::npm}}};

// `pnpm@9.1.0+sha512.…`: https://nodejs.org/api/packages.html#packagemanager
struct Named {
  std::string name, version, hash, source;
};

Named named_manager(const NodeManifest& root) {
  const std::string text = root.text("packageManager");
  const std::size_t at = text.find('@'), plus = text.find('+');
  if (at == std::string::npos) return {};
  return {text.substr(0, at), text.substr(at + 1, plus == std::string::npos ? plus : plus - at - 1),
          plus == std::string::npos ? "" : text.substr(plus + 1), root.place("packageManager")};
}

Kind kind_of(const Named& named, const plan::SourceTree& tree, const std::string& place) {
  if (named.name == "npm") return Kind::npm;
  if (named.name == "pnpm") return Kind::pnpm;
  if (named.name == "bun") return Kind::bun;
  if (named.name == "yarn") {
    const bool is_classic = plan::satisfies(named.version, "<2") && !named.version.empty();
    return is_classic && !tree.has(".yarnrc.yml") ? Kind::yarn : Kind::berry;
  }
  throw failure(place.substr(0, place.rfind(':')),
                static_cast<int>(parse_number(last_part(place.substr(place.rfind(':') + 1))).value_or(0)),
                cat("the package manager ", backticked(named.name), " is not known"));
}

bool is_berry(const plan::SourceTree& tree) {
  if (tree.has(".yarnrc.yml")) return true;
  const std::optional<std::string> lock = tree.read_if_exists("yarn.lock");
  return lock && lock->find("\n__metadata:") != std::string::npos;
}

// `key: value` at the left margin of a YAML file.
std::string yaml_text(const std::string& text, std::string_view key) {
  for (const std::string& line : split_lines(text)) {
    if (!line.starts_with(cat(key, ":"))) continue;
    std::string value(trim(std::string_view(line).substr(key.size() + 1)));
    if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'')) value = value.substr(1, value.size() - 2);
    return value;
  }
  return {};
}

std::string choose_lock(const plan::SourceTree& tree, const Named& named, NodePackageManager& manager,
                        std::vector<std::string>& warnings) {
  Words there, fitting;
  for (const LockName& lock : kLocks) {
    if (!tree.has(lock.file)) continue;
    there.emplace_back(lock.file);
    const bool fits =
        named.name.empty() || lock.kind == manager.kind || (lock.kind == Kind::yarn && manager.kind == Kind::berry);
    if (fits) fitting.emplace_back(lock.file);
  }
  // Two of npm's are one: the published one wins.
  const std::string chosen = fitting.empty() ? "" : fitting.front();
  if (!chosen.empty() && named.name.empty()) {
    for (const LockName& lock : kLocks) {
      if (lock.file == chosen) manager.kind = lock.kind;
    }
  }
  if (chosen.empty() && !there.empty()) {
    throw failure(there.front(), 0,
                  cat(named.source, " names ", named.name, ", and this lock file is of another package manager"));
  }
  if (there.size() > 1) {
    Words others = there;
    std::erase(others, chosen);
    warnings.push_back(cat(join(there, ", "), ": ", chosen, " is used",
                           named.name.empty() ? "" : cat(" (", named.source, ")"), ", the others are ignored"));
  }
  return chosen;
}

// The major version of Node that will run it, as far as the project says; 0 otherwise.
std::uint64_t node_major(const plan::Tool& node) {
  const std::vector<std::uint64_t> pin = plan::numbers_of(node.pin);
  if (!pin.empty()) return pin.front();
  std::uint64_t newest = 0;
  for (const plan::Download& download : node.downloads) {
    if (!plan::satisfies(download.version, node.constraint)) continue;
    newest = std::max(newest, plan::numbers_of(download.version).front());
  }
  return newest;
}

std::string npm_constraint(const plan::Tool& node) {
  const std::uint64_t major = node_major(node);
  if (major > 0 && major < 18) return ">=7,<9";
  return major > 0 && major < 20 ? ">=7,<11" : ">=7";
}

std::string pnpm_constraint(const std::string& lock) {
  const std::vector<std::uint64_t> version = plan::numbers_of(yaml_text(lock, "lockfileVersion"));
  if (version.empty()) return ">=8";
  if (version.front() == 5) return version.size() > 1 && version[1] >= 4 ? ">=7,<8" : ">=5,<7";
  return version.front() == 6 ? ">=8,<9" : ">=9";
}

std::string berry_constraint(const std::string& lock) {
  for (const std::string& line : split_lines(lock)) {
    const std::string_view text = trim(line);
    if (!text.starts_with("version:") || !line.starts_with("  ")) continue;
    const std::uint64_t version = parse_number(trim(text.substr(8))).value_or(8);
    return version <= 4 ? ">=2,<3" : version <= 7 ? ">=3,<4" : ">=4";
  }
  return ">=4";
}

void settle_tool(NodePackageManager& manager, const Surroundings& surroundings, const plan::Tool& node,
                 const Named& named) {
  const plan::SourceTree& tree = surroundings.context;
  const std::string lock =
      manager.lock_file.empty() || manager.lock_file == "bun.lockb" ? "" : tree.read(manager.lock_file, 64 << 20);
  plan::Tool& tool = manager.tool;
  tool.source = manager.lock_file;
  switch (manager.kind) {
    case Kind::npm:
      tool.constraint = npm_constraint(node);
      tool.source = node.pin.empty() ? node.source : node.pin_source;
      break;
    case Kind::pnpm:
      tool.constraint = pnpm_constraint(lock);
      break;
    case Kind::yarn:
      tool.constraint = ">=1,<2";
      break;
    case Kind::berry: {
      const std::string path = yaml_text(tree.read_if_exists(".yarnrc.yml").value_or(""), "yarnPath");
      if (!path.empty() && tree.has(joined(".", path))) {
        manager.program = {"${tool:node}", cat("${work}/src/", joined(".", path))};
        return;
      }
      tool.constraint = berry_constraint(lock);
      break;
    }
    case Kind::bun:
      break;
  }
  tool.name = manager.name();
  if (!named.version.empty() && !plan::numbers_of(named.version).empty()) {
    tool.constraint.clear();
    tool.pin = named.version;
    tool.pin_source = named.source;
  }
  tool.downloads = package_manager_downloads(tool.name, tool.pin, named.hash);
  manager.program = {cat("${tool:", tool.name, "}")};
}

void settle_environment(NodePackageManager& manager) {
  switch (manager.kind) {
    case Kind::npm:
      manager.env = {{"npm_config_cache", "${cache:npm}"},
                     {"npm_config_audit", "false"},
                     {"npm_config_fund", "false"},
                     {"npm_config_update_notifier", "false"}};
      break;
    case Kind::pnpm:
      manager.env = {{"npm_config_store_dir", "${cache:pnpm}/store"},
                     {"npm_config_cache_dir", "${cache:pnpm}/cache"},
                     {"npm_config_state_dir", "${cache:pnpm}/state"},
                     {"npm_config_package_import_method", "copy"},
                     {"npm_config_manage_package_manager_versions", "false"},
                     {"npm_config_update_notifier", "false"},
                     {"npm_config_verify_deps_before_run", "false"},
                     {"npm_config_confirm_modules_purge", "false"},
                     {"COREPACK_ENABLE_STRICT", "0"}};
      break;
    case Kind::yarn:
      manager.env = {{"YARN_CACHE_FOLDER", "${cache:yarn}"}, {"YARN_DISABLE_SELF_UPDATE_CHECK", "1"}};
      break;
    case Kind::berry:
      manager.env = {{"YARN_GLOBAL_FOLDER", "${cache:yarn-berry}"},
                     {"YARN_ENABLE_GLOBAL_CACHE", "true"},
                     {"YARN_NODE_LINKER", "node-modules"},
                     {"YARN_NM_MODE", "classic"},
                     {"YARN_ENABLE_TELEMETRY", "false"},
                     {"YARN_ENABLE_PROGRESS_BARS", "false"},
                     {"YARN_ENABLE_HARDENED_MODE", "false"}};
      break;
    case Kind::bun:
      manager.env = {{"BUN_INSTALL_CACHE_DIR", "${cache:bun}"}, {"DO_NOT_TRACK", "1"}};
      break;
  }
}

Words with(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

}  // namespace

std::string NodePackageManager::name() const {
  switch (kind) {
    case Kind::npm:
      return "npm";
    case Kind::pnpm:
      return "pnpm";
    case Kind::bun:
      return "bun";
    case Kind::yarn:
    case Kind::berry:
      break;
  }
  return "yarn";
}

Words NodePackageManager::fetch(bool with_development) const {
  switch (kind) {
    case Kind::npm:
      return with(with(program, {lock_file.empty() ? "install" : "ci", "--ignore-scripts"}),
                  with_development ? Words{"--include=dev"} : Words{"--omit=dev"});
    case Kind::pnpm:
      return with(with(program, {"install", "--frozen-lockfile", "--ignore-scripts"}),
                  with_development ? Words{} : Words{"--prod"});
    case Kind::yarn:
      return with(program, {"install", "--frozen-lockfile", "--ignore-scripts", "--non-interactive",
                            cat("--production=", with_development ? "false" : "true")});
    case Kind::berry:
      return with(program, {"install", "--immutable"});
    case Kind::bun:
      return with(with(program, {"install", "--frozen-lockfile", "--ignore-scripts"}),
                  with_development ? Words{} : Words{"--production"});
  }
  return {};
}

std::map<std::string, std::string> NodePackageManager::fetch_env() const {
  std::map<std::string, std::string> out = env;
  if (kind == Kind::berry) out["YARN_ENABLE_SCRIPTS"] = "false";
  return out;
}

Words NodePackageManager::install(bool with_development) const {
  switch (kind) {
    case Kind::npm:
      return with(with(program, {lock_file.empty() ? "install" : "ci", "--offline"}),
                  with_development ? Words{"--include=dev"} : Words{"--omit=dev"});
    case Kind::pnpm:
      return with(with(program, {"install", "--frozen-lockfile", "--offline"}),
                  with_development ? Words{} : Words{"--prod"});
    case Kind::yarn:
      return with(program, {"install", "--frozen-lockfile", "--offline", "--force", "--non-interactive",
                            cat("--production=", with_development ? "false" : "true")});
    case Kind::berry:
      return with(program, {"install", "--immutable"});
    case Kind::bun:
      return with(with(program, {"install", "--frozen-lockfile"}), with_development ? Words{} : Words{"--production"});
  }
  return {};
}

std::map<std::string, std::string> NodePackageManager::install_env() const {
  std::map<std::string, std::string> out = env;
  if (kind == Kind::berry) out["YARN_ENABLE_NETWORK"] = "false";
  return out;
}

std::string NodePackageManager::installed_mark() const {
  if (may_have_install_scripts) return {};
  return kind == Kind::npm ? "node_modules/.package-lock.json" : "";
}

Words NodePackageManager::run(const std::string& script) const {
  return with(program, {"run", script});
}

NodePackageManager package_manager(const Surroundings& surroundings, const NodeManifest& root, const plan::Tool& node,
                                   plan::BuildPlan& plan, std::vector<std::string>& warnings) {
  const plan::SourceTree& tree = surroundings.context;
  const Named named = named_manager(root);
  NodePackageManager manager;
  if (!named.name.empty()) manager.kind = kind_of(named, tree, named.source);
  manager.lock_file = choose_lock(tree, named, manager, warnings);
  if (manager.kind == Kind::yarn && is_berry(tree)) manager.kind = Kind::berry;
  if (!manager.lock_file.empty()) {
    const LockFacts facts = check_lock(tree, manager.lock_file, root);
    manager.may_have_install_scripts = facts.may_have_install_scripts;
  }
  settle_tool(manager, surroundings, node, named);
  settle_environment(manager);
  const std::string shown = manager.kind == Kind::berry ? "yarn (berry)" : manager.name();
  const std::string from = from_application(surroundings, manager.lock_file);
  plan.values["package manager"] = {named.version.empty() ? shown : cat(shown, " ", named.version),
                                    !named.name.empty()         ? named.source
                                    : manager.lock_file.empty() ? "default"
                                                                : from};
  return manager;
}

Words manifest_globs() {
  return {"**/package.json",
          "package-lock.json",
          "npm-shrinkwrap.json",
          "yarn.lock",
          "pnpm-lock.yaml",
          "pnpm-workspace.yaml",
          "bun.lock",
          "bun.lockb",
          "bunfig.toml",
          "**/.npmrc",
          "**/.yarnrc",
          "**/.yarnrc.yml",
          ".pnpmfile.cjs",
          ".yarn/**",
          "**/patches/**",
          "**/prisma/schema.prisma"};
}

}  // namespace whittle::detectors
