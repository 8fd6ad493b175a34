#include "detectors/node_start.hpp"

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/text.hpp"
#include "detectors/places.hpp"
#include "detectors/procfile.hpp"

namespace whittle::detectors {

namespace {

using Words = std::vector<std::string>;

constexpr int kMostScripts = 10;

// Programs whose packages are called otherwise.
struct Program {
  std::string_view name, package;
};
constexpr std::array<Program, 22> kPrograms = {{{"nest", "@nestjs/cli"},
                                                {"remix-serve", "@remix-run/serve"},
                                                {"remix", "@remix-run/dev"},
                                                {"react-router-serve", "@react-router/serve"},
                                                {"react-router", "@react-router/dev"},
                                                {"ng", "@angular/cli"},
                                                {"vue-cli-service", "@vue/cli-service"},
                                                {"svelte-kit", "@sveltejs/kit"},
                                                {"tsc", "typescript"},
                                                {"medusa", "@medusajs/cli"},
                                                {"strapi", "@strapi/strapi"},
                                                {"directus", "directus"},
                                                {"probot", "probot"},
                                                {"pm2-runtime", "pm2"},
                                                {"functions-framework", "@google-cloud/functions-framework"},
                                                {"babel-node", "@babel/node"},
                                                {"eleventy", "@11ty/eleventy"},
                                                {"docusaurus", "@docusaurus/core"},
                                                {"redwood-server", "@redwoodjs/server"},
                                                {"keystone", "@keystone-6/core"},
                                                {"payload", "payload"},
                                                {"moleculer-runner", "moleculer"}}};

bool is_assignment(std::string_view word) {
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos || equals == 0) return false;
  return word.substr(0, equals).find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") ==
         std::string_view::npos;
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

class Resolver {
 public:
  Resolver(const NodeManifest& manifest, NodeCommand& command) : manifest_(manifest), command_(command) {}

  void resolve(const std::string& line, const std::string& what, const std::string& place) {
    if (++depth_ > kMostScripts) throw refused(place, cat(what, " starts itself"));
    Words words = words_of(line, what, place);
    command_.source = place;
    take_assignments(words);
    if (!words.empty() && is_one_of(words.front(), {"exec", "cross-env", "env", "dotenv"})) {
      words.erase(words.begin());
      take_assignments(words);
    }
    if (words.empty()) throw refused(place, cat(what, " starts nothing"));
    const std::string first = last_part(words.front());
    const Words rest(words.begin() + 1, words.end());
    if (is_one_of(first, {"node", "nodejs"})) return run_node(rest);
    if (is_one_of(first, {"npm", "yarn", "pnpm", "bun"})) return run_manager(first, rest, what, place);
    if (is_one_of(first, {"npx", "pnpx", "bunx"})) return run_program(without_options(rest), what, place);
    if (is_one_of(first, {"sh", "bash", "dash", "zsh"})) {
      throw refused(place, cat(what, " is `", printable(line), "`, and the image has no shell"));
    }
    if (words.front().find('/') != std::string::npos) {
      const bool is_of_package = words.front().find("node_modules/.bin/") != std::string::npos;
      if (!is_of_package) return run_node(words);
    }
    run_program(words, what, place);
  }

 private:
  // A detector fails with one line.
  static Words words_of(const std::string& line, const std::string& what, const std::string& place) {
    try {
      return command_words(line, what, "web", place);
    } catch (const Error& error) {
      const std::string how = error.details().empty() ? "" : cat(": ", error.details().front());
      throw refused(place,
                    cat(error.message(), how,
                        "; write what it starts in whittle.toml: `[process.web]`, `argv = [\"/bin/node\", \"FILE\"]`"));
    }
  }

  static Error refused(const std::string& place, std::string why) {
    Error error(Exit::detector_failed, "no start command was found");
    return error.at(place).cause(std::move(why));
  }

  void take_assignments(Words& words) {
    while (!words.empty() && is_assignment(words.front())) {
      const std::size_t equals = words.front().find('=');
      command_.env[words.front().substr(0, equals)] = words.front().substr(equals + 1);
      words.erase(words.begin());
    }
  }

  static Words without_options(Words words) {
    while (!words.empty() && words.front().starts_with('-')) words.erase(words.begin());
    return words;
  }

  void run_node(const Words& arguments) {
    command_.argv = node_argv(arguments);
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      if (!arguments[i].starts_with('-')) {
        command_.script = arguments[i];
        return;
      }
      if (is_one_of(arguments[i], {"-r", "--require", "--import", "--loader", "--experimental-loader", "--env-file"}))
        ++i;
    }
  }

  // `npm start`, `yarn serve`, `pnpm run serve -- --port 80`.
  void run_manager(const std::string& manager, Words words, const std::string& what, const std::string& place) {
    words = without_options(words);
    const std::string verb = words.empty() ? (manager == "yarn" ? "install" : "") : words.front();
    if (is_one_of(verb, {"exec", "dlx", "x"}))
      return run_program(without_options({words.begin() + 1, words.end()}), what, place);
    if (is_one_of(verb, {"run", "run-script"})) words = without_options({words.begin() + 1, words.end()});
    const std::string script = words.empty() ? "" : words.front();
    const std::map<std::string, std::string> scripts = manifest_.scripts();
    const auto found = scripts.find(script);
    if (found == scripts.end()) {
      if (manager == "yarn" && !package_of_program(manifest_, script).empty()) return run_program(words, what, place);
      throw refused(place, cat(what, " starts the script ", backticked(script), ", which is not there"));
    }
    resolve(found->second, cat("the script ", backticked(script)), manifest_.place("scripts", script));
    for (std::size_t i = 1; i < words.size(); ++i) {
      if (words[i] != "--") command_.argv.push_back(words[i]);
    }
  }

  void run_program(const Words& words, const std::string& what, const std::string& place) {
    if (words.empty()) throw refused(place, cat(what, " starts nothing"));
    const std::string name = last_part(words.front());
    const std::string package = package_of_program(manifest_, name);
    if (package.empty()) {
      throw refused(place,
                    cat(what, " starts ", backticked(name), ", which no package of this project is known to bring"));
    }
    command_.program = name;
    command_.argv = {std::string(kNode), "--require", std::string(kSignals), cat("node_modules/.bin/", name)};
    command_.argv.insert(command_.argv.end(), words.begin() + 1, words.end());
  }

  const NodeManifest& manifest_;
  NodeCommand& command_;
  int depth_ = 0;
};

}  // namespace

std::vector<std::string> node_argv(const std::vector<std::string>& arguments) {
  Words argv = {std::string(kNode), "--require", std::string(kSignals)};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return argv;
}

NodeCommand node_command(const std::string& line, const NodeManifest& manifest, const std::string& what,
                         const std::string& place) {
  NodeCommand command;
  Resolver(manifest, command).resolve(line, what, place);
  return command;
}

std::string package_of_program(const NodeManifest& manifest, const std::string& program) {
  const auto* const known =
      std::find_if(kPrograms.begin(), kPrograms.end(), [&](const Program& one) { return one.name == program; });
  if (known != kPrograms.end() && manifest.depends_on(known->package)) return std::string(known->package);
  for (const char* key : {"dependencies", "optionalDependencies", "devDependencies"}) {
    for (const auto& [name, range] : manifest.texts(key)) {
      if (name == program || name.ends_with(cat("/", program))) return name;
      if (name == cat(program, "-cli") || name.ends_with(cat("/", program, "-cli"))) return name;
    }
  }
  return {};
}

}  // namespace whittle::detectors
