#include "builder/shipped.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "server/shipped.hpp"

namespace whittle::builder {

namespace {

Error another_version(const plan::Output& output, const server::ShippedServer* here, const std::string& platform) {
  Error error(Exit::input_unavailable,
              cat("this whittle does not bring the program of ", backticked(output.installed)));
  error.detail(cat("the plan wants ", output.shipped));
  error.detail(cat("for ", platform, " there is ", here == nullptr ? "none" : here->digest.str()));
  return error.hint("make the plan with this version: `whittle plan --json`");
}

}  // namespace

void bring_shipped(const plan::BuildPlan& plan, const fs::path& work) {
  for (const plan::Output& output : plan.outputs) {
    if (output.shipped.empty()) continue;
    const server::ShippedServer* const server = server::shipped_server(plan.platform);
    if (server == nullptr || server->digest.str() != output.shipped) {
      throw another_version(output, server, plan.platform);
    }
    const fs::path file = work / output.built;
    make_folders(file.parent_path());
    write_unsynced(file, text_of(server->program), 0755);
  }
}

}  // namespace whittle::builder
