#include "builder/placeholders.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "builder/kernel_headers.hpp"

namespace whittle::builder {

namespace {

constexpr std::string_view kCache = "cache:", kTool = "tool:", kHome = "home:";

bool is_cache_name(std::string_view name) {
  return !name.empty() && name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

// Calls `found` with the inside of each `${…}`.
template <class Function>
void each_placeholder(std::string_view text, Function&& found) {
  for (std::size_t at = text.find("${"); at != std::string_view::npos; at = text.find("${", at + 2)) {
    const std::size_t end = text.find('}', at);
    if (end == std::string_view::npos) return;
    found(text.substr(at + 2, end - at - 2));
  }
}

template <class Function>
void each_placeholder(const plan::Step& step, Function&& found) {
  for (const std::string& word : step.argv) each_placeholder(word, found);
  for (const auto& [name, text] : step.env) each_placeholder(text, found);
  for (const auto& [name, text] : step.files) each_placeholder(text, found);
}

}  // namespace

std::optional<std::vector<std::string>> Placeholders::list(std::string_view name) const {
  if (toolchain_ == nullptr) return std::nullopt;
  if (name == "cc") return toolchain_->cc;
  if (name == "cxx") return toolchain_->cxx;
  if (name == "ar") return toolchain_->ar;
  if (name == "ranlib") return toolchain_->ranlib;
  const bool is_flags = name == "compile_flags" || name == "link_flags";
  if (!is_flags) return std::nullopt;
  std::vector<std::string> flags;
  const plan::Toolchain& toolchain = toolchain_->toolchain;
  for (const std::string& flag : name == "compile_flags" ? toolchain.compile_flags : toolchain.link_flags) {
    flags.push_back(filled(flag));
  }
  return flags;
}

std::optional<std::string> Placeholders::value(std::string_view name) const {
  if (name == "work") return places_.work.native();
  if (name == "source") return places_.source.native();
  if (name == "keep") return places_.keep.native();
  if (name == "kernel_headers") return kernel_headers_of(places_.work).native();
  if (name == "jobs") return std::to_string(places_.jobs);
  if (name.starts_with(kCache) && is_cache_name(name.substr(kCache.size()))) {
    return (places_.tools / name.substr(kCache.size())).native();
  }
  if (name.starts_with(kTool)) {
    const std::string_view wanted = name.substr(kTool.size());
    for (const ProbedTool& tool : tools_) {
      if (tool.name == wanted) return tool.path.native();
    }
  }
  if (name.starts_with(kHome)) {
    for (const ProbedTool& tool : tools_) {
      if (tool.name == name.substr(kHome.size())) return tool.path.parent_path().parent_path().native();
    }
  }
  // Joined flags end up in a variable that a build tool hands to a shell (CFLAGS, CMAKE_C_FLAGS).
  if (const auto words = list(name)) return shell_words(*words);
  return std::nullopt;
}

std::string Placeholders::filled(std::string_view text) const {
  std::string out;
  for (std::size_t at = text.find("${"); at != std::string_view::npos; at = text.find("${")) {
    out += text.substr(0, at);
    const std::size_t end = text.find('}', at);
    const std::optional<std::string> known =
        end == std::string_view::npos ? std::nullopt : value(text.substr(at + 2, end - at - 2));
    const std::size_t taken = known ? end + 1 : at + 2;
    out += known ? std::string_view(*known) : text.substr(at, 2);
    text.remove_prefix(taken);
  }
  return out += text;
}

std::vector<std::string> Placeholders::filled(std::span<const std::string> argv) const {
  std::vector<std::string> out;
  for (const std::string& word : argv) {
    const bool is_one = word.starts_with("${") && word.find('}') + 1 == word.size();
    const auto words = is_one ? list(std::string_view(word).substr(2, word.size() - 3)) : std::nullopt;
    if (words) {
      out.insert(out.end(), words->begin(), words->end());
    } else {
      out.push_back(filled(word));
    }
  }
  return out;
}

std::set<fs::path> cache_folders_of(const plan::Step& step, const Places& places) {
  std::set<fs::path> folders;
  each_placeholder(step, [&](std::string_view name) {
    if (name.starts_with(kCache) && is_cache_name(name.substr(kCache.size()))) {
      folders.insert(places.tools / name.substr(kCache.size()));
    }
  });
  return folders;
}

bool mentions(const plan::Step& step, std::string_view name) {
  bool found = false;
  each_placeholder(step, [&](std::string_view one) { found = found || one == name; });
  return found;
}

}  // namespace whittle::builder
