// whittle build: source tree → image in the store, and where else it is wanted.
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/image_source.hpp"

namespace whittle::cli {

namespace {

Json json_of(const BuildResult& result) {
  Json platforms = Json::array();
  for (const PlatformImage& image : result.platforms) {
    platforms.push_back({{"platform", image.platform},
                         {"digest", image.digest.str()},
                         {"compressed", image.compressed},
                         {"sandbox", image.sandbox}});
  }
  return {{"schema", "whittle.build/v1"},
          {"reference", result.reference},
          {"name", store_name(result.name)},
          {"digest", result.root.digest.str()},
          {"platform", result.root.platform ? result.root.platform->str() : ""},
          {"platforms", platforms},
          {"compressed", result.compressed},
          {"unchanged", result.unchanged}};
}

// One line as soon as there is an image; with JSON one document at the end.
int build_all(const BuildOptions& options, bool json, Session& session) {
  const std::vector<std::string> programs = programs_of(options, session);
  for (const std::string& output : options.outputs) {
    if (programs.size() < 2 || !output.starts_with("archive:")) continue;
    throw Error(Exit::usage, cat("`--all` makes ", programs.size(), " images, and ", backticked(output), " holds one"))
        .hint("use `-o oci:DIR`, which holds any number");
  }
  Json images = Json::array();
  for (const std::string& program : programs) {
    BuildOptions one = options;
    one.program = program;
    const BuildResult result = build_image(one, session);
    if (!json) session.out() << result.reference << "\n" << std::flush;
    images.push_back(json_of(result));
  }
  if (json) session.out() << pretty_json({{"schema", "whittle.builds/v1"}, {"images", std::move(images)}});
  return 0;
}

}  // namespace

int build(const BuildOptions& options, bool json, Session& session) {
  if (options.all) return build_all(options, json, session);
  const BuildResult result = build_image(options, session);
  if (json) {
    session.out() << pretty_json(json_of(result));
  } else {
    session.out() << result.reference << "\n";
  }
  return 0;
}

}  // namespace whittle::cli
