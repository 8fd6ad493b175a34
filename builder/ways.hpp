// The ways in which a plan can be carried out: a toolchain, and the fallbacks of steps that are in force. Which comes
// next when one has failed, and which one worked the last time.
#pragma once

#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "builder/placeholders.hpp"
#include "plan/build_plan.hpp"

namespace whittle::builder {

struct Way {
  const FoundToolchain* toolchain = nullptr;                   // may be null
  std::vector<std::pair<std::size_t, std::size_t>> fallbacks;  // indices of step and fallback

  bool operator==(const Way&) const = default;
};

// What went wrong: the step, and what it and the error said.
struct Failure {
  std::size_t step = 0;
  std::string text;
};

// Whether `text` has one of `signs`, or there are none.
bool has_sign(std::string_view text, std::span<const std::string> signs);
// `step` done by `fallback`; what it may fall back to is left.
plan::Step done_by(plan::Step step, const plan::Fallback& fallback);
// The plan with its steps as `way` does them.
plan::BuildPlan along(const Way& way, plan::BuildPlan plan);
// "toolchain `host`, one job"; empty when there is nothing to say.
std::string description_of(const Way& way, const plan::BuildPlan& plan);

class Ways {
 public:
  // Borrows both. `memory` is a file that keeps what worked; `identity` is what must be the same for it to count.
  Ways(const plan::BuildPlan& plan, std::span<const FoundToolchain> toolchains, fs::path memory, std::string identity);

  const Way& first() const { return first_; }
  // The next after `way` has failed; nothing when there is none left.
  std::optional<Way> after(const Way& way, const Failure& failure);
  void remember(const Way& way) const;

 private:
  std::optional<Way> with_fallback(const Way& way, const Failure& failure);
  std::optional<Way> with_next_toolchain(const Way& way);
  std::optional<Way> remembered() const;
  Way usual(std::size_t toolchain) const;

  const plan::BuildPlan& plan_;
  std::span<const FoundToolchain> toolchains_;
  fs::path memory_;
  std::string identity_;
  std::vector<Way> tried_;
  std::string failures_;
  Way first_;
};

}  // namespace whittle::builder
