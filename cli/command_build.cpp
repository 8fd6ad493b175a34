// whittle build: source tree → image in the store, and where else it is wanted.
#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/image_source.hpp"

namespace whittle::cli {

int build(const BuildOptions& options, bool json, Session& session) {
  const BuildResult result = build_image(options, session);
  if (!json) {
    session.out() << result.reference << "\n";
    return 0;
  }
  Json platforms = Json::array();
  for (const PlatformImage& image : result.platforms) {
    platforms.push_back(
        {{"platform", image.platform}, {"digest", image.digest.str()}, {"compressed", image.compressed}});
  }
  session.out() << pretty_json({{"schema", "whittle.build/v1"},
                                {"reference", result.reference},
                                {"name", store_name(result.name)},
                                {"digest", result.root.digest.str()},
                                {"platform", result.root.platform ? result.root.platform->str() : ""},
                                {"platforms", platforms},
                                {"compressed", result.compressed},
                                {"unchanged", result.unchanged}});
  return 0;
}

}  // namespace whittle::cli
