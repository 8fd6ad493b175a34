// C and C++ without a build system: the sources in one folder, one program for every file with a main.
#include <algorithm>
#include <map>
#include <set>

#include "base/text.hpp"
#include "detectors/c_project.hpp"
#include "detectors/detector.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

constexpr int kScore = 20;
constexpr std::size_t kMostPrograms = 20;

// The line of a `main(` or `_start(` outside of every block, comment and text; 0 without one.
int line_of_entry(std::string_view text) {
  int line = 1, depth = 0;
  std::string word;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') ++line;
    if (text.substr(i, 2) == "//") {
      i = std::min(text.find('\n', i), text.size()) - 1;
    } else if (text.substr(i, 2) == "/*") {
      const std::size_t end = std::min(text.find("*/", i + 2), text.size());
      line += static_cast<int>(std::count(text.begin() + static_cast<std::ptrdiff_t>(i),
                                          text.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
      i = end + 1;
    } else if (c == '"' || c == '\'') {
      for (++i; i < text.size() && text[i] != c && text[i] != '\n'; ++i) {
        if (text[i] == '\\') ++i;
      }
      if (i < text.size() && text[i] == '\n') --i;
    } else if (c == '{' || c == '}') {
      depth += c == '{' ? 1 : -1;
      // `extern "C" {` opens no block that a function could be hidden in.
      if (c == '{' && word == "extern") --depth;
    } else if (c == '(' && depth <= 0 && (word == "main" || word == "_start")) {
      return line;
    }
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_') {
      const bool continues =
          i > 0 && (std::isalnum(static_cast<unsigned char>(text[i - 1])) != 0 || text[i - 1] == '_');
      if (!continues) word.clear();
      word += c;
    }
  }
  return 0;
}

struct Source {
  std::string path;
  int entry = 0;
};

// Sources directly in `folder`.
std::vector<Source> sources_in(const plan::SourceTree& tree, const std::string& folder) {
  std::vector<Source> sources;
  for (const plan::Node& node : tree.nodes()) {
    if (node.kind != plan::NodeKind::file || folder_of(node.path) != folder) continue;
    if (!is_c(node.path) && !is_cpp(node.path)) continue;
    if (!is_utf8(node.path)) throw failure(node.path, 0, "its name is not UTF-8, so that no plan can name it");
    sources.push_back({node.path, line_of_entry(tree.read(node.path))});
  }
  return sources;
}

bool is_freestanding(const plan::Config& config) {
  for (const std::string& argument : build_arguments(config)) {
    if (argument == "-nostdlib" || argument == "-nostartfiles" || argument == "-ffreestanding") return true;
  }
  return false;
}

std::string program_name(const Source& source, const Surroundings& surroundings) {
  const std::string stem = stem_of(source.path);
  return safe_name(stem == "main" ? surroundings.app.name() : stem);
}

plan::Step compile_step(const Surroundings& surroundings, const std::string& name,
                        const std::vector<std::string>& sources, CLanguage language) {
  plan::Step step;
  step.name = cat("compile ", name);
  step.argv = {language == CLanguage::cpp ? "${cxx}" : "${cc}", "-Os", "${compile_flags}"};
  if (surroundings.app.has_folder("include")) step.argv.push_back("-Iinclude");
  step.argv.insert(step.argv.end(), {"-o", cat("${work}/out/", name)});
  step.argv.insert(step.argv.end(), sources.begin(), sources.end());
  step.argv.push_back("${link_flags}");
  if (!is_freestanding(surroundings.config)) step.argv.insert(step.argv.end(), {"-lm", "-lpthread"});
  for (const std::string& argument : build_arguments(surroundings.config)) step.argv.push_back(argument);
  step.folder = step_folder(surroundings);
  step.outputs = {cat("out/", name)};
  return step;
}

// A path that begins with `-` would be an option.
std::string as_argument(const std::string& path) {
  return path.starts_with('-') ? cat("./", path) : path;
}

std::optional<plan::Detection> detect(const Surroundings& surroundings) {
  std::vector<Source> sources = sources_in(surroundings.app, ".");
  if (sources.empty()) sources = sources_in(surroundings.app, "src");
  std::vector<Source> mains;
  std::vector<std::string> shared;
  for (const Source& source : sources) {
    if (source.entry > 0) {
      mains.push_back(source);
    } else {
      shared.push_back(as_argument(source.path));
    }
  }
  if (mains.empty() || mains.size() > kMostPrograms) return std::nullopt;

  const bool has_cpp =
      std::any_of(sources.begin(), sources.end(), [](const Source& source) { return is_cpp(source.path); });
  const CLanguage language = has_cpp ? CLanguage::cpp : CLanguage::c;
  plan::Detection detection{.detector = "single-file", .language = has_cpp ? "cpp" : "c", .score = kScore};
  plan::BuildPlan& plan = detection.plan;
  plan.leaves_source_alone = true;
  add_toolchains(plan, has_cpp, surroundings);
  if (is_freestanding(surroundings.config)) plan.toolchains = freestanding(std::move(plan.toolchains));

  for (const Source& main : mains) {
    const std::string name = program_name(main, surroundings), place = cat(main.path, ":", main.entry);
    detection.evidence.push_back({main.path, main.entry, "a C or C++ file with an entry point, and no build system"});
    detection.apps.push_back({name, folder_of(main.path), mains.size() == 1});
    if (!is_wanted(surroundings.config, name, main.path)) continue;
    std::vector<std::string> files = {as_argument(main.path)};
    files.insert(files.end(), shared.begin(), shared.end());
    plan.steps.push_back(compile_step(surroundings, name, files, language));
    plan::Output output;
    output.built = cat("out/", name);
    output.installed = cat("/bin/", name);
    output.process = name;
    plan.outputs.push_back(std::move(output));
    plan.values[cat("program ", name)] = {name, place};
  }
  const bool is_alone = mains.size() == 1;
  plan.name = is_alone ? program_name(mains.front(), surroundings) : safe_name(surroundings.app.name());
  plan.values["name"] = {plan.name, is_alone && stem_of(mains.front().path) != "main"
                                        ? cat(mains.front().path, ":", mains.front().entry)
                                        : "inferred from the folder"};
  return detection;
}

}  // namespace

extern const Detector kSingleFile;
const Detector kSingleFile = {"single-file",      "c, cpp", "C and C++ files without a build system",
                              "*.c, *.cc, *.cpp", kScore,   detect};

}  // namespace whittle::detectors
