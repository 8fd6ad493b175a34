// A site that is there already: pages, and nothing that makes them.
#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "detectors/detector.hpp"
#include "detectors/places.hpp"
#include "detectors/site_hints.hpp"
#include "detectors/static_site.hpp"

namespace whittle::detectors {

namespace {

// A file that says so, and a page that anything may have.
constexpr int kSaid = 45, kSeen = 15;

// Whoever has one of these makes pages, or answers with them; what lies there is a part of it.
constexpr std::array kMakers = std::to_array<std::string_view>(
    {"pyproject.toml", "requirements.txt", "setup.py",  "Pipfile",    "manage.py",     "pom.xml",
     "build.gradle",   "build.gradle.kts", "Gemfile",   "config.ru",  "composer.json", "index.php",
     "mix.exs",        "rebar.config",     "deno.json", "deno.jsonc", "Package.swift", "pubspec.yaml",
     "build.sbt",      "project.clj",      "deps.edn",  "stack.yaml", "shard.yml",     "cpanfile",
     "elm.json",       "gleam.toml",       "Trunk.toml"});

// Makers of sites, and the folder where each leaves its own.
struct Generator {
  std::string_view file, name, folder;
};
constexpr std::array kGenerators = std::to_array<Generator>({{"hugo.toml", "Hugo", "public"},
                                                             {"hugo.yaml", "Hugo", "public"},
                                                             {"hugo.json", "Hugo", "public"},
                                                             {"archetypes/default.md", "Hugo", "public"},
                                                             {"_config.yml", "Jekyll", "_site"},
                                                             {"_config.yaml", "Jekyll", "_site"},
                                                             {".eleventy.js", "Eleventy", "_site"},
                                                             {"eleventy.config.js", "Eleventy", "_site"},
                                                             {"mkdocs.yml", "MkDocs", "site"},
                                                             {"book.toml", "mdBook", "book"},
                                                             {"zola.toml", "Zola", "public"},
                                                             {"conf.py", "Sphinx", "_build/html"},
                                                             {"pelicanconf.py", "Pelican", "output"}});

// Where a site lies, in the order in which it is looked for; "." is the tree itself.
constexpr std::array<std::string_view, 11> kFolders = {"public", ".",    "dist",        "_site",  "build", "out",
                                                       "www",    "site", "public_html", "htdocs", "html"};

struct Site {
  std::string folder;
  plan::Evidence evidence;
  std::string source = {};  // of the folder, where the evidence is not it
  int score = kSeen;
  bool is_single_page = false;
  std::vector<std::string> warnings;
};

bool has_page(const plan::SourceTree& tree, std::string_view folder) {
  return tree.has(joined(folder, "index.html")) || tree.has(joined(folder, "index.htm"));
}

// A script that builds or starts: its pages are not there yet, or are made as they are asked for.
bool is_node_application(const plan::SourceTree& tree) {
  const std::optional<std::string> text = tree.read_if_exists("package.json");
  if (!text) return false;
  const Json json = Json::parse(*text, nullptr, false);
  if (!json.is_object() || !json.contains("scripts") || !json.at("scripts").is_object()) return false;
  const Json& scripts = json.at("scripts");
  return scripts.contains("build") || scripts.contains("start");
}

bool is_made_by_another(const plan::SourceTree& tree) {
  return is_node_application(tree) ||
         std::any_of(kMakers.begin(), kMakers.end(), [&](std::string_view file) { return tree.has(file); });
}

std::optional<Site> configured_site(const Surroundings& surroundings) {
  if (!surroundings.config.site_folder) return std::nullopt;
  const plan::Setting& setting = *surroundings.config.site_folder;
  const std::string folder = joined(".", setting.value);
  if (folder != "." && !surroundings.app.has_folder(folder)) return std::nullopt;
  return Site{.folder = folder, .evidence = {folder, 0, "configured folder"}, .source = setting.source, .score = kSaid};
}

// What a host is told about the site. Nothing when the folder is still to be made.
std::optional<Site> hinted_site(const plan::SourceTree& tree, const SiteHint& hint) {
  const bool says_so = hint.file == "Staticfile" || hint.file == "static.json";
  const std::string folder = hint.folder.empty() && says_so ? "." : hint.folder;
  if (folder.empty() || (!says_so && (hint.builds || !has_page(tree, folder)))) return std::nullopt;
  if (folder != "." && !tree.has_folder(folder)) {
    if (is_made_by_another(tree)) return std::nullopt;
    throw failure(hint.file, hint.line, cat("there is no folder ", backticked(folder)));
  }
  Site site{.folder = folder,
            .evidence = {hint.file, hint.line, cat("a site in ", folder == "." ? "this folder" : folder)},
            .score = says_so ? kSaid : kSeen};
  site.is_single_page = hint.is_single_page;
  if (!hint.warning.empty()) site.warnings.push_back(hint.warning);
  return site;
}

std::optional<Site> generated_site(const plan::SourceTree& tree) {
  for (const Generator& generator : kGenerators) {
    if (!tree.has(generator.file)) continue;
    const std::string folder(generator.folder);
    if (!has_page(tree, folder)) return Site{};
    return Site{.folder = folder,
                .evidence = {cat(folder, "/index.html"), 0, cat("a page that ", generator.name, " has made")}};
  }
  return std::nullopt;
}

std::optional<Site> seen_site(const plan::SourceTree& tree) {
  if (const std::optional<Site> site = generated_site(tree)) return site;
  for (const std::string_view folder : kFolders) {
    if (!has_page(tree, folder)) continue;
    const bool is_long = tree.has(joined(folder, "index.html"));
    return Site{.folder = std::string(folder),
                .evidence = {joined(folder, is_long ? "index.html" : "index.htm"), 0, "page"}};
  }
  return std::nullopt;
}

std::optional<Site> find_site(const Surroundings& surroundings) {
  const plan::SourceTree& tree = surroundings.app;
  if (std::optional<Site> site = configured_site(surroundings)) return site;
  const std::optional<SiteHint> hint = read_site_hint(tree);
  if (hint) {
    if (std::optional<Site> site = hinted_site(tree, *hint)) return site;
    if (hint->builds) return std::nullopt;
  }
  if (is_made_by_another(tree)) return std::nullopt;
  std::optional<Site> site = seen_site(tree);
  if (!site || site->folder.empty()) return std::nullopt;
  if (hint && hint->folder.empty()) site->is_single_page = hint->is_single_page;
  return site;
}

std::string place_of(const Site& site) {
  if (!site.source.empty()) return site.source;
  return site.evidence.line > 0 ? cat(site.evidence.file, ":", site.evidence.line) : site.evidence.file;
}

std::optional<plan::Detection> detect(const Surroundings& surroundings) {
  std::optional<Site> site = find_site(surroundings);
  if (!site) return std::nullopt;
  plan::Detection detection{.detector = "static", .language = "static", .score = site->score};
  detection.evidence.push_back(site->evidence);
  detection.apps.push_back({"web", site->folder, true});
  detection.warnings = std::move(site->warnings);
  if (!has_page(surroundings.app, site->folder)) {
    detection.warnings.push_back(
        cat("there is no index.html in ", backticked(site->folder), ": `/` is answered with 404"));
  }
  plan::BuildPlan& plan = detection.plan;
  plan.leaves_source_alone = true;
  plan.name = safe_name(surroundings.app.name());
  plan.values["name"] = {plan.name, "folder name"};
  plan.values["site"] = {site->folder, place_of(*site)};
  const bool looks_single = site->is_single_page || has_page_for_all(surroundings.app, site->folder);
  const bool is_single = wants_single_page(surroundings.config, looks_single);
  const std::optional<plan::Setting>& setting = surroundings.config.single_page;
  plan.values["single-page"] = {is_single ? "always" : "never", setting ? setting->source : "inferred"};
  serve_static_source(plan, surroundings, site->folder, is_single);
  return detection;
}

}  // namespace

extern const Detector kStatic;
const Detector kStatic = {"static", "static", "a site that is there already", "index.html, Staticfile, static.json",
                          kSaid,    detect};

}  // namespace whittle::detectors
