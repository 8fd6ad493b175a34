#include "detectors/static_site.hpp"

#include <array>

#include "base/error.hpp"
#include "base/text.hpp"
#include "detectors/outputs.hpp"
#include "detectors/places.hpp"
#include "server/shipped.hpp"

namespace whittle::detectors {

namespace {

constexpr std::string_view kServer = "/bin/static-server", kSite = "/srv", kProcess = "web", kPort = "8080/tcp";

// Beside the pages, at the root of a tree: for builders, hosts and readers of the source. Docker's patterns.
constexpr std::array kForAuthors =
    std::to_array<std::string_view>({"Dockerfile",      "Dockerfile.*",  "Containerfile",     "docker-compose*.y*ml",
                                     "compose.y*ml",    "Makefile",      "Procfile",          "Staticfile",
                                     "Staticfile.auth", "static.json",   "whittle.toml",      "netlify.toml",
                                     "vercel.json",     "firebase.json", "railway.json",      "railpack.json",
                                     "fly.toml",        "render.yaml",   "app.json",          "nginx.conf",
                                     "Caddyfile",       "package.json",  "package-lock.json", "node_modules",
                                     "README*",         "LICENSE*",      "CONTRIBUTING*",     "CHANGELOG*"});

void add_server(plan::BuildPlan& plan, bool single_page) {
  plan::Output server;
  server.built = cat(plan::kShipped, last_part(kServer));
  server.installed = kServer;
  server.process = kProcess;
  plan.outputs.push_back(std::move(server));
  std::vector<std::string> argv = {std::string(kServer), "--digests", std::string(plan::kSiteDigests)};
  if (single_page) argv.emplace_back("--single-page");
  argv.emplace_back(kSite);
  plan.image.processes[std::string(kProcess)] = std::move(argv);
  plan.image.site = kSite;
  plan.image.ports = {std::string(kPort)};
  plan.values["ports"] = {std::string(kPort), "default"};
}

}  // namespace

void serve_static(plan::BuildPlan& plan, const std::string& built, bool single_page) {
  add_output(plan, built, kSite, plan::Output::Kind::data);
  add_server(plan, single_page);
}

void serve_static_source(plan::BuildPlan& plan, const Surroundings& surroundings, const std::string& folder,
                         bool single_page) {
  const std::string place = joined(surroundings.app_in_context, folder);
  const std::string before = place == "." ? "" : cat(place, "/");
  plan::FileMapping files{.source = cat(place, "/"), .path = std::string(kSite), .mode = "0644"};
  files.ignore = {cat(before, "**/.*"), cat("!", before, ".well-known")};
  if (joined(".", folder) == ".") {
    for (const std::string_view name : kForAuthors) files.ignore.push_back(cat(before, name));
  }
  plan.image.files.push_back(std::move(files));
  add_server(plan, single_page);
}

bool wants_single_page(const plan::Config& config, bool inferred) {
  if (!config.single_page || config.single_page->value == "auto") return inferred;
  return config.single_page->value == "always";
}

void settle_static_server(plan::BuildPlan& plan) {
  for (plan::Output& output : plan.outputs) {
    if (!output.built.starts_with(plan::kShipped)) continue;
    const server::ShippedServer* const server = server::shipped_server(plan.platform);
    if (server != nullptr) {
      output.shipped = server->digest.str();
      continue;
    }
    const std::vector<std::string> known = server::shipped_platforms();
    Error error(Exit::input_unavailable, cat("this whittle brings no file server for ", plan.platform));
    error.detail(cat("it has one for ", join(known, ", ")));
    throw error.hint(
        "build whittle where there is a compiler for that platform: `pip install ziglang`, then `scripts/build`");
  }
}

}  // namespace whittle::detectors
