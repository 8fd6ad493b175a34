// `Procfile`: one process a line, `name: command`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace whittle::detectors {

struct ProcfileEntry {
  std::string name;
  std::vector<std::string> argv;
  int line = 0;
};

// Words with quotes, as a shell reads them. Throws Error(usage) for whatever else a shell does: `subject` ("the process
// `web`") needs one, and the hint names `process`.
std::vector<std::string> command_words(std::string_view command, std::string_view subject, std::string_view process,
                                       const std::string& place);

// Throws Error(usage) for a line that is none, and for one that needs a shell: there is none in the image. The
// last of several entries with one name wins.
std::vector<ProcfileEntry> parse_procfile(std::string_view text, std::string_view file);

}  // namespace whittle::detectors
