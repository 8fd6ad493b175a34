#include "plan/build_plan.hpp"

#include <doctest/doctest.h>

#include <random>

#include "base/text.hpp"
#include "tests/support/errors.hpp"

using namespace whittle;
using plan::BuildPlan;
using test::error_of;

namespace {

BuildPlan example() {
  BuildPlan plan;
  plan.name = "whoami";
  plan.language = "go";
  plan.detector = "go";
  plan.platform = "linux/amd64";
  plan.leaves_source_alone = true;
  plan.values = {{"go", {"1.25.3", "go.mod:5"}}};
  plan.tools = {{"go", ">=1.25.3", "go.mod:5"}};
  plan::Step step;
  step.name = "compile whoami";
  step.argv = {"go", "build", "."};
  step.env = {{"CGO_ENABLED", "0"}};
  step.outputs = {"out/whoami"};
  plan.steps = {step};
  plan::Output output;
  output.built = "out/whoami";
  output.installed = "/bin/whoami";
  output.process = "whoami";
  plan.outputs = {output};
  plan.image.processes = {{"whoami", {"/bin/whoami"}}};
  plan.image.entrypoint = {"/bin/whoami"};
  return plan;
}

// Every member takes a value that a generator chose, so that one which is not written or not read shows.
class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  BuildPlan plan() {
    BuildPlan plan;
    for (std::string* text : {&plan.name, &plan.language, &plan.detector, &plan.app_root, &plan.context_root,
                              &plan.platform, &plan.link, &plan.toolchain}) {
      *text = word();
    }
    plan.leaves_source_alone = coin();
    for (int i = number(3); i-- > 0;) plan.values[word()] = {word(), word()};
    for (int i = number(3); i-- > 0;) plan.tools.push_back({word(), word(), word()});
    for (int i = number(3); i-- > 0;)
      plan.toolchains.push_back({word(), word(), word(), words(), words(), words(), words()});
    for (int i = number(3); i-- > 0;) plan.modules.push_back({word(), word(), coin(), coin(), coin()});
    for (int i = number(4); i-- > 0;) plan.steps.push_back(step());
    for (int i = number(3); i-- > 0;) plan.outputs.push_back(output());
    plan.image = image();
    plan.layers = {1 + number(18), word()};
    if (coin())
      plan.budget = {static_cast<std::uint64_t>(number(1 << 30)), static_cast<std::uint64_t>(number(1 << 30))};
    plan.warnings = words();
    return plan;
  }

 private:
  int number(int most) { return std::uniform_int_distribution<int>(0, most)(random_); }
  bool coin() { return number(1) == 1; }
  std::string word() {
    static const std::vector<std::string> kPieces = {"a",  "Z", "9",  "-",    "é",    "\"",
                                                     "\\", " ", "\n", "${x}", "\x1f", "/b"};
    std::string text = "w";
    for (int i = number(6); i-- > 0;)
      text += kPieces[static_cast<std::size_t>(number(static_cast<int>(kPieces.size()) - 1))];
    return text;
  }
  std::string path() { return cat("p", number(99), "/q", number(99)); }
  std::vector<std::string> words() {
    std::vector<std::string> list;
    for (int i = number(3); i-- > 0;) list.push_back(word());
    return list;
  }
  std::map<std::string, std::string> map() {
    std::map<std::string, std::string> entries;
    for (int i = number(3); i-- > 0;) entries[word()] = word();
    return entries;
  }
  plan::Step step() {
    plan::Step step;
    step.name = word();
    step.argv = words();
    step.argv.push_back(word());
    step.env = map();
    step.folder = path();
    step.inputs = words();
    step.outputs = {path()};
    step.files = {{path(), word()}};
    step.network = coin();
    step.may_fail = coin();
    step.report = static_cast<plan::Report>(number(4));
    if (coin()) step.report_folder = path();
    for (int i = number(2); i-- > 0;) {
      step.fallbacks.push_back({word(), words(), words(), words(), map(), {{path(), word()}}, coin(), word()});
    }
    return step;
  }
  plan::Output output() {
    plan::Output output;
    output.built = coin() ? path() : cat(path(), "/");
    output.installed = cat("/", path());
    output.kind = static_cast<plan::Output::Kind>(number(3));
    if (coin()) output.process = word();
    if (coin()) output.target = word();
    output.only_if_named = coin();
    return output;
  }
  plan::ImageSettings image() {
    plan::ImageSettings image;
    image.entrypoint = words();
    image.processes[word()] = words();
    for (std::string* text : {&image.default_process, &image.user, &image.stop_signal, &image.certificates})
      *text = word();
    image.workdir = cat("/", path());
    image.env = map();
    image.arguments = words();
    image.ports = words();
    image.labels = map();
    image.timezones = words();
    image.files = {{path(), cat("/", path()), "0644"}};
    image.ignore = words();
    image.created = std::to_string(number(1 << 30));
    for (int i = number(3); i-- > 0;)
      image.supplies.push_back({static_cast<plan::Supply::Kind>(number(5)), cat("/", path()), word()});
    return image;
  }

  std::mt19937 random_;
};

}  // namespace

TEST_CASE("any plan survives being written and read, and is written the same again") {
  for (unsigned seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    const BuildPlan plan = Generator(seed).plan();
    const std::string text = plan.canonical();
    const BuildPlan again = BuildPlan::from_json(parse_json(text, "plan.json"), "plan.json");
    REQUIRE(again == plan);
    REQUIRE(again.canonical() == text);
  }
}

TEST_CASE("a plan is written as the contract shows it") {
  const Json json = example().to_json();
  CHECK(json["schema"] == "whittle.plan/v1");
  CHECK(json["appRoot"] == ".");
  CHECK(json["contextRoot"] == ".");
  CHECK(json["runtime"].is_null());
  CHECK(json["values"]["go"] == Json{{"value", "1.25.3"}, {"source", "go.mod:5"}});
  CHECK(json["outputs"][0] ==
        Json{{"built", "out/whoami"}, {"installed", "/bin/whoami"}, {"kind", "program"}, {"process", "whoami"}});
  CHECK(json["steps"][0]["network"] == false);
  CHECK(json["image"]["entrypoint"] == Json{"/bin/whoami"});
  CHECK(json["image"]["workdir"] == "/");
  CHECK(example().canonical().starts_with("{\"appRoot\":\".\",\"contextRoot\":"));
}

TEST_CASE("a plan that this version cannot follow to the letter is refused, with the member's place") {
  struct Case {
    const char* pointer;
    Json value;
    const char* message;
  };
  const std::vector<Case> cases = {
      {"/schema", "whittle.plan/v2",
       "`schema` in p.json is `whittle.plan/v2`, and this version reads `whittle.plan/v1`"},
      {"/surprise", 1, "`surprise` in p.json is not a member that this version knows"},
      {"/steps/0/shell", true, "`steps[0].shell` in p.json is not a member that this version knows"},
      {"/image/volumes", Json::array(), "`image.volumes` in p.json is not a member that this version knows"},
      {"/name", 3, "`name` in p.json has the wrong type"},
      {"/steps", Json::object(), "`steps` in p.json must be a list"},
      {"/steps/0/argv", Json::array(), "`steps[0].argv` in p.json is empty"},
      {"/steps/0/report", "magic", "`steps[0].report` in p.json cannot be `magic`"},
      {"/steps/0/outputs", Json{"../x"},
       "`steps[0].outputs` in p.json must be a path inside the work folder, not `../x`"},
      {"/steps/0/folder", "/etc", "`steps[0].folder` in p.json must be a path inside the work folder, not `/etc`"},
      {"/outputs/0/built", "../../etc/passwd",
       "`outputs[0].built` in p.json must be a path inside the work folder, not `../../etc/passwd`"},
      {"/outputs/0/built", "${keep}/../x",
       "`outputs[0].built` in p.json must be a path inside the work folder, not `${keep}/../x`"},
      {"/outputs/0/installed", "bin/x",
       "`outputs[0].installed` in p.json must be an absolute path without `..`, not `bin/x`"},
      {"/outputs/0/kind", "shell", "`outputs[0].kind` in p.json cannot be `shell`"},
      {"/runtime", Json::object(), "`runtime` in p.json must be null: outputs of the kind `runtime` make it"},
      {"/layers/level", 22, "`layers.level` in p.json must be 1 to 19"},
      {"/image/created", "today", "`image.created` in p.json must be seconds since 1970"},
  };
  for (const Case& one : cases) {
    Json json = example().to_json();
    json[Json::json_pointer(one.pointer)] = one.value;
    const Error error = error_of([&] { BuildPlan::from_json(json, "p.json"); });
    CHECK(error.message() == one.message);
    CHECK(error.exit() == Exit::usage);
  }
  Json json = example().to_json();
  json.erase("platform");
  CHECK(error_of([&] { BuildPlan::from_json(json, "p.json"); }).message() == "`platform` in p.json is missing");
  CHECK_THROWS_AS(BuildPlan::from_json(Json::array(), "p.json"), Error);
}
