#include "detectors/node_version.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/text.hpp"
#include "detectors/node_downloads.hpp"
#include "detectors/places.hpp"
#include "detectors/version_files.hpp"
#include "plan/versions.hpp"

namespace whittle::detectors {

namespace {

using Numbers = std::vector<std::uint64_t>;

using plan::version_of;

// `>= 18` is `>=18`, and `18.x` is 18.
std::vector<std::string> comparators(std::string_view text) {
  std::vector<std::string> words;
  for (const std::string& raw : split(text, ' ')) {
    const std::string word(trim(raw));
    if (word.empty()) continue;
    const bool goes_on = !words.empty() && words.back().find_first_not_of("<>=^~") == std::string::npos;
    if (goes_on) {
      words.back() += word;
    } else {
      words.push_back(word);
    }
  }
  return words;
}

std::string constraint_of(std::string_view comparator) {
  const std::size_t digits = std::min(comparator.find_first_not_of("<>=^~ v"), comparator.size());
  std::string sign(comparator.substr(0, digits));
  std::erase_if(sign, [](char c) { return c == 'v' || c == ' '; });
  const Numbers numbers = plan::numbers_of(comparator.substr(digits));
  if (numbers.empty()) return {};
  const std::string version = version_of(numbers);
  if (sign == "^") return cat(">=", version, ",<", plan::caret_end(numbers));
  if (sign.starts_with('~')) return cat(">=", version, ",<", plan::tilde_end(numbers));
  return cat(sign.empty() ? "=" : sign, version);
}

std::string constraint_of_alternative(std::string_view text) {
  const std::size_t hyphen = text.find(" - ");
  if (hyphen != std::string_view::npos) {
    return cat(">=", version_of(plan::numbers_of(trim(text.substr(0, hyphen)))),
               ",<=", version_of(plan::numbers_of(trim(text.substr(hyphen + 3)))));
  }
  std::vector<std::string> parts;
  for (const std::string& comparator : comparators(text)) {
    std::string part = constraint_of(comparator);
    if (!part.empty()) parts.push_back(std::move(part));
  }
  return join(parts, ",");
}

struct Line {
  std::string_view name, major;
};
constexpr std::array<Line, 8> kLines = {{{"lts/*", "24"},
                                         {"lts/krypton", "24"},
                                         {"lts/jod", "22"},
                                         {"lts/iron", "20"},
                                         {"lts/hydrogen", "18"},
                                         {"lts/gallium", "16"},
                                         {"lts/-1", "22"},
                                         {"lts/-2", "20"}}};

// `lts/iron` of nvm's files, which are no numbers.
std::optional<plan::Value> named_line(const plan::SourceTree& tree, std::vector<std::string>& warnings) {
  for (const char* file : {".nvmrc", ".node-version"}) {
    const std::optional<std::string> text = tree.read_if_exists(file);
    if (!text) continue;
    const std::string name = lower(trim(text->substr(0, text->find('\n'))));
    if (name.empty() || !plan::numbers_of(name).empty()) continue;
    const auto* const found = std::find_if(kLines.begin(), kLines.end(), [&](const Line& line) {
      return line.name == name || line.name == cat("lts/", name) || (name == "lts" && line.name == "lts/*");
    });
    if (found != kLines.end()) return plan::Value{std::string(found->major), cat(file, ":1")};
    if (name != "node" && name != "stable" && name != "latest" && name != "current") {
      warnings.push_back(cat(file, ":1: ", backticked(name), " is no version of Node"));
    }
  }
  return std::nullopt;
}

std::optional<plan::Value> pin_in(const plan::SourceTree& tree, std::vector<std::string>& warnings) {
  for (const VersionPin& pin : version_pins(tree, warnings)) {
    if (pin.tool != "node") continue;
    return plan::Value{version_of(plan::numbers_of(pin.version.value)), pin.version.source};
  }
  return named_line(tree, warnings);
}

std::optional<plan::Value> pin_of(const Surroundings& surroundings, const NodeManifest& manifest,
                                  std::vector<std::string>& warnings) {
  if (std::optional<plan::Value> pin = pin_in(surroundings.app, warnings)) return pin;
  if (const std::string volta = manifest.text("volta", "node"); !volta.empty()) {
    return plan::Value{volta, manifest.place("volta", "node")};
  }
  if (surroundings.app_in_context == ".") return std::nullopt;
  std::optional<plan::Value> pin = pin_in(surroundings.context, warnings);
  if (pin) pin->source = from_application(surroundings, pin->source);
  return pin;
}

}  // namespace

std::string constraint_of_range(std::string_view range) {
  std::vector<std::string> alternatives;
  std::string_view rest = range;
  for (;;) {
    const std::size_t bar = rest.find("||");
    std::string constraint = constraint_of_alternative(trim(rest.substr(0, bar)));
    if (constraint.empty()) return {};
    alternatives.push_back(std::move(constraint));
    if (bar == std::string_view::npos) break;
    rest.remove_prefix(bar + 2);
  }
  return join(alternatives, "||");
}

plan::Tool node_tool(const Surroundings& surroundings, const NodeManifest& manifest, plan::BuildPlan& plan,
                     std::vector<std::string>& warnings) {
  plan::Tool tool{"node", "", ""};
  const std::string range = manifest.text("engines", "node");
  tool.constraint = constraint_of_range(range);
  if (!tool.constraint.empty()) {
    tool.source = manifest.place("engines", "node");
    plan.values["node"] = {range, tool.source};
  }
  if (const std::optional<plan::Value> pin = pin_of(surroundings, manifest, warnings)) {
    tool.pin = pin->value;
    tool.pin_source = pin->source;
    plan.values.emplace("node", *pin);
  }
  tool.downloads = node_downloads(tool.pin);
  return tool;
}

}  // namespace whittle::detectors
