#include "plan/config_schema.hpp"

#include <doctest/doctest.h>

#include "base/files.hpp"
#include "base/text.hpp"
#include "plan/config_keys.hpp"
#include "plan/config_text.hpp"

using namespace whittle;

TEST_CASE("the schema knows every key, and its choices are those that are accepted") {
  const Json schema = plan::config_schema();
  CHECK(schema["additionalProperties"] == false);
  for (const plan::TextKey& key : plan::text_keys()) {
    CAPTURE(key.name);
    const Json& top = schema["properties"];
    const Json& keys = key.section.empty() ? top : top[std::string(key.section)]["properties"];
    REQUIRE(keys.contains(std::string(key.name)));
    const Json& described = keys[std::string(key.name)];
    CHECK(described["description"].get<std::string>().size() > 10);
    if (!described.contains("enum")) continue;
    CHECK(key.check("something else") != "");
    for (const Json& choice : described["enum"]) CHECK(key.check(choice.get<std::string>()) == "");
  }
}

TEST_CASE("the published schema is the present one") {
  CHECK(read_file(fs::path(WHITTLE_SOURCE_DIR) / "docs/whittle.schema.json") == pretty_json(plan::config_schema()));
}

TEST_CASE("a plan as configuration says where every setting is from") {
  plan::BuildPlan plan;
  plan.name = "edge/sensor";
  plan.detector = "go";
  plan.values["name"] = {"edge/sensor", "go.mod:1"};
  plan.values["process mail"] = {"/bin/sensor --to \"me\"", "Procfile:2"};
  plan.image.default_process = "web";
  plan.image.processes["mail"] = {"/bin/sensor", "--to", "\"me\"", "\x7f"};
  plan.image.processes["web"] = {"/bin/web"};
  CHECK(plan::config_text(plan) == R"(# What whittle inferred. A line that is removed is inferred again.
name = "edge/sensor"                  # go.mod:1

[build]
detector = "go"                       # inferred
link = "static"                       # inferred

[image]
default = "web"                       # inferred
user = "65532:65532"                  # inferred
workdir = "/"                         # inferred
certificates = "auto"                 # inferred
timezones = ["auto"]                  # inferred

[layers]
compression = "zstd:3"                # inferred
form = "auto"                         # inferred

[process."mail"]
argv = ["/bin/sensor", "--to", "\"me\"", "\u007f"]  # Procfile:2
)");
  CHECK(plan::parse_config(plan::config_text(plan), "whittle.toml").processes.at("mail").values ==
        plan.image.processes["mail"]);
}
