// What a detector saw (`whittle.detect/v1`).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "plan/build_plan.hpp"

namespace whittle::plan {

struct Evidence {
  std::string file;
  int line = 0;  // 0: the file as a whole
  std::string rule;
};

// Something that could be built and run.
struct App {
  std::string name;
  std::string path;  // folder, relative to the application root
  bool is_default = false;
};

// A detector's answer. `plan` holds tools, steps, outputs and values; decide() adds the rest.
struct Detection {
  std::string detector, language;
  int score = 0;  // 1…100; see docs/design/detection.md for the scale
  std::vector<Evidence> evidence;
  std::vector<App> apps;
  bool may_have_other_programs = false;  // the build system can have targets that were not read
  std::vector<std::string> warnings;
  // Words that begin a command line of this project, with what they stand for in the image: "gunicorn" →
  // {"/usr/bin/python3", "-m", "gunicorn"}. Several words may begin a line: "npm start". Programs of the plan need no
  // entry.
  std::map<std::string, std::vector<std::string>> commands;
  BuildPlan plan;
};

}  // namespace whittle::plan
