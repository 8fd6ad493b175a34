#include "detectors/c_project.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

std::vector<CProgram> wanted_of(const std::vector<CProgram>& known, const plan::ListSetting& targets) {
  std::vector<CProgram> wanted;
  for (const std::string& target : targets.values) {
    const auto found = std::find_if(known.begin(), known.end(), [&](const CProgram& program) {
      return program.target == target || program.file_name == target;
    });
    wanted.push_back(found != known.end() ? *found : CProgram{target, target, targets.source, "."});
  }
  return wanted;
}

std::vector<CProgram> product_of(const std::vector<CProgram>& known) {
  std::vector<CProgram> installed, others;
  for (const CProgram& program : known) {
    if (program.is_installed) {
      installed.push_back(program);
    } else if (!is_test_name(program.target)) {
      others.push_back(program);
    }
  }
  return installed.empty() ? others : installed;
}

// Shared libraries and relocatable objects are not linked like programs. What one of the machine's archives needs is in
// pkg-config's private libraries, if anywhere, and has to follow it. The project's own archive may have the name of
// one.
std::string wrapper(std::string_view compiler) {
  constexpr std::string_view kScript = R"sh(#!/bin/sh
case " $* " in
  *' -shared '*|*' -r '*) exec COMPILER "$@" ;;
  *' -c '*|*' -S '*|*' -E '*) exec COMPILER -O2 ${compile_flags} "$@" ;;
esac
more=
for word; do
  case $word in
    -l*) name=${word#-l} ;;
    /usr/*/lib*.a|/lib/*/lib*.a) name=${word##*/lib} name=${name%.a} ;;
    *) continue ;;
  esac
  for module in "$name" "lib$name"; do
    more="$more $(pkg-config --static --libs "$module" 2>/dev/null)" && break
  done
done
exec COMPILER -O2 ${compile_flags} "$@" $more ${link_flags}
)sh";
  std::string script(kScript);
  constexpr std::string_view kCompiler = "COMPILER";
  for (std::size_t at = script.find(kCompiler); at != std::string::npos; at = script.find(kCompiler)) {
    script.replace(at, kCompiler.size(), compiler);
  }
  return script;
}

}  // namespace

ProgramChoice choose_programs(const std::vector<CProgram>& known, const plan::Config& config, std::string_view tool,
                              std::string_view file, const std::string& unread) {
  if (config.targets) return {.programs = wanted_of(known, *config.targets), .why = {}};
  std::vector<CProgram> product = product_of(known);
  if (product.empty()) {
    return {.programs = {},
            .why = unread.empty() ? cat("no program could be read from ", file)
                                  : cat("the programs of ", unread, " cannot be read")};
  }
  const auto uncertain =
      std::find_if(product.begin(), product.end(), [](const CProgram& program) { return !program.is_certain; });
  if (uncertain == product.end()) return {.programs = std::move(product), .why = {}};
  return {.programs = {},
          .why = cat("whether ", backticked(uncertain->target), " is built depends on a condition that only ", tool,
                     " can decide")};
}

void add_apps(plan::Detection& detection, const std::vector<CProgram>& known, const ProgramChoice& choice) {
  for (const CProgram& program : known) {
    const bool is_chosen = std::any_of(choice.programs.begin(), choice.programs.end(),
                                       [&](const CProgram& one) { return one.target == program.target; });
    const bool is_default = is_chosen && (choice.programs.size() == 1 || program.file_name == detection.plan.name);
    detection.apps.push_back({program.file_name, program.folder, is_default});
  }
}

void name_application(plan::BuildPlan& plan, const std::string& name, const std::string& place,
                      const Surroundings& surroundings) {
  plan.name = safe_name(name.empty() ? surroundings.app.name() : name);
  plan.values["name"] = {plan.name, name.empty() ? "inferred from the folder" : place};
}

void add_output(plan::BuildPlan& plan, const std::string& built, const CProgram& program) {
  const std::string name = safe_name(program.file_name);
  plan::Output output;
  output.built = built;
  output.installed = cat("/bin/", name);
  output.process = name;
  output.target = program.target;
  plan.outputs.push_back(std::move(output));
  plan.values[cat("program ", name)] = {program.target, program.source};
}

void add_unread_outputs(plan::Detection& detection, const std::string& built, std::string_view why,
                        std::string_view which) {
  plan::Output output;
  output.built = built;
  output.installed = "/bin/";
  output.target = "*";
  detection.plan.outputs.push_back(std::move(output));
  detection.warnings.push_back(cat(why, ": the programs will be those ", which));
}

bool has_cpp_source(const std::vector<std::string>& sources) {
  return std::any_of(sources.begin(), sources.end(), is_cpp);
}

namespace {

// The same compiler without the wish for a static program; it stays position independent.
std::vector<plan::Toolchain> dynamic(std::vector<plan::Toolchain> toolchains) {
  std::erase_if(toolchains, [](const plan::Toolchain& toolchain) { return toolchain.name == "host-fixed"; });
  for (plan::Toolchain& toolchain : toolchains) {
    if (toolchain.name != "host") continue;
    for (std::string& flag : toolchain.link_flags) {
      if (flag == "-static-pie" || flag == "-static") flag = "-pie";
    }
  }
  return toolchains;
}

}  // namespace

void add_toolchains(plan::BuildPlan& plan, bool is_cpp, const Surroundings& surroundings) {
  const std::string choice = surroundings.config.toolchain ? surroundings.config.toolchain->value : "auto";
  const CLanguage language = is_cpp ? CLanguage::cpp : CLanguage::c;
  if (accepts_libraries(surroundings.config)) {
    // Only the machine's own compiler links with the machine's libraries.
    plan.toolchains = dynamic(toolchains_for(language, choice == "auto" ? "host" : choice, surroundings));
  } else {
    plan.toolchains = toolchains_for(language, choice, surroundings);
  }
}

plan::Fallback compiler_wrapper(bool is_cpp, std::vector<std::string> signs) {
  plan::Fallback fallback;
  fallback.name = "compiler wrapper";
  fallback.signs = std::move(signs);
  fallback.env = {{"PATH", "${work}/wrappers:${path}"}};
  for (const char* name : {"cc", "gcc", "clang", "c99"}) fallback.files[cat("wrappers/", name)] = wrapper("${cc}");
  for (const char* name : {"c++", "g++", "clang++"}) {
    if (is_cpp) fallback.files[cat("wrappers/", name)] = wrapper("${cxx}");
  }
  return fallback;
}

// C that was written before GCC 10 may define a variable in each file that includes a header.
constexpr const char* kCommon = "-fcommon";

plan::Fallback common_symbols() {
  plan::Fallback fallback;
  fallback.name = kCommon;
  fallback.signs = {"multiple definition of"};
  return fallback;
}

plan::Fallback configured_wrapper(bool is_cpp) {
  plan::Fallback fallback =
      compiler_wrapper(is_cpp, {"undefined reference", "DSO missing from command line", "onfigure: error:"});
  fallback.env = {{"CC", "${work}/wrappers/gcc"}};
  if (is_cpp) fallback.env["CXX"] = "${work}/wrappers/g++";
  return fallback;
}

std::vector<plan::Fallback> make_fallbacks() {
  plan::Fallback serial, rest;
  serial.name = "one job";
  serial.arguments = {"-j1"};
  serial.goes_on = true;
  rest.name = "whatever can be made";
  rest.arguments = {"-k"};
  rest.goes_on = true;
  rest.signs = {"doc/",    "man/",     ".texi",    ".info",  ".1'",   ".8'",       "makeinfo", "help2man",
                "pod2man", "asciidoc", "xsltproc", "gtkdoc", ".html", "examples/", "tests/",   "po/"};
  return {serial, rest};
}

std::string compiler_words(std::string_view compiler) {
  return cat(compiler, " -O2 ${compile_flags} ${link_flags}");
}

}  // namespace whittle::detectors
