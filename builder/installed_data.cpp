#include "builder/installed_data.hpp"

#include <algorithm>
#include <set>

#include "base/text.hpp"

namespace whittle::builder {

namespace {

using plan::Output;

constexpr std::size_t kMostNames = 2000;
constexpr std::size_t kRoom = 1 << 20;

bool is_for_others(std::string_view name) {
  static const std::set<std::string_view> kNames = {
      "man",     "doc",      "info",      "locale",  "licenses", "applications", "icons",
      "pixmaps", "metainfo", "appdata",   "mime",    "gtk-doc",  "help",         "vim",
      "emacs",   "aclocal",  "pkgconfig", "cmake",   "fish",     "zsh",          "bash-completion",
      "systemd", "include",  "nls",       "examples"};
  return kNames.contains(name);
}

// `/usr/share/fig` is not named by `/usr/share/figlet`.
bool ends_there(std::string_view text, std::size_t at) {
  if (at >= text.size()) return true;
  const char c = text[at];
  return std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-' && c != '_' && c != '.';
}

bool has_name(std::string_view text, std::string_view name) {
  for (std::size_t at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
    if (ends_there(text, at + name.size())) return true;
  }
  return false;
}

// Those of `names` that stand in the file.
void find_names(const fs::path& file, const std::set<std::string>& names, std::set<std::string>& found) {
  FileSource source(file);
  std::string text;
  std::vector<std::byte> room(kRoom);
  constexpr std::size_t kLongest = 4096;
  for (std::size_t size = source.read(room); size > 0; size = source.read(room)) {
    if (text.size() > kLongest) text.erase(0, text.size() - kLongest);
    text += text_of(Bytes(room).first(size));
    for (const std::string& name : names) {
      if (!found.contains(name) && has_name(text, name)) found.insert(name);
    }
  }
}

// The program that `entry`, in a folder of programs, is another name of.
const Output* program_behind(const fs::path& entry, const plan::BuildPlan& plan) {
  std::error_code problem;
  const bool is_link = fs::is_symlink(entry, problem);
  const std::string target = is_link ? fs::read_symlink(entry, problem).filename().native() : "";
  for (const Output& output : plan.outputs) {
    if (output.kind != Output::Kind::program) continue;
    const std::string name = last_part(output.installed);
    if (name == entry.filename()) return nullptr;
    if (is_link ? name == target : fs::equivalent(entry, entry.parent_path() / name, problem)) return &output;
  }
  return nullptr;
}

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code problem;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, problem)) {
    if (entries.size() < kMostNames && is_utf8(entry.path().native())) entries.push_back(entry.path());
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

Output data_output(std::string built, std::string installed) {
  Output output;
  output.built = std::move(built);
  output.installed = std::move(installed);
  output.kind = Output::Kind::data;
  return output;
}

}  // namespace

std::vector<Output> with_installed_data(const plan::BuildPlan& settled, const fs::path& work) {
  std::vector<Output> outputs;
  std::map<std::string, std::string> candidates;  // place in the image → place below the work folder
  for (const Output& output : settled.outputs) {
    if (!output.only_if_named) {
      outputs.push_back(output);
      continue;
    }
    for (const fs::path& entry : entries_of(work / output.built)) {
      const std::string name = entry.filename().native(), installed = cat(output.installed, "/", name);
      if (output.installed == "/bin") {
        const Output* program = program_behind(entry, settled);
        if (program != nullptr) outputs.push_back(data_output(program->built, installed));
      } else if (!is_for_others(name) && !fs::is_symlink(entry)) {
        candidates[installed] = cat(output.built, "/", name);
      }
    }
  }
  if (candidates.empty()) return outputs;
  std::set<std::string> names, found;
  for (const auto& [installed, built] : candidates) names.insert(installed);
  for (const Output& output : settled.outputs) {
    const fs::path file = fs::path(output.built).is_absolute() ? fs::path(output.built) : work / output.built;
    if (output.kind == Output::Kind::program) find_names(file, names, found);
  }
  for (const std::string& installed : found) outputs.push_back(data_output(candidates.at(installed), installed));
  return outputs;
}

}  // namespace whittle::builder
