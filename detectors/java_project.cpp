#include "detectors/java_project.hpp"

#include <algorithm>
#include <cctype>

#include "base/text.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

constexpr std::size_t kMostSources = 20'000;
constexpr std::uint64_t kLargestSource = 1 << 20;

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$';
}

// The name after `package`, at the beginning of a line.
std::string package_of(std::string_view text) {
  for (const std::string& line : split_lines(text)) {
    const std::string_view content = trim(line);
    if (!content.starts_with("package ")) continue;
    const std::string_view rest = trim(content.substr(8));
    return std::string(trim(rest.substr(0, rest.find(';'))));
  }
  return {};
}

bool has_words_before(std::string_view text, std::size_t at, std::string_view word) {
  const std::size_t begin = std::max({text.rfind(';', at) + 1, text.rfind('{', at) + 1, text.rfind('}', at) + 1});
  return text.substr(begin, at - begin).find(word) != std::string_view::npos;
}

// `public static void main(` of Java; https://docs.oracle.com/javase/specs/jls/se17/html/jls-12.html#jls-12.1.4
std::optional<std::size_t> java_main(std::string_view text) {
  for (std::size_t at = text.find("main"); at != std::string_view::npos; at = text.find("main", at + 1)) {
    const std::size_t open = text.find_first_not_of(" \t\r\n", at + 4);
    const bool is_whole = at > 0 && !is_word(text[at - 1]) && open != std::string_view::npos && text[open] == '(';
    if (!is_whole || !has_words_before(text, at, "static") || !has_words_before(text, at, "void")) continue;
    const std::string_view parameters =
        text.substr(open, std::min<std::size_t>(text.find(')', open), text.size()) - open);
    if (parameters.find("String") != std::string_view::npos) return at;
  }
  return std::nullopt;
}

// `fun main(` of Kotlin, outside of every class.
std::optional<std::size_t> kotlin_main(std::string_view text) {
  for (std::size_t at = text.find("fun main("); at != std::string_view::npos; at = text.find("fun main(", at + 1)) {
    const std::size_t begin = text.rfind('\n', at) + 1;
    const std::string_view before = trim(text.substr(begin, at - begin));
    if ((at == begin || text[begin] != ' ') && (before.empty() || before == "suspend")) return at;
  }
  return std::nullopt;
}

std::string kotlin_class(std::string_view path) {
  std::string name = stem_of(path);
  for (char& c : name) c = is_word(c) ? c : '_';
  if (!name.empty()) name[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(name[0])));
  return cat(name, "Kt");
}

struct Found {
  MainClass main;
  bool is_boot = false;
};

std::optional<Found> main_in(const plan::SourceTree& tree, const std::string& path, const Surroundings& surroundings) {
  std::string text;
  try {
    text = tree.read(path, kLargestSource);
  } catch (const Error&) {
    return std::nullopt;  // too large to be written by somebody
  }
  if (text.find("main") == std::string::npos) return std::nullopt;
  const std::string code = without_comments(text, false);
  const bool is_kotlin = path.ends_with(".kt");
  const std::optional<std::size_t> at = is_kotlin ? kotlin_main(code) : java_main(code);
  if (!at) return std::nullopt;
  const std::string package = package_of(code), name = is_kotlin ? kotlin_class(path) : stem_of(path);
  return Found{.main = {.name = package.empty() ? name : cat(package, ".", name),
                        .source = cat(from_application(surroundings, path), ":", line_at(code, *at))},
               .is_boot = code.find("@SpringBootApplication") != std::string::npos};
}

bool has_starting_plugin(const JavaModule& module) {
  return module.main || !module.plugins.empty();
}

Error nothing_to_start(const std::vector<JavaModule>& modules) {
  const JavaModule& first = modules.front();
  for (const JavaModule& module : modules) {
    if (module.packaging != "war" && module.packaging != "ear") continue;
    return failure(module.file, module.packaging_line,
                   cat("packaging `", module.packaging,
                       "` is deployed into a servlet container, and the image has none: "
                       "build an executable jar"));
  }
  return failure(first.file, 0, "nothing in it can be started: no main class, it is a library");
}

}  // namespace

std::string java_version_of(std::string_view text) {
  const std::size_t begin = text.find_first_of("0123456789");
  if (begin == std::string_view::npos) return {};
  text.remove_prefix(begin);
  // "openjdk64-17": the number of bits is none of a version.
  if (text.starts_with("64-") || text.starts_with("32-")) return java_version_of(text.substr(3));
  std::string version(text.substr(0, std::min(text.find_first_not_of("0123456789."), text.size())));
  while (version.ends_with('.')) version.pop_back();
  return version.starts_with("1.") && version.size() > 2 ? version.substr(2) : version;
}

std::string without_comments(std::string_view text, bool keeps_texts) {
  std::string out(text);
  std::size_t i = 0;
  const auto blank = [&](std::size_t end) {
    for (; i < std::min(end, out.size()); ++i) {
      if (out[i] != '\n') out[i] = ' ';
    }
  };
  while (i < out.size()) {
    if (text.substr(i).starts_with("//")) {
      blank(text.find('\n', i));
    } else if (text.substr(i).starts_with("/*")) {
      const std::size_t end = text.find("*/", i + 2);
      blank(end == std::string_view::npos ? end : end + 2);
    } else if (text[i] == '"' || text[i] == '\'') {
      const bool is_block = text.substr(i).starts_with("\"\"\"");
      const std::string_view quote = text.substr(i, is_block ? 3 : 1);
      std::size_t end = i + quote.size();
      while (end < text.size() && text.substr(end, quote.size()) != quote && (is_block || text[end] != '\n')) {
        end += text[end] == '\\' ? 2 : 1;
      }
      i = keeps_texts ? i : i + quote.size();
      if (!keeps_texts) blank(end);
      i = std::min(end + quote.size(), text.size());
    } else {
      ++i;
    }
  }
  return out;
}

std::vector<MainClass> main_classes(const plan::SourceTree& tree, std::string_view folder,
                                    const Surroundings& surroundings) {
  std::vector<MainClass> found, boot;
  std::size_t looked_at = 0;
  for (const plan::Node& node : tree.nodes()) {
    const bool is_source = node.path.ends_with(".java") || node.path.ends_with(".kt");
    if (node.kind != plan::NodeKind::file || !is_source || !is_utf8(node.path)) continue;
    if (folder != "." && !node.path.starts_with(cat(folder, "/"))) continue;
    if (++looked_at > kMostSources) break;
    if (std::optional<Found> one = main_in(tree, node.path, surroundings)) {
      (one->is_boot ? boot : found).push_back(std::move(one->main));
    }
  }
  return boot.empty() ? found : boot;
}

std::vector<JavaProgram> programs_of(std::vector<JavaModule> modules, const Surroundings& surroundings) {
  std::vector<JavaProgram> named, other;
  for (const JavaModule& module : modules) {
    if (module.packaging != "jar" && module.packaging != "quarkus") continue;
    const bool is_named = has_starting_plugin(module);
    JavaProgram program{.module = module, .mains = {}};
    if (module.main) {
      program.mains = {*module.main};
    } else {
      program.mains = main_classes(surroundings.context, joined(module.folder, "src/main"), surroundings);
    }
    if (is_named) {
      // Its plugin looks for the main class too, and knows better.
      if (program.mains.size() > 1) program.mains.clear();
      named.push_back(std::move(program));
    } else if (!program.mains.empty() && !is_aside(from_application(surroundings, module.folder))) {
      other.push_back(std::move(program));
    }
  }
  std::vector<JavaProgram> programs = std::move(named.empty() ? other : named);
  if (programs.empty()) throw nothing_to_start(modules);
  return programs;
}

}  // namespace whittle::detectors
