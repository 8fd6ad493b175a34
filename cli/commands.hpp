// The commands. Each returns the exit code of the program and throws Error for what fails; data goes to
// Session::out(), everything else to Session::events().
#pragma once

#include <string>
#include <vector>

#include "cli/pipeline.hpp"
#include "cli/session.hpp"

namespace whittle::cli {

struct DetectOptions {
  std::string folder = ".";
  bool json = false;
};
struct PlanOptions {
  BuildOptions build;
  bool json = false;
};
struct RunOptions {
  std::string image;
  std::string process;  // --process, empty: the default one
  std::string memory;   // --memory 10MB
  std::vector<std::string> env;
  std::vector<std::string> arguments;
  bool allow_http = false;
};
struct ImageOptions {
  std::string image;        // may be empty for `validate`: the whole store
  std::string destination;  // of `push`
  bool json = false, files = false, allow_http = false, all_platforms = false;
};

int detect(const DetectOptions& options, Session& session);
int plan(const PlanOptions& options, Session& session);
int build(const BuildOptions& options, bool json, Session& session);
int run(const RunOptions& options, Session& session);
int check(const ImageOptions& options, Session& session);
int images(bool json, Session& session);
int inspect(const ImageOptions& options, Session& session);
int validate(const ImageOptions& options, Session& session);
int push(const ImageOptions& options, Session& session);
int pull(const ImageOptions& options, Session& session);
int doctor(bool json, Session& session);
int cache_info(bool json, Session& session);
int cache_gc(Session& session);

}  // namespace whittle::cli
