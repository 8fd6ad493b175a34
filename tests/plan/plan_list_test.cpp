#include "plan/plan_list.hpp"

#include <doctest/doctest.h>

#include "tests/support/errors.hpp"

using namespace whittle;
using plan::BuildPlan;
using test::error_of;

namespace {

BuildPlan plan_for(std::string platform, std::string name = "app") {
  BuildPlan plan;
  plan.name = std::move(name);
  plan.language = "go";
  plan.platform = std::move(platform);
  return plan;
}

std::string message_of(const std::vector<BuildPlan>& plans) {
  return error_of([&] { plan::plans_from_json(plan::plans_to_json(plans), "plan.json"); }).message();
}

}  // namespace

TEST_CASE("one plan is a document by itself") {
  const std::vector<BuildPlan> plans = {plan_for("linux/amd64")};
  CHECK(plan::plans_to_json(plans) == plans[0].to_json());
  CHECK(plan::plans_from_json(plans[0].to_json(), "plan.json") == plans);
}

TEST_CASE("plans for several platforms are a list, and come back as they were") {
  const std::vector<BuildPlan> plans = {plan_for("linux/amd64"), plan_for("linux/arm64")};
  const Json json = plan::plans_to_json(plans);
  CHECK(json["schema"] == "whittle.plans/v1");
  CHECK(plan::plans_from_json(json, "plan.json") == plans);
}

TEST_CASE("a list of plans is of one image, with one plan a platform") {
  CHECK(message_of({plan_for("linux/amd64"), plan_for("linux/amd64")}) ==
        "two plans in plan.json are for `linux/amd64`");
  CHECK(message_of({plan_for("linux/amd64"), plan_for("linux/arm64", "other")}) ==
        "the plans in plan.json are for different images: `app` and `other`");
  const Json empty = {{"schema", "whittle.plans/v1"}, {"plans", Json::array()}};
  CHECK(error_of([&] { plan::plans_from_json(empty, "plan.json"); }).message() ==
        "plan.json must hold `plans`, a list of plans, and nothing else");
}
