#include "gateway/program.hpp"

#include "base/text.hpp"

namespace whittle::gateway {

namespace {

constexpr std::size_t kLinesShown = 8;

}  // namespace

void Runtime::check_stop() const {
  if (stop.stop_requested()) throw Error(Exit::transient, "cancelled");
}

Error program_failed(const Command& command, const CapturedOutput& captured, const std::string& doing) {
  Error error(Exit::transient, cat("cannot ", doing));
  error.detail(shell_line(command.argv));
  const std::vector<std::string> lines = split_lines(captured.error.empty() ? captured.out : captured.error);
  for (std::size_t i = lines.size() > kLinesShown ? lines.size() - kLinesShown : 0; i < lines.size(); ++i) {
    if (!trim(lines[i]).empty()) error.cause(printable(lines[i]));
  }
  if (error.causes().empty()) error.cause(cat("it ended with ", captured.result.status));
  return error;
}

std::string run_program(const Runtime& runtime, Command command, const std::string& doing) {
  if (command.env.empty()) command.env = runtime.environment;
  CapturedOutput captured = run_captured(runtime.runner, command, runtime.stop);
  if (captured.result.cancelled) throw Error(Exit::transient, "cancelled");
  if (!captured.result.ok()) throw program_failed(command, captured, doing);
  return std::move(captured.out);
}

}  // namespace whittle::gateway
