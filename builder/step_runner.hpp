// Runs one step: environment, files, log, and the error when it fails.
#pragma once

#include <optional>
#include <span>
#include <stop_token>
#include <string>

#include "base/error.hpp"
#include "base/event.hpp"
#include "builder/environment.hpp"
#include "builder/placeholders.hpp"
#include "builder/sandbox.hpp"
#include "builder/secrets.hpp"

namespace whittle::builder {

class StepRunner {
 public:
  struct Setting {
    const plan::BuildPlan& plan;
    const Host& host;
    const Places& places;
    std::span<const ProbedTool> tools;  // found on the PATH of the steps
    const FoundToolchain* toolchain;    // may be null
    fs::path logs;                      // one file a step
    std::string variant;                // part of the logs' names: "-host", "-musl-wrapper"
    Sandbox* sandbox = nullptr;         // null: steps run as they are
    const Secrets* secrets = nullptr;   // null: none
  };
  StepRunner(const Setting& setting, ProcessRunner& runner, EventSink& events, std::stop_token stop)
      : setting_(setting), runner_(runner), events_(events), stop_(std::move(stop)) {}

  // Returns standard output when the step has a report, which is then kept from the last lines and events.
  // Throws Error(build_failed) with the last lines and the log's place; Error(transient) after a cancellation.
  std::string run(const plan::Step& step, std::size_t number);
  // Whether the last step ran in the sandbox.
  bool was_confined() const { return was_confined_; }
  // The end of what the step wrote, without its report.
  const std::string& said() const { return said_; }

 private:
  Command command_for(const plan::Step& step) const;
  Error failed_step(const plan::Step& step, const Command& command, const ProcessResult& result,
                    std::span<const std::string> last, const std::optional<View>& view) const;
  void write_files(const plan::Step& step) const;
  void make_output_folders(const plan::Step& step) const;

  Setting setting_;
  ProcessRunner& runner_;
  EventSink& events_;
  std::stop_token stop_;
  std::string said_;
  bool was_confined_ = false;
};

// What a person reads first of a failed step: the first line of `lines` that speaks of an error, else the last.
std::string telling_line(std::span<const std::string> lines);
// The same of an error of a step or a proof, with the error's own first line.
std::string gist(const Error& error);

}  // namespace whittle::builder
