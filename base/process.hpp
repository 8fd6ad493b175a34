// Starting programs: never through a shell, with exactly the environment given, in a process group of
// their own so that cancelling leaves nothing running.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/stream.hpp"

namespace whittle {

struct Command {
  std::vector<std::string> argv;           // argv[0] is an absolute path, or searched in env["PATH"]
  std::map<std::string, std::string> env;  // the whole environment
  std::filesystem::path folder;            // working directory; empty: the caller's
  bool inherit_terminal = false;           // standard input, output and error are the caller's (`whittle run`)
  std::string input = {};                  // what standard input gives; empty: /dev/null
  Source* feed = nullptr;                  // the same, as the program takes it; read by another thread
};

struct ProcessResult {
  int status = 0;          // exit status; 128 + signal when a signal ended it
  bool cancelled = false;  // stopped because the token asked for it
  bool ok() const { return status == 0 && !cancelled; }
};

enum class OutputStream { out, error };
// Receives output as it comes, in pieces of any size; called from one thread at a time.
using OutputFunction = std::function<void(OutputStream, std::string_view)>;

class ProcessRunner {
 public:
  virtual ~ProcessRunner() = default;
  // Runs until the program ends. Standard input is `input`. When `stop` is requested the whole process
  // group gets SIGTERM, and SIGKILL two seconds later; what the program left in its group is killed when it
  // ends. Nothing of the group is left on return. With `inherit_terminal` the program alone gets one SIGTERM.
  // Throws Error when the program cannot be started, and what `feed` throws once the program has been ended for it.
  virtual ProcessResult run(const Command& command, const OutputFunction& output, std::stop_token stop) = 0;
};

class SystemProcessRunner : public ProcessRunner {
 public:
  ProcessResult run(const Command& command, const OutputFunction& output, std::stop_token stop) override;
};

// Runs and keeps standard output (at most 64 MiB); standard error is kept apart.
struct CapturedOutput {
  ProcessResult result;
  std::string out, error;
};
CapturedOutput run_captured(ProcessRunner& runner, const Command& command, std::stop_token stop = {});
// The same for a question that changes nothing: Error(transient) when it was cancelled.
CapturedOutput ask_program(ProcessRunner& runner, const Command& command, std::stop_token stop);

// The absolute path of an executable file `name` in the colon-separated `search_path`.
std::optional<std::filesystem::path> find_program(std::string_view name, std::string_view search_path);

}  // namespace whittle
