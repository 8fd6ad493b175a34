// Frameworks of Node: where their builds put what is shipped, and whether that is a server or a site of files.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "detectors/node_manifest.hpp"

namespace whittle::detectors {

struct NodeProduct {
  enum class Shape {
    server,      // the application with its packages
    standalone,  // `folder` holds a server with everything that it loads
    site,        // `folder` holds files
  };
  Shape shape = Shape::server;
  std::string framework;            // "Next.js"
  std::string folder;               // below the application
  std::string packages;             // a folder of packages in it: standalone
  std::vector<std::string> beside;  // folders that must lie beside `folder`'s server: "public"
  std::vector<std::string> start;   // arguments of Node; empty: the manifest's start script
  bool single_page = false;         // paths without a file are the page at the root
  std::map<std::string, std::string> build_env, image_env;
  std::string source;  // "package.json:14", "next.config.js:3"
};

// By what the manifest depends on, and the framework's own configuration. `starts` is the program that the start script
// runs, "node" for a file; empty: there is none. Nothing when no framework is known. Throws Error(detector_failed) for
// a framework that cannot be built as it is configured.
std::optional<NodeProduct> node_product(const plan::SourceTree& tree, const NodeManifest& manifest,
                                        const std::string& starts);

// Serves files while one develops, and is not what an image starts.
bool is_development_server(const std::string& program, const std::vector<std::string>& argv);

}  // namespace whittle::detectors
