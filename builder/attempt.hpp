// One try at the steps of a plan, under one toolchain: which steps must run, which are in the cache.
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"
#include "builder/inputs.hpp"
#include "builder/reports.hpp"
#include "builder/step_cache.hpp"
#include "builder/step_runner.hpp"
#include "builder/ways.hpp"
#include "builder/work_folder.hpp"

namespace whittle::builder {

class Attempt {
 public:
  struct Setting {
    const plan::BuildPlan& plan;
    const Inputs& inputs;
    const Host& host;
    const Options& options;
    const FoundToolchain* toolchain;  // may be null
    std::string variant;              // part of the logs' names
  };
  Attempt(const Setting& setting, WorkFolder& work, const StepCache& cache, KnownFiles& known, ProcessRunner& runner,
          EventSink& events, std::stop_token stop);

  // Runs what has to run and returns what the tools reported. Afterwards the outputs lie in the work folder, but for
  // those of `not_restored`, which the cache has and no step needed.
  std::vector<plan::ReportedProgram> run();
  const std::vector<CachedFile>& not_restored() const { return not_restored_; }
  // What had to be done differently, as warnings.
  const std::vector<std::string>& warnings() const { return warnings_; }
  // A source file that a step has read though it is none of its inputs; empty: none. Then nothing was kept of that
  // step, and what came after it.
  const std::string& beyond_inputs() const { return beyond_inputs_; }
  // What the steps ran in, also those whose work is from the cache: see Built::sandbox.
  const std::string& sandbox() const { return sandbox_; }
  // After run() has thrown: the step that failed and what it said.
  const Failure& failure() const { return failure_; }

 private:
  bool is_fetched(std::size_t step) const;
  bool is_restored(std::size_t step, std::size_t end) const;
  bool is_needed(const std::string& output, std::size_t step, std::size_t end) const;
  bool bring_back(std::size_t step, std::size_t end);
  std::string look_beyond(const plan::Step& step, const std::string& out,
                          const std::vector<plan::ReportedProgram>& reported) const;
  std::size_t first_not_needed() const;
  void refuse_offline(std::size_t end) const;
  std::vector<ProbedTool> tools(std::size_t end) const;
  void bring_tools(std::size_t end) const;
  void run_step(std::size_t step);
  std::string run_command(std::size_t step, const ProgramSnapshot& before, std::string& sandbox);
  std::optional<CachedResult> kept(const Digest& key) const;
  bool goes_on(std::size_t step, StepRunner& runner, std::string& out, Error& error);
  bool has_made_everything(std::size_t step, const ProgramSnapshot& before) const;
  void collect(const CachedResult& result);
  void note_sandbox(const std::string& of_step);
  std::vector<fs::path> fetch_marks(std::size_t step) const;
  std::vector<plan::ReportedProgram> report_of(const plan::Step& step, const std::string& out,
                                               const ProgramSnapshot& before) const;

  Setting setting_;
  WorkFolder& work_;
  const StepCache& cache_;
  KnownFiles& known_;
  ProcessRunner& runner_;
  EventSink& events_;
  std::stop_token stop_;
  Places places_;
  std::vector<Digest> keys_;
  std::vector<std::optional<CachedResult>> hits_;
  std::vector<CachedFile> not_restored_;
  std::vector<plan::ReportedProgram> reported_;
  std::vector<std::string> warnings_;
  std::string beyond_inputs_;
  std::string sandbox_;
  Failure failure_;
};

}  // namespace whittle::builder
