// A program that is built already: a folder with exactly one executable ELF file. Whether it can run
// on scratch is proved later; here only its head is looked at.
#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "detectors/detector.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

constexpr int kScore = 10;
constexpr std::size_t kMostFiles = 2000;  // that are read; a larger tree is not one that holds a single program

// e_ident and e_type of an ELF header: a program, fixed or position independent; no object, no core.
bool is_program(std::string_view head) {
  if (head.size() < 18 || head.substr(0, 4) !=
                              "\x7f"
                              "ELF") {
    return false;
  }
  const bool is_big_endian = head[5] == 2;
  const char type = is_big_endian ? head[17] : head[16];
  return type == 2 || type == 3;
}

bool is_shared_library(std::string_view path) {
  const std::string name = last_part(path);
  return name.ends_with(".so") || name.find(".so.") != std::string::npos;
}

// What nobody calls a program.
bool is_text_by_name(const std::string& path) {
  static const std::set<std::string, std::less<>> kSuffixes = {
      "c",    "cc",   "cpp",  "css", "csv", "go",   "golden", "h",  "hpp",  "html", "in",  "java", "js",
      "json", "lock", "m4",   "md",  "mod", "png",  "proto",  "py", "rb",   "rs",   "rst", "s",    "sh",
      "sum",  "svg",  "toml", "ts",  "txt", "work", "xml",    "y",  "yaml", "yml",  "zip"};
  const std::string name = last_part(path);
  const std::size_t dot = name.rfind('.');
  return dot != std::string::npos && dot > 0 && kSuffixes.contains(name.substr(dot + 1));
}

// Reading the head of every file would cost more than all other detectors together, and so would asking for the bits of
// each: programs carry the executable bit, or lie at the top.
bool is_likely(const plan::SourceTree& tree, const plan::Node& node) {
  if (node.kind != plan::NodeKind::file || is_shared_library(node.path) || is_aside(node.path)) return false;
  if (node.path.find('/') == std::string::npos) return true;
  return !is_text_by_name(node.path) && tree.is_executable(node.path);
}

std::optional<plan::Detection> detect(const Surroundings& surroundings) {
  std::vector<std::string> programs;
  std::size_t looked_at = 0;
  for (const plan::Node& node : surroundings.app.nodes()) {
    if (!is_likely(surroundings.app, node)) continue;
    if (++looked_at > kMostFiles || programs.size() > 1) return std::nullopt;
    if (is_program(surroundings.app.read_prefix(node.path, 18))) programs.push_back(node.path);
  }
  if (programs.size() != 1) return std::nullopt;
  const std::string& path = programs.front();
  if (!is_utf8(path)) throw failure(path, 0, "its name is not UTF-8, so that no plan can name it");

  const std::string name = safe_name(last_part(path));
  plan::Detection detection{.detector = "prebuilt", .language = "binary", .score = kScore};
  detection.evidence.push_back({path, 0, "the only executable ELF file"});
  detection.apps.push_back({name, folder_of(path), true});
  plan::BuildPlan& plan = detection.plan;
  plan.leaves_source_alone = true;
  plan.name = name;
  plan.values["name"] = {name, path};
  plan.values[cat("program ", name)] = {name, path};
  plan::Output output;
  output.built = step_folder(surroundings, path);
  output.installed = cat("/bin/", name);
  output.process = name;
  plan.outputs.push_back(std::move(output));
  return detection;
}

}  // namespace

extern const Detector kPrebuilt;
const Detector kPrebuilt = {"prebuilt", "binary", "a program that is built already", "one executable ELF file",
                            kScore,     detect};

}  // namespace whittle::detectors
