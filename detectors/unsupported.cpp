#include "detectors/unsupported.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "base/text.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

struct Row {
  std::string_view language;
  std::string_view manifests;   // globs at the root, separated by blanks
  std::string_view extensions;  // of sources, separated by blanks
  bool is_planned = false;      // a later version builds it
};

constexpr std::array kRows = {
    Row{"Deno", "deno.json deno.jsonc deno.lock", ""},
    Row{"JavaScript without a package.json", "", "js mjs cjs ts jsx tsx"},
    Row{"Conda", "environment.yml environment.yaml", "ipynb"},
    Row{"Java by Ant", "build.xml", ""},
    Row{"Ruby", "Gemfile *.gemspec config.ru Rakefile", "rb"},
    Row{"PHP", "composer.json index.php artisan", "php"},
    Row{".NET", "*.sln *.slnx *.csproj *.fsproj *.vbproj global.json", "cs fs vb"},
    Row{"Elixir", "mix.exs", "ex exs"},
    Row{"Erlang", "rebar.config erlang.mk", "erl"},
    Row{"Gleam", "gleam.toml", "gleam"},
    Row{"Swift", "Package.swift", "swift"},
    Row{"Haskell", "stack.yaml cabal.project *.cabal", "hs"},
    Row{"Scala", "build.sbt build.sc build.mill project.scala", "scala"},
    Row{"Clojure", "project.clj deps.edn shadow-cljs.edn", "clj cljs"},
    Row{"Dart", "pubspec.yaml", "dart"},
    Row{"Kotlin", "", "kt kts"},
    Row{"Groovy", "", "groovy"},
    Row{"OCaml", "dune-project *.opam dune-workspace", "ml"},
    Row{"Nim", "*.nimble", "nim"},
    Row{"Crystal", "shard.yml", "cr"},
    Row{"Perl", "cpanfile Makefile.PL Build.PL dist.ini", "pl pm"},
    Row{"Raku", "META6.json", "raku rakumod"},
    Row{"R", "DESCRIPTION renv.lock *.Rproj", "R r Rmd"},
    Row{"Julia", "Project.toml Manifest.toml", "jl"},
    Row{"Lua", "*.rockspec", "lua"},
    Row{"D", "dub.json dub.sdl", "d"},
    Row{"Fortran", "fpm.toml", "f90 f95 f03 f08 f for"},
    Row{"Ada", "alire.toml *.gpr", "adb ads"},
    Row{"Pascal", "*.lpi *.lpr *.dpr *.dproj", "pas pp"},
    Row{"COBOL", "", "cob cbl cobol cpy"},
    Row{"V", "v.mod", ""},
    Row{"Odin", "ols.json", "odin"},
    Row{"Hare", "", "ha"},
    Row{"Haxe", "haxelib.json *.hxml", "hx"},
    Row{"Elm", "elm.json", "elm"},
    Row{"PureScript", "spago.dhall spago.yaml", "purs"},
    Row{"ReScript", "rescript.json bsconfig.json", "res"},
    Row{"Racket", "", "rkt"},
    Row{"Scheme", "", "scm ss"},
    Row{"Common Lisp", "*.asd", "lisp cl"},
    Row{"Prolog", "", "prolog"},
    Row{"Tcl", "", "tcl"},
    Row{"Lean", "lakefile.lean lakefile.toml", "lean"},
    Row{"Idris", "*.ipkg", "idr"},
    Row{"Vala", "", "vala"},
    Row{"CUDA", "", "cu"},
    Row{"Objective-C", "*.xcodeproj Podfile", "mm"},
    Row{"Solidity", "foundry.toml hardhat.config.js hardhat.config.ts", "sol"},
    Row{"Mojo", "mojoproject.toml", "mojo"},
    Row{"assembly", "", "asm s S"},
    Row{"PowerShell", "", "ps1 psm1"},
    Row{"shell", "", "sh bash zsh"},
    Row{"Bazel", "MODULE.bazel WORKSPACE WORKSPACE.bazel", ""},
    Row{"Buck", ".buckconfig", ""},
    Row{"Nix", "flake.nix", "nix"},
    Row{"Terraform", "*.tf terragrunt.hcl", "tf"},
    Row{"Helm", "Chart.yaml", ""},
    Row{"Hugo", "hugo.toml hugo.yaml hugo.json", ""},
    Row{"Jekyll", "_config.yml _config.yaml", ""},
    Row{"MkDocs", "mkdocs.yml", ""},
    Row{"mdBook", "book.toml", ""},
    Row{"HTML", "", "html htm"},
    Row{"Dockerfile", "", ""},  // the last: known by its name
};

std::string shown(const Row& row) {
  return row.is_planned ? cat(row.language, " (not built yet by this version)") : std::string(row.language);
}

bool is_at_root(const plan::SourceTree& tree, const std::string& marker) {
  return marker.find('*') == std::string::npos ? tree.has(marker) : !tree.glob(marker).empty();
}

bool is_container_recipe(std::string_view name) {
  return name == "Dockerfile" || name == "Containerfile" || name.starts_with("Dockerfile.");
}

}  // namespace

std::vector<std::string> languages_by_manifest(const plan::SourceTree& tree) {
  std::vector<std::string> found;
  for (const Row& row : kRows) {
    const std::vector<std::string> markers =
        row.manifests.empty() ? std::vector<std::string>{} : split(row.manifests, ' ');
    if (std::any_of(markers.begin(), markers.end(), [&](const std::string& one) { return is_at_root(tree, one); })) {
      found.push_back(shown(row));
    }
  }
  return found;
}

std::vector<std::string> languages_by_source(const plan::SourceTree& tree) {
  std::map<std::string, std::size_t> rows;  // extension → row
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    for (const std::string& extension : split(kRows[i].extensions, ' ')) {
      if (!extension.empty()) rows.emplace(extension, i);
    }
  }
  std::array<std::size_t, kRows.size()> files{};
  for (const plan::Node& node : tree.nodes()) {
    if (node.kind != plan::NodeKind::file || is_aside(node.path)) continue;
    if (is_container_recipe(last_part(node.path))) ++files.back();
    if (const auto row = rows.find(extension_of(node.path)); row != rows.end()) ++files[row->second];
  }
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (files[i] > 0) found.push_back(i);
  }
  std::stable_sort(found.begin(), found.end(), [&](std::size_t a, std::size_t b) { return files[a] > files[b]; });
  std::vector<std::string> names;
  for (const std::size_t row : found) names.push_back(shown(kRows[row]));
  return names;
}

}  // namespace whittle::detectors
