#include <doctest/doctest.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "detectors/static_site.hpp"
#include "server/shipped.hpp"
#include "tests/detectors/support.hpp"

using namespace whittle;
using test::Files;
using test::Project;

namespace {

std::string argv_of(const plan::BuildPlan& plan) {
  return join(plan.image.processes.at("web"), " ");
}

const std::string kServed = "/bin/static-server --digests /etc/site.digests /srv";
const std::string kSinglePage = "/bin/static-server --digests /etc/site.digests --single-page /srv";

}  // namespace

TEST_CASE("a site is its files and the server that whittle brings along") {
  const plan::BuildPlan plan = Project(Files{{"public/index.html", ""}, {"notes.md", ""}}).plan();
  CHECK(plan.steps.empty());
  CHECK(plan.tools.empty());
  REQUIRE(plan.image.files.size() == 1);
  CHECK(plan.image.files[0].source == "public/");
  CHECK(plan.image.files[0].path == "/srv");
  CHECK(plan.image.files[0].ignore == test::Strings{"public/**/.*", "!public/.well-known"});
  CHECK(plan.image.site == "/srv");
  CHECK(plan.image.ports == test::Strings{"8080/tcp"});
  CHECK(argv_of(plan) == kServed);
  CHECK(plan.image.entrypoint == plan.image.processes.at("web"));
  REQUIRE(plan.outputs.size() == 1);
  CHECK(plan.outputs[0].built == "shipped/static-server");
  CHECK(plan.outputs[0].shipped == server::shipped_server("linux/amd64")->digest.str());
  CHECK(plan::BuildPlan::from_json(plan.to_json(), "a plan") == plan);
}

TEST_CASE("what only the authors of a page need stays with them") {
  const plan::BuildPlan plan = Project(Files{{"index.html", ""}, {"Dockerfile", ""}}).plan();
  const test::Strings& ignored = plan.image.files[0].ignore;
  CHECK(plan.image.files[0].source == "./");
  for (const char* pattern : {"**/.*", "!.well-known", "Dockerfile", "whittle.toml", "README*"}) {
    CAPTURE(pattern);
    CHECK(std::find(ignored.begin(), ignored.end(), pattern) != ignored.end());
  }
}

TEST_CASE("files of the configuration are put beside the site") {
  const std::string config = "[image]\nfiles = [{ source = \"more/\", path = \"/srv/more\" }]\n";
  const plan::BuildPlan plan =
      Project(Files{{"public/index.html", ""}, {"more/a.txt", ""}, {"whittle.toml", config}}).plan();
  REQUIRE(plan.image.files.size() == 2);
  CHECK(plan.image.files[1].path == "/srv/more");
}

TEST_CASE("a site in a monorepo is named as seen from its context") {
  const Project project(Files{{"web/index.html", ""}, {"go.work", ""}}, test::Inside{"web"});
  const plan::BuildPlan plan = project.plan();
  CHECK(plan.image.files[0].source == "web/");
  CHECK(plan.image.files[0].ignore.front() == "web/**/.*");
}

TEST_CASE("a single page is known by what other hosts are told") {
  const auto argv = [](Files files) {
    files["index.html"] = "";
    return argv_of(Project(std::move(files)).plan());
  };
  CHECK(argv({}) == kServed);
  CHECK(argv({{"Staticfile", "pushstate: enabled\n"}}) == kSinglePage);
  CHECK(argv({{"Staticfile", "pushstate: disabled\n"}}) == kServed);
  CHECK(argv({{"static.json", R"({"root": ".", "routes": {"/**": "index.html"}})"}}) == kSinglePage);
  CHECK(argv({{"static.json", R"({"root": ".", "routes": {"/old": "index.html"}})"}}) == kServed);
  CHECK(argv({{"firebase.json",
               R"({"hosting": {"public": ".", "rewrites": [{"source": "**", "destination": "/index.html"}]}})"}}) ==
        kSinglePage);
  CHECK(argv({{"firebase.json", R"({"hosting": {"public": ".", "rewrites": [{"source": "**", "run": {}}]}})"}}) ==
        kServed);
  CHECK(argv({{"netlify.toml", "[[redirects]]\nfrom = \"/*\"\nto = \"/index.html\"\nstatus = 200\n"}}) == kSinglePage);
  CHECK(argv({{"netlify.toml", "[[redirects]]\nfrom = \"/*\"\nto = \"https://example.com\"\n"}}) == kServed);
  CHECK(argv({{"_redirects", "# all\n/*    /index.html   200\n"}}) == kSinglePage);
  CHECK(argv({{"_redirects", "/*  /index.html  302\n"}}) == kServed);
  CHECK(argv({{"200.html", ""}}) == kSinglePage);
  CHECK(argv({{"200.html", ""}, {"whittle.toml", "[site]\nsingle-page = \"never\"\n"}}) == kServed);
  CHECK(argv({{"whittle.toml", "[site]\nsingle-page = \"always\"\n"}}) == kSinglePage);
}

TEST_CASE("a folder that a step makes is served as data") {
  plan::BuildPlan plan;
  plan.platform = "linux/amd64";
  detectors::serve_static(plan, "src/dist", true);
  detectors::settle_static_server(plan);
  REQUIRE(plan.outputs.size() == 2);
  CHECK(plan.outputs[0].built == "src/dist");
  CHECK(plan.outputs[0].installed == "/srv");
  CHECK(plan.outputs[0].kind == plan::Output::Kind::data);
  CHECK(plan.outputs[1].process == "web");
  CHECK(argv_of(plan) == kSinglePage);
}

TEST_CASE("a platform that no server was compiled for is refused when the plan is made") {
  Project project(Files{{"index.html", ""}});
  project.platform = "linux/s390x";
  const Error error = project.error();
  CHECK(error.exit() == Exit::input_unavailable);
  CHECK(error.message() == "this whittle brings no file server for linux/s390x");
  CHECK(error.details().front().find("linux/amd64") != std::string::npos);
}

TEST_CASE("broken files of other hosts are failures with their place") {
  for (const auto& [file, text] :
       {std::pair{"static.json", "{"}, std::pair{"firebase.json", "[1"}, std::pair{"netlify.toml", "[build"},
        std::pair{"static.json", R"({"root": 1})"}, std::pair{"static.json", R"({"root": "/../.."})"}}) {
    CAPTURE(file);
    CAPTURE(text);
    const Error error = Project(Files{{"index.html", ""}, {file, text}}).error();
    CHECK(error.exit() == Exit::detector_failed);
  }
}
