// Runs the steps of a plan and proves what they made.
//
// Work happens below `Host::cache`: `work/` holds the folder of a running build (removed when it is
// let go), `steps/` and `objects/` what steps made, `logs/` full logs, `tools/` the tools' own caches. The source tree
// is never written to. Several builds may run at once, also of the same tree.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/event.hpp"
#include "base/files.hpp"
#include "base/process.hpp"
#include "builder/toolchain.hpp"
#include "plan/artifact.hpp"
#include "plan/build_plan.hpp"

namespace whittle::builder {

class Downloader;
class Sandbox;
class Secrets;

struct Options {
  bool offline = false;  // a step or tool that needs the network is an Error(input_unavailable) listing them all
  unsigned jobs = 0;     // 0: one per processor
  std::optional<std::chrono::seconds> time_limit = {};  // of all steps together
  Downloader* downloader = nullptr;                     // borrowed; null: no tool can be fetched
  Sandbox* sandbox = nullptr;                           // borrowed; null: steps run as they are
  const Secrets* secrets = nullptr;                     // borrowed; null: none
};

struct Built {
  plan::BuildPlan plan;                   // settled: every output exact
  std::vector<plan::Artifact> artifacts;  // programs, proved, and data outputs (not `image.files`); by installed path
  plan::RuntimeNeeds needs;               // evidence from the proofs
  std::vector<ProbedTool> tools;
  std::vector<std::string> warnings;
  std::string sandbox;  // what the steps ran in when this was made: "bubblewrap" or "none"; empty without steps
  // Keeps the files of `artifacts` alive: as long as somebody has it `remove_leftovers` says that the cache is in use.
  std::shared_ptr<void> keeps_files;
};

// What identifies the inputs of a build: canonical plan, content of the source files (through the stat
// index, so unchanged files are not read), identity of the tools. Starts no process unless a tool has
// not been probed before.
struct InputKey {
  Digest digest;
  std::vector<ProbedTool> tools;
  std::shared_ptr<const struct Inputs> inputs;  // what was found, for `build`
};
InputKey input_key(const plan::BuildPlan& plan, const fs::path& source, const Host& host, ProcessRunner& runner,
                   EventSink& events, std::stop_token stop);
// The same for several plans of one tree, which is looked at once.
std::vector<InputKey> input_keys(std::span<const plan::BuildPlan> plans, const fs::path& source, const Host& host,
                                 ProcessRunner& runner, EventSink& events, std::stop_token stop);

// Whether looking again would find the same source. Status calls only, unless a file was written just before `found`.
bool source_is_unchanged(const InputKey& found, const plan::BuildPlan& plan, const fs::path& source, const Host& host,
                         ProcessRunner& runner, EventSink& events, std::stop_token stop);

// Builds what `input_key` has found, with the same plan and host. Throws Error(build_failed) with the last lines and
// the log's place, Error(not_static) with every reason, Error(transient) after a cancellation.
Built build(const plan::BuildPlan& plan, InputKey found, const Host& host, const Options& options,
            ProcessRunner& runner, EventSink& events, std::stop_token stop);

// Removes what interrupted builds left in the cache. False while a build is running: what else is in the
// cache then belongs to it.
bool remove_leftovers(const Host& host, EventSink& events);

}  // namespace whittle::builder
