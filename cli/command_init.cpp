// whittle init: writes the whittle.toml that spells out what was inferred.
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "plan/config_text.hpp"

namespace whittle::cli {

int init(const InitOptions& options, Session& session) {
  const BuildOptions build{.folder = options.folder};
  const OpenedTree tree = open_tree(build, session);
  if (!options.print && tree.app.find("whittle.toml") != nullptr) {
    throw Error(Exit::usage, "there is a `whittle.toml` already")
        .at(tree.app.root().native())
        .hint("`whittle init --print` shows what would be written, with what that file says")
        .note("nothing was changed");
  }
  const std::vector<plan::BuildPlan> plans = make_plans(tree, build, session);
  warn_once(plans, session.events());
  const std::string text = plan::config_text(plans.front());
  if (options.print) {
    session.out() << text;
    return 0;
  }
  const fs::path file = tree.app.root() / "whittle.toml";
  write_file(file, text);
  session.events().info(cat("wrote ", printable(file.native())));
  return 0;
}

}  // namespace whittle::cli
