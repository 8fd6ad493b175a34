#include "detectors/node_frameworks.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/text.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

using Shape = NodeProduct::Shape;

struct Configuration {
  std::string file, text;
};

// `next.config.js`, `.mjs`, `.ts`, …
Configuration configuration(const plan::SourceTree& tree, std::string_view stem) {
  for (const char* extension : {"js", "mjs", "cjs", "ts", "mts", "cts"}) {
    const std::string file = cat(stem, ".", extension);
    if (std::optional<std::string> text = tree.read_if_exists(file)) return {file, std::move(*text)};
  }
  return {};
}

bool is_part_of_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$';
}

// The value of `key: 'value'`, with its line.
std::string option(const Configuration& configuration, std::string_view key, int* line = nullptr) {
  constexpr std::string_view kBlank = " \t\r\n", kQuotes = "'\"`";
  const std::string& text = configuration.text;
  for (std::size_t at = text.find(key); at != std::string::npos; at = text.find(key, at + 1)) {
    std::size_t next = at + key.size();
    if ((at > 0 && is_part_of_name(text[at - 1])) || next >= text.size()) continue;
    if (kQuotes.find(text[next]) != std::string_view::npos) ++next;
    next = text.find_first_not_of(kBlank, next);
    if (next == std::string::npos || text[next] != ':') continue;
    next = text.find_first_not_of(kBlank, next + 1);
    if (next == std::string::npos || kQuotes.find(text[next]) == std::string_view::npos) continue;
    const std::size_t end = text.find(text[next], next + 1);
    if (end == std::string::npos) return {};
    if (line != nullptr) *line = line_at(text, at);
    return text.substr(next + 1, end - next - 1);
  }
  return {};
}

std::string place_of_dependency(const NodeManifest& manifest, const std::string& name) {
  for (const char* key : {"dependencies", "devDependencies"}) {
    if (manifest.texts(key).contains(name)) return manifest.place(key, name);
  }
  return manifest.shown();
}

NodeProduct site(std::string framework, std::string folder, bool single_page, std::string source) {
  NodeProduct product;
  product.shape = Shape::site;
  product.framework = std::move(framework);
  product.folder = std::move(folder);
  product.single_page = single_page;
  product.source = std::move(source);
  return product;
}

NodeProduct server(std::string framework, std::vector<std::string> start, std::string source) {
  NodeProduct product;
  product.framework = std::move(framework);
  product.start = std::move(start);
  product.source = std::move(source);
  return product;
}

// https://nextjs.org/docs/app/api-reference/config/next-config-js/output
NodeProduct next(const plan::SourceTree& tree, const NodeManifest& manifest, const std::string& starts) {
  const Configuration settings = configuration(tree, "next.config");
  int line = 1;
  const std::string output = option(settings, "output", &line);
  std::string folder = option(settings, "distDir");
  if (folder.empty()) folder = ".next";
  const std::string source = output.empty() ? place_of_dependency(manifest, "next") : cat(settings.file, ":", line);
  if (output == "export") return site("Next.js", folder == ".next" ? "out" : folder, false, source);
  if (starts == "node") return server("Next.js", {}, source);
  NodeProduct product;
  product.shape = Shape::standalone;
  product.framework = "Next.js";
  product.folder = cat(folder, "/standalone");
  product.packages = "node_modules";
  product.beside = {cat(folder, "/static"), "public"};
  product.start = {"server.js"};
  if (output.empty()) product.build_env = {{"NEXT_PRIVATE_STANDALONE", "true"}};
  // It would listen on the address of the container's name alone.
  product.image_env = {{"HOSTNAME", "0.0.0.0"}};
  product.source = source;
  return product;
}

// What Nitro makes, whatever is built with it: https://nitro.build/deploy/runtimes/node
NodeProduct nitro(const std::string& framework, const NodeManifest& manifest, const std::string& package) {
  NodeProduct product;
  product.shape = Shape::standalone;
  product.framework = framework;
  product.folder = ".output";
  product.packages = "server/node_modules";
  product.start = {"server/index.mjs"};
  product.build_env = {{"NITRO_PRESET", "node-server"}};
  product.source = place_of_dependency(manifest, package);
  return product;
}

bool generates(const NodeManifest& manifest, std::string_view command) {
  const std::map<std::string, std::string> scripts = manifest.scripts();
  const auto build = scripts.find("build");
  return build != scripts.end() && build->second.find(command) != std::string::npos;
}

NodeProduct svelte_kit(const NodeManifest& manifest) {
  const std::string source = place_of_dependency(manifest, "@sveltejs/kit");
  if (manifest.depends_on("@sveltejs/adapter-static")) return site("SvelteKit", "build", true, source);
  if (manifest.depends_on("@sveltejs/adapter-node")) return server("SvelteKit", {"build/index.js"}, source);
  throw failure(manifest.shown(), manifest.line("devDependencies", "@sveltejs/kit"),
                "SvelteKit needs an adapter to run by itself: `@sveltejs/adapter-node` for a server, "
                "`@sveltejs/adapter-static` for files");
}

NodeProduct astro(const plan::SourceTree& tree, const NodeManifest& manifest) {
  const Configuration settings = configuration(tree, "astro.config");
  std::string folder = option(settings, "outDir");
  folder = folder.empty() ? "dist" : joined(".", folder);
  const std::string source = place_of_dependency(manifest, "astro");
  if (!manifest.depends_on("@astrojs/node")) return site("Astro", folder, false, source);
  NodeProduct product = server("Astro", {cat(folder, "/server/entry.mjs")}, source);
  product.image_env = {{"HOST", "0.0.0.0"}};
  return product;
}

// The folder of `angular.json`: https://angular.dev/tools/cli/build
NodeProduct angular(const plan::SourceTree& tree, const NodeManifest& manifest) {
  const std::string source = place_of_dependency(manifest, "@angular/core");
  const Json settings = parse_json(tree.read_if_exists("angular.json").value_or("{}"), "angular.json", 22);
  const Json projects = settings.value("projects", Json::object());
  for (const auto& [name, project] : projects.items()) {
    const Json::json_pointer build("/architect/build");
    if (!project.is_object() || !project.contains(build)) continue;
    const Json& target = project[build];
    const Json options = target.is_object() ? target.value("options", Json::object()) : Json::object();
    const std::string builder = target.value("builder", std::string());
    const bool is_application = builder.ends_with(":application");
    std::string folder = cat("dist/", name);
    if (options.contains("outputPath") && options["outputPath"].is_string()) folder = options["outputPath"];
    if (options.contains("ssr") && options["ssr"] != false) {
      return server("Angular", {cat(folder, "/server/server.mjs")}, source);
    }
    return site("Angular", is_application ? cat(folder, "/browser") : folder, true, source);
  }
  return site("Angular", "dist", true, source);
}

NodeProduct vite(const plan::SourceTree& tree, const NodeManifest& manifest) {
  std::string folder = option(configuration(tree, "vite.config"), "outDir");
  folder = folder.empty() ? "dist" : joined(".", folder);
  return site("Vite", folder, true, place_of_dependency(manifest, "vite"));
}

struct SiteMaker {
  std::string_view package, framework, folder;
  bool single_page;
};
// Whose output is files alone, in the order in which they are looked for.
constexpr std::array<SiteMaker, 12> kSiteMakers = {{{"gatsby", "Gatsby", "public", false},
                                                    {"@11ty/eleventy", "Eleventy", "_site", false},
                                                    {"@docusaurus/core", "Docusaurus", "build", false},
                                                    {"vitepress", "VitePress", "docs/.vitepress/dist", false},
                                                    {"vuepress", "VuePress", "docs/.vuepress/dist", false},
                                                    {"hexo", "Hexo", "public", false},
                                                    {"react-scripts", "Create React App", "build", true},
                                                    {"@vue/cli-service", "Vue CLI", "dist", true},
                                                    {"preact-cli", "Preact CLI", "build", true},
                                                    {"parcel", "Parcel", "dist", true},
                                                    {"expo", "Expo", "dist", true},
                                                    {"@rsbuild/core", "Rsbuild", "dist", true}}};

std::optional<NodeProduct> framework_with_a_server(const plan::SourceTree& tree, const NodeManifest& manifest,
                                                   const std::string& starts) {
  if (manifest.depends_on("next")) return next(tree, manifest, starts);
  if (starts == "node") return std::nullopt;
  if (manifest.depends_on("nuxt") || manifest.depends_on("nuxt3")) {
    const std::string package = manifest.depends_on("nuxt") ? "nuxt" : "nuxt3";
    if (generates(manifest, "nuxt generate") || generates(manifest, "nuxi generate")) {
      return site("Nuxt", ".output/public", false, place_of_dependency(manifest, package));
    }
    return nitro("Nuxt", manifest, package);
  }
  if (manifest.depends_on("@solidjs/start")) return nitro("SolidStart", manifest, "@solidjs/start");
  if (manifest.depends_on("@analogjs/platform")) return std::nullopt;
  if (manifest.depends_on("nitropack")) return nitro("Nitro", manifest, "nitropack");
  if (manifest.depends_on("@sveltejs/kit")) return svelte_kit(manifest);
  if (manifest.depends_on("@nestjs/core")) {
    if (starts.empty() || starts == "nest")
      return server("NestJS", {"dist/main"}, place_of_dependency(manifest, "@nestjs/core"));
    return std::nullopt;
  }
  if (!starts.empty()) return std::nullopt;
  if (manifest.depends_on("astro")) return astro(tree, manifest);
  if (manifest.depends_on("@angular/core")) return angular(tree, manifest);
  return std::nullopt;
}

}  // namespace

std::optional<NodeProduct> node_product(const plan::SourceTree& tree, const NodeManifest& manifest,
                                        const std::string& starts) {
  if (std::optional<NodeProduct> product = framework_with_a_server(tree, manifest, starts)) return product;
  if (!starts.empty()) return std::nullopt;
  for (const SiteMaker& maker : kSiteMakers) {
    if (!manifest.depends_on(maker.package)) continue;
    return site(std::string(maker.framework), std::string(maker.folder), maker.single_page,
                place_of_dependency(manifest, std::string(maker.package)));
  }
  if (manifest.depends_on("vite") && tree.has("index.html")) return vite(tree, manifest);
  return std::nullopt;
}

bool is_development_server(const std::string& program, const std::vector<std::string>& argv) {
  constexpr std::array<std::string_view, 18> kAlways = {
      "vite",        "react-scripts", "ng",        "webpack-dev-server", "webpack", "vue-cli-service",
      "parcel",      "eleventy",      "gatsby",    "docusaurus",         "hexo",    "serve",
      "http-server", "live-server",   "vitepress", "vuepress",           "expo",    "rsbuild"};
  if (std::find(kAlways.begin(), kAlways.end(), program) != kAlways.end()) return true;
  const bool develops = std::find(argv.begin(), argv.end(), "dev") != argv.end() ||
                        std::find(argv.begin(), argv.end(), "preview") != argv.end();
  return (program == "next" || program == "nuxt" || program == "nuxi" || program == "astro" || program == "remix" ||
          program == "react-router") &&
         develops;
}

}  // namespace whittle::detectors
