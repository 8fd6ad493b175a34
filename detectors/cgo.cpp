#include "detectors/cgo.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "detectors/compilers.hpp"

namespace whittle::detectors {

namespace {

// Each has a file for builds without cgo that compiles and then fails, or leaves out what the module is for.
constexpr std::array<std::string_view, 4> kStubs = {"github.com/mattn/go-sqlite3", "github.com/mutecomm/go-sqlcipher",
                                                    "github.com/marcboeker/go-duckdb",
                                                    "github.com/tursodatabase/go-libsql"};

// Names and users are looked up in Go; a static program cannot load extensions.
constexpr std::string_view kTags = "osusergo,netgo,sqlite_omit_load_extension";

bool is_stub(std::string_view module) {
  return std::any_of(kStubs.begin(), kStubs.end(), [&](std::string_view stub) {
    return module == stub || (module.starts_with(stub) && module.substr(stub.size()).starts_with("/v"));
  });
}

std::string_view tags_in(std::string_view argument) {
  for (const std::string_view option : {"-tags=", "--tags="}) {
    if (argument.starts_with(option)) return argument.substr(option.size());
  }
  return {};
}

std::vector<std::string> with_c(std::vector<std::string> argv) {
  std::string tags(kTags);
  for (std::string& word : argv) {
    if (word.starts_with("-ldflags=")) word += " -linkmode external -extldflags '${link_flags}'";
    if (const std::string_view more = tags_in(word); !more.empty()) tags += cat(",", more);
  }
  std::erase_if(argv, [](const std::string& word) { return !tags_in(word).empty(); });
  argv.insert(argv.begin() + 2, cat("-tags=", tags));
  return argv;
}

std::map<std::string, std::string> environment(const Cgo& cgo) {
  std::map<std::string, std::string> env = {
      {"CGO_ENABLED", "1"}, {"CC", "${cc}"}, {"CGO_CFLAGS", "-O2 ${compile_flags}"}};
  if (cgo.has_cpp) env.insert({{"CXX", "${cxx}"}, {"CGO_CXXFLAGS", "-O2 ${compile_flags}"}});
  return env;
}

}  // namespace

const GoLine* module_that_needs_c(std::span<const GoLine> modules) {
  const auto found =
      std::find_if(modules.begin(), modules.end(), [](const GoLine& module) { return is_stub(module.value); });
  return found == modules.end() ? nullptr : &*found;
}

void use_cgo(plan::Step& compile, const Cgo& cgo) {
  if (cgo.use == Cgo::Use::never) return;
  if (cgo.use == Cgo::Use::always) {
    compile.argv = with_c(std::move(compile.argv));
    for (const auto& [name, value] : environment(cgo)) compile.env[name] = value;
    return;
  }
  plan::Fallback fallback;
  fallback.name = "with cgo";
  fallback.signs = {"undefined: ", "build constraints exclude all Go files", "C source files not allowed", "cgo"};
  fallback.argv = with_c(compile.argv);
  fallback.env = environment(cgo);
  compile.fallbacks.push_back(std::move(fallback));
}

void list_with_cgo(plan::Step& list) {
  list.env["CGO_ENABLED"] = "1";
}

void add_cgo_toolchains(plan::BuildPlan& plan, const Cgo& cgo, const Surroundings& surroundings) {
  if (cgo.use == Cgo::Use::never) return;
  const std::string choice = surroundings.config.toolchain ? surroundings.config.toolchain->value : "auto";
  plan.toolchains = for_cgo(toolchains_for(cgo.has_cpp ? CLanguage::cpp : CLanguage::c, choice, surroundings));
  plan.values["cgo"] = {cgo.use == Cgo::Use::always ? "always" : "when needed", cgo.source};
}

}  // namespace whittle::detectors
