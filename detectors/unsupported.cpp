#include "detectors/unsupported.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace whittle::detectors {

namespace {

struct Row {
  std::string_view language;
  std::string_view markers;  // globs at the root, separated by blanks
  bool is_planned = false;   // a later version builds it
};

constexpr std::array<Row, 29> kRows = {{
    {"Deno", "deno.json deno.jsonc deno.lock"},
    {"Node", "package.json", true},
    {"Python", "pyproject.toml requirements.txt setup.py setup.cfg Pipfile uv.lock poetry.lock", true},
    {"Java", "pom.xml build.gradle build.gradle.kts settings.gradle settings.gradle.kts gradlew", true},
    {"Zig", "build.zig", true},
    {"Ruby", "Gemfile *.gemspec config.ru"},
    {"PHP", "composer.json index.php artisan"},
    {".NET", "*.sln *.slnx *.csproj *.fsproj *.vbproj global.json"},
    {"Elixir", "mix.exs"},
    {"Erlang", "rebar.config"},
    {"Gleam", "gleam.toml"},
    {"Swift", "Package.swift"},
    {"Haskell", "stack.yaml cabal.project *.cabal"},
    {"Scala", "build.sbt build.sc"},
    {"Clojure", "project.clj deps.edn"},
    {"Dart", "pubspec.yaml"},
    {"Kotlin", "*.kt"},
    {"OCaml", "dune-project *.opam"},
    {"Nim", "*.nimble"},
    {"Crystal", "shard.yml"},
    {"Perl", "cpanfile Makefile.PL dist.ini"},
    {"R", "DESCRIPTION renv.lock"},
    {"Julia", "Project.toml"},
    {"Lua", "*.rockspec"},
    {"D", "dub.json dub.sdl"},
    {"Fortran", "fpm.toml *.f90"},
    {"Ada", "alire.toml"},
    {"Bazel", "MODULE.bazel WORKSPACE WORKSPACE.bazel"},
    {"a static site", "index.html", true},
}};

}  // namespace

std::vector<std::string> unsupported_languages(const plan::SourceTree& tree) {
  std::vector<std::string> found;
  for (const Row& row : kRows) {
    const std::vector<std::string> markers = split(row.markers, ' ');
    const bool is_there = std::any_of(markers.begin(), markers.end(), [&](const std::string& marker) {
      return marker.find('*') == std::string::npos ? tree.has(marker) : !tree.glob(marker).empty();
    });
    if (is_there)
      found.push_back(row.is_planned ? cat(row.language, " (not built yet by this version)")
                                     : std::string(row.language));
  }
  return found;
}

}  // namespace whittle::detectors
