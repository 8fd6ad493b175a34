#include "builder/ways.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace whittle::builder {

namespace {

constexpr std::size_t kMostWays = 16;

std::optional<std::size_t> index_of(const auto& list, std::string_view name) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list[i].name == name) return i;
  }
  return std::nullopt;
}

bool is_in_force(const Way& way, std::size_t step, std::size_t fallback) {
  return std::find(way.fallbacks.begin(), way.fallbacks.end(), std::pair(step, fallback)) != way.fallbacks.end();
}

}  // namespace

bool has_sign(std::string_view text, std::span<const std::string> signs) {
  return signs.empty() || std::any_of(signs.begin(), signs.end(), [&](const std::string& sign) {
           return text.find(sign) != std::string_view::npos;
         });
}

plan::Step done_by(plan::Step step, const plan::Fallback& fallback) {
  if (!fallback.argv.empty()) step.argv = fallback.argv;
  step.argv.insert(step.argv.end(), fallback.arguments.begin(), fallback.arguments.end());
  for (const auto& [name, value] : fallback.env) step.env[name] = value;
  for (const auto& [path, text] : fallback.files) step.files[path] = text;
  return step;
}

plan::BuildPlan along(const Way& way, plan::BuildPlan plan) {
  for (const auto& [step, fallback] : way.fallbacks) {
    plan.steps[step] = done_by(plan.steps[step], plan.steps[step].fallbacks[fallback]);
  }
  return plan;
}

std::string description_of(const Way& way, const plan::BuildPlan& plan) {
  std::vector<std::string> parts;
  if (way.toolchain != nullptr) parts.push_back(cat("toolchain ", backticked(way.toolchain->toolchain.name)));
  for (const auto& [step, fallback] : way.fallbacks) parts.push_back(plan.steps[step].fallbacks[fallback].name);
  return join(parts, ", ");
}

Ways::Ways(const plan::BuildPlan& plan, std::span<const FoundToolchain> toolchains, fs::path memory,
           std::string identity)
    : plan_(plan), toolchains_(toolchains), memory_(std::move(memory)), identity_(std::move(identity)) {
  first_ = remembered().value_or(usual(0));
}

Way Ways::usual(std::size_t toolchain) const {
  return {.toolchain = toolchain < toolchains_.size() ? &toolchains_[toolchain] : nullptr, .fallbacks = {}};
}

std::optional<Way> Ways::after(const Way& way, const Failure& failure) {
  tried_.push_back(way);
  failures_ += failure.text;
  if (tried_.size() >= kMostWays) return std::nullopt;
  if (std::optional<Way> next = with_fallback(way, failure)) return next;
  // What was remembered does not work any more: everything from the beginning.
  const Way beginning = usual(0);
  if (std::find(tried_.begin(), tried_.end(), beginning) == tried_.end()) return beginning;
  return with_next_toolchain(way);
}

std::optional<Way> Ways::with_fallback(const Way& way, const Failure& failure) {
  const std::vector<plan::Step>& steps = plan_.steps;
  // A later step may fail by what an earlier one has decided: configure finds a library that cannot be linked.
  for (std::size_t step = std::min(failure.step + 1, steps.size()); step-- > 0;) {
    const std::vector<plan::Fallback>& fallbacks = steps[step].fallbacks;
    for (std::size_t i = 0; i < fallbacks.size(); ++i) {
      if (fallbacks[i].goes_on || is_in_force(way, step, i)) continue;
      if (step != failure.step && fallbacks[i].signs.empty()) continue;
      if (!has_sign(failure.text, fallbacks[i].signs)) continue;
      Way next = way;
      next.fallbacks.emplace_back(step, i);
      if (std::find(tried_.begin(), tried_.end(), next) == tried_.end()) return next;
    }
  }
  return std::nullopt;
}

std::optional<Way> Ways::with_next_toolchain(const Way&) {
  for (std::size_t i = 0; i < toolchains_.size(); ++i) {
    const Way next = usual(i);
    const bool is_tried = std::any_of(tried_.begin(), tried_.end(), [&](const Way& one) {
      return one.toolchain == next.toolchain && one.fallbacks.empty();
    });
    if (!is_tried && has_sign(failures_, toolchains_[i].toolchain.signs)) return next;
  }
  return std::nullopt;
}

std::optional<Way> Ways::remembered() const {
  const std::optional<std::string> text = read_file_if_exists(memory_, 1 << 20);
  if (!text) return std::nullopt;
  // Whatever is wrong with it, it only saves time.
  try {
    const Json kept = parse_json(*text, memory_.native());
    if (kept.at("identity") != identity_) return std::nullopt;
    Way way;
    for (const FoundToolchain& found : toolchains_) {
      if (found.toolchain.name == kept.at("toolchain")) way.toolchain = &found;
    }
    if (way.toolchain == nullptr && !toolchains_.empty()) return std::nullopt;
    for (const Json& one : kept.at("fallbacks")) {
      const auto step = index_of(plan_.steps, one.at("step").get<std::string>());
      if (!step) return std::nullopt;
      const auto fallback = index_of(plan_.steps[*step].fallbacks, one.at("fallback").get<std::string>());
      if (!fallback) return std::nullopt;
      way.fallbacks.emplace_back(*step, *fallback);
    }
    return way;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

void Ways::remember(const Way& way) const {
  std::error_code ignored;
  if (way == usual(0)) {
    fs::remove(memory_, ignored);
    return;
  }
  Json fallbacks = Json::array();
  for (const auto& [step, fallback] : way.fallbacks) {
    fallbacks.push_back({{"step", plan_.steps[step].name}, {"fallback", plan_.steps[step].fallbacks[fallback].name}});
  }
  const std::string toolchain = way.toolchain == nullptr ? "" : way.toolchain->toolchain.name;
  make_folders(memory_.parent_path());
  write_unsynced(memory_,
                 canonical_json({{"identity", identity_}, {"toolchain", toolchain}, {"fallbacks", fallbacks}}));
}

}  // namespace whittle::builder
