#include "plan/plan_list.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::plan {

namespace {

constexpr std::string_view kSchema = "whittle.plans/v1";

void refuse_mixed(const std::vector<BuildPlan>& plans, std::string_view what) {
  for (std::size_t i = 0; i < plans.size(); ++i) {
    if (plans[i].name != plans.front().name) {
      throw Error(Exit::usage, cat("the plans in ", what, " are for different images: ", backticked(plans.front().name),
                                   " and ", backticked(plans[i].name)));
    }
    for (std::size_t k = 0; k < i; ++k) {
      if (plans[k].platform != plans[i].platform) continue;
      throw Error(Exit::usage, cat("two plans in ", what, " are for ", backticked(plans[i].platform)));
    }
  }
}

}  // namespace

Json plans_to_json(std::span<const BuildPlan> plans) {
  if (plans.size() == 1) return plans.front().to_json();
  Json list = Json::array();
  for (const BuildPlan& plan : plans) list.push_back(plan.to_json());
  return {{"schema", kSchema}, {"plans", list}};
}

std::vector<BuildPlan> plans_from_json(const Json& json, std::string_view what) {
  const bool is_list = json.is_object() && json.value("schema", Json()) == Json(kSchema);
  if (!is_list) return {BuildPlan::from_json(json, what)};
  const Json plans = json.value("plans", Json());
  if (json.size() != 2 || !plans.is_array() || plans.empty()) {
    throw Error(Exit::usage, cat(what, " must hold `plans`, a list of plans, and nothing else"));
  }
  std::vector<BuildPlan> list;
  for (const Json& plan : plans)
    list.push_back(BuildPlan::from_json(plan, cat("plan ", list.size() + 1, " of ", what)));
  refuse_mixed(list, what);
  return list;
}

}  // namespace whittle::plan
