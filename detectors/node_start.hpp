// What starts an application of Node: scripts as words, without the shell that package managers hand them to.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "detectors/node_manifest.hpp"

namespace whittle::detectors {

// In the image.
inline constexpr std::string_view kNode = "/bin/node", kSignals = "/lib/node/signals.cjs", kNodeApplication = "/app";

struct NodeCommand {
  std::vector<std::string> argv;           // in the image; relative to the application's folder
  std::map<std::string, std::string> env;  // set before the program
  std::string script;                      // the file that Node runs, as written; empty: a program of a package
  std::string program;                     // of a package: "next"
  std::string source;                      // "package.json:7"
};

std::vector<std::string> node_argv(const std::vector<std::string>& arguments);

// A command line: `node x.js`, `NODE_ENV=production node x`, `npm run serve`, `next start`. Throws Error(usage) where
// it needs a shell, and Error(detector_failed) where it starts what the image will not have. `what` is "the script
// `start`".
NodeCommand node_command(const std::string& line, const NodeManifest& manifest, const std::string& what,
                         const std::string& place);

// Which package of the manifest a program is from, by what is known of names; empty: none.
std::string package_of_program(const NodeManifest& manifest, const std::string& program);

}  // namespace whittle::detectors
