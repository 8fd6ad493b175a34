#include "builder/attempt.hpp"

#include <algorithm>
#include <thread>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/fetched_tool.hpp"
#include "builder/files_read.hpp"
#include "builder/secrets.hpp"

namespace whittle::builder {

namespace {

using plan::Report;

// Its answer does not depend on programs that lie somewhere.
bool is_pure_report(const plan::Step& step) {
  return step.report == Report::go_list;
}

Json facts_of(const std::vector<plan::ReportedProgram>& reported, const std::string& sandbox) {
  Json list = Json::array();
  for (const plan::ReportedProgram& program : reported) {
    list.push_back({{"name", program.name}, {"path", program.path}, {"installed", program.installed}});
  }
  return {{"reported", list}, {"sandbox", sandbox}};
}

std::string name_of_sandbox(const StepRunner& runner) {
  return runner.was_confined() ? Sandbox::kBubblewrap : Sandbox::kNone;
}

}  // namespace

Attempt::Attempt(const Setting& setting, WorkFolder& work, const StepCache& cache, KnownFiles& known,
                 ProcessRunner& runner, EventSink& events, std::stop_token stop)
    : setting_(setting),
      work_(work),
      cache_(cache),
      known_(known),
      runner_(runner),
      events_(events),
      stop_(std::move(stop)),
      keys_(step_keys(setting.plan, setting.inputs, setting.toolchain)) {
  const unsigned jobs = setting.options.jobs == 0 ? std::thread::hardware_concurrency() : setting.options.jobs;
  places_ = {.work = work.path(),
             .source = work.source(),
             .keep = work.keep(),
             .tools = setting.host.cache / "tools",
             .jobs = std::max(1U, jobs)};
}

// A fetching step has filled caches that outlive it; a mark in each says that this was done for the same inputs.
std::vector<fs::path> Attempt::fetch_marks(std::size_t step) const {
  std::vector<fs::path> marks;
  const std::string name = cat(".whittle-fetched-", keys_[step].hex().substr(0, 32));
  for (const fs::path& folder : cache_folders_of(setting_.plan.steps[step], places_)) marks.push_back(folder / name);
  return marks;
}

bool Attempt::is_fetched(std::size_t step) const {
  const std::vector<fs::path> marks = fetch_marks(step);
  return !marks.empty() &&
         std::all_of(marks.begin(), marks.end(), [](const fs::path& mark) { return fs::exists(mark); });
}

// Steps from there on need not run: what they would make is in the cache.
// A step that declares outputs is done when they are there. One that declares none has done its work in
// the work folder: it is needed by every later step that runs, and by the plan's outputs when no later step
// declares any.
std::size_t Attempt::first_not_needed() const {
  const std::vector<plan::Step>& steps = setting_.plan.steps;
  bool is_captured_later = false;
  for (std::size_t i = steps.size(); i-- > 0;) {
    const plan::Step& step = steps[i];
    const bool reports = step.report != Report::none;
    const bool is_done = !step.outputs.empty() || (reports && !is_captured_later && is_pure_report(step))
                             ? hits_[i].has_value()
                             : is_captured_later && (!reports || hits_[i].has_value());
    if (!is_done) return i + 1;
    is_captured_later = is_captured_later || !step.outputs.empty();
  }
  return 0;
}

void Attempt::refuse_offline(std::size_t end) const {
  std::vector<std::string> lines;
  for (const ProbedTool& tool : end > 0 ? tools(end) : std::vector<ProbedTool>{}) {
    for (std::string& part : missing_parts(tool)) {
      if (std::find(lines.begin(), lines.end(), part) == lines.end()) lines.push_back(std::move(part));
    }
  }
  const std::size_t missing_tools = lines.size();
  for (std::size_t i = 0; i < end; ++i) {
    const plan::Step& step = setting_.plan.steps[i];
    if (!step.network || hits_[i] || is_fetched(i)) continue;
    lines.push_back(cat(step.name, ": ", shell_line(step.argv)));
  }
  if (lines.empty() || !setting_.options.offline) return;
  const char* const things = missing_tools == 0              ? " steps"
                             : missing_tools == lines.size() ? " tools"
                                                             : " tools and steps";
  const char* const thing = missing_tools == 0 ? "a step needs" : "a tool needs";
  Error error(Exit::input_unavailable, cat(lines.size() == 1 ? cat(thing) : cat(lines.size(), things, " need"),
                                           " the network, and `--offline` forbids it"));
  for (std::string& line : lines) error.detail(std::move(line));
  throw error.hint("run the same command once without `--offline`; what it fetches is kept");
}

// What the steps up to there start; a compiler only when one of them says so.
std::vector<ProbedTool> Attempt::tools(std::size_t end) const {
  std::vector<ProbedTool> all = setting_.inputs.tools;
  const std::vector<plan::Step>& steps = setting_.plan.steps;
  const bool compiles =
      std::any_of(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(end),
                  [](const plan::Step& step) { return mentions(step, "cc") || mentions(step, "cxx"); });
  if (setting_.toolchain != nullptr && compiles) {
    all.insert(all.end(), setting_.toolchain->tools.begin(), setting_.toolchain->tools.end());
  }
  return all;
}

void Attempt::bring_tools(std::size_t end) const {
  for (const ProbedTool& tool : tools(end)) {
    if (missing_parts(tool).empty()) continue;
    if (setting_.options.downloader == nullptr) {
      throw Error(Exit::input_unavailable, cat(backticked(tool.name), " ", tool.version, " is not here"))
          .hint("fetching tools is switched off");
    }
    bring(tool, setting_.host, *setting_.options.downloader, runner_, events_, stop_);
  }
}

std::vector<plan::ReportedProgram> Attempt::run() {
  const std::vector<plan::Step>& steps = setting_.plan.steps;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const bool is_kept = !steps[i].outputs.empty() || steps[i].report != Report::none;
    hits_.push_back(is_kept && (!steps[i].network || is_fetched(i)) ? kept(keys_[i]) : std::nullopt);
  }
  const std::size_t end = first_not_needed();
  refuse_offline(end);
  if (end > 0) bring_tools(end);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (stop_.stop_requested()) {
      throw Error(Exit::transient, cat("cancelled before step ", backticked(steps[i].name)))
          .note("nothing was changed; the same command goes on from what is cached");
    }
    if (is_restored(i, end)) {
      const bool is_brought = bring_back(i, end);
      collect(*hits_[i]);
      events_.verbose(cat(steps[i].name, is_brought ? ": from the cache" : ": stays in the cache"));
    } else if (i < end) {
      run_step(i);
    }
  }
  return std::move(reported_);
}

bool Attempt::is_restored(std::size_t step, std::size_t end) const {
  return hits_[step] && (step >= end || !setting_.plan.steps[step].outputs.empty());
}

// Whether something of `output`, which `step` made, may be looked for in the work folder: by a later step that runs, by
// one that makes something in it, or, when no later step says what it needs, after the last one.
bool Attempt::is_needed(const std::string& output, std::size_t step, std::size_t end) const {
  const std::vector<plan::Step>& steps = setting_.plan.steps;
  const auto meets = [&](const std::string& other) {
    return other == plan::kEverything || is_within(output, other) || is_within(other, output);
  };
  const auto meet = [&](const std::vector<std::string>& others) {
    return std::any_of(others.begin(), others.end(), meets);
  };
  bool is_passed_over = false;
  for (std::size_t i = step + 1; i < steps.size(); ++i) {
    const bool is_read = meet(steps[i].needs);
    if (meet(steps[i].outputs) || (is_read && i < end && !is_restored(i, end))) return true;
    is_passed_over = is_passed_over || !is_read;
  }
  return !is_passed_over;
}

// False: some of it was left where it is.
bool Attempt::bring_back(std::size_t step, std::size_t end) {
  // Whoever gives a secret wants it looked for in all that is kept.
  const Secrets* const secrets = setting_.options.secrets;
  const bool needs_all = secrets != nullptr && !secrets->all().empty();
  bool is_whole = true;
  for (const std::string& output : setting_.plan.steps[step].outputs) {
    std::vector<CachedFile> files = files_below(hits_[step]->files, output);
    if (needs_all || is_needed(output, step, end)) {
      cache_.restore(files, places_.work, known_);
    } else {
      is_whole = false;
      std::move(files.begin(), files.end(), std::back_inserter(not_restored_));
    }
  }
  return is_whole;
}

// A step that fails may have done its work: what fails last in a Makefile is often a manual page.
bool Attempt::has_made_everything(std::size_t index, const ProgramSnapshot& before) const {
  if (setting_.plan.steps[index].report != Report::new_executables) return false;
  const std::vector<plan::Output>& outputs = setting_.plan.outputs;
  const bool is_promised = std::all_of(outputs.begin(), outputs.end(), [](const plan::Output& output) {
    return output.kind == plan::Output::Kind::data || (!output.target.empty() && output.target != "*");
  });
  if (!is_promised) return false;
  try {
    plan::settle(setting_.plan, new_programs(before, snapshot_of_programs(places_.work)));
    return true;
  } catch (const Error&) {
    return false;
  }
}

// Tries the fallbacks that go on in what the failed step has left; `error` becomes the last one's.
bool Attempt::goes_on(std::size_t index, StepRunner& runner, std::string& out, Error& error) {
  const plan::Step& step = setting_.plan.steps[index];
  for (const plan::Fallback& fallback : step.fallbacks) {
    if (!fallback.goes_on || !has_sign(runner.said(), fallback.signs)) continue;
    events_.info(cat(step.name, " failed; going on with ", fallback.name));
    try {
      out = runner.run(done_by(step, fallback), index);
      if (!fallback.warning.empty()) warnings_.push_back(fallback.warning);
      return true;
    } catch (Error& again) {
      if (again.exit() != Exit::build_failed) throw;
      error = again;
    }
  }
  return false;
}

std::string Attempt::run_command(std::size_t index, const ProgramSnapshot& before, std::string& sandbox) {
  const plan::Step& step = setting_.plan.steps[index];
  StepRunner runner({.plan = setting_.plan,
                     .host = setting_.host,
                     .places = places_,
                     .tools = setting_.inputs.tools,
                     .toolchain = setting_.toolchain,
                     .logs = setting_.host.cache / "logs" / work_.id(),
                     .variant = setting_.variant,
                     .sandbox = setting_.options.sandbox,
                     .secrets = setting_.options.secrets},
                    runner_, events_, stop_);
  try {
    std::string out = runner.run(step, index);
    sandbox = name_of_sandbox(runner);
    return out;
  } catch (Error& error) {
    if (error.exit() != Exit::build_failed) throw;
    sandbox = name_of_sandbox(runner);
    std::string out;
    Error last = error;
    if (goes_on(index, runner, out, last)) return out;
    if (step.may_fail) {
      warnings_.push_back(
          cat("step ", backticked(step.name), " failed, so that the image may lack data: ", gist(last)));
      return out;
    }
    if (has_made_everything(index, before)) {
      warnings_.push_back(cat("step ", backticked(step.name), " failed after it had made the programs: ", gist(last)));
      return out;
    }
    failure_ = {.step = index, .text = cat(last.message(), "\n", runner.said())};
    throw last;
  }
}

void Attempt::run_step(std::size_t index) {
  const plan::Step& step = setting_.plan.steps[index];
  if (step.network && step.outputs.empty() && step.report == Report::none && is_fetched(index)) {
    events_.verbose(cat(step.name, ": was done for the same inputs"));
    return;
  }
  events_.info(step.name);
  const ProgramSnapshot before =
      step.report == Report::new_executables ? snapshot_of_programs(places_.work) : ProgramSnapshot{};
  std::string sandbox;
  const std::string out = run_command(index, before, sandbox);
  note_sandbox(sandbox);
  const std::vector<plan::ReportedProgram> reported = report_of(step, out, before);
  for (const std::string& output : step.outputs) {
    if (confined(places_.work, output) && fs::exists(places_.work / output)) continue;
    throw Error(Exit::build_failed, cat("build step ", backticked(step.name), " did not make ", backticked(output)))
        .at(shell_line(step.argv))
        .hint("say what it makes: `targets = [\"…\"]` under `[build]` in whittle.toml");
  }
  if (setting_.options.secrets != nullptr) {
    for (const std::string& output : step.outputs)
      refuse_secret_in(places_.work / output, output, step.name, *setting_.options.secrets);
  }
  if (beyond_inputs_.empty()) beyond_inputs_ = look_beyond(step, out, reported);
  if (beyond_inputs_.empty() && (!step.outputs.empty() || step.report != Report::none)) {
    CachedResult result{.files = {}, .facts = facts_of(reported, sandbox)};
    for (const std::string& output : step.outputs) {
      std::vector<CachedFile> files = cache_.take(places_.work, output, known_);
      std::move(files.begin(), files.end(), std::back_inserter(result.files));
    }
    cache_.store(keys_[index], result);
  }
  for (const fs::path& mark : step.network ? fetch_marks(index) : std::vector<fs::path>{}) write_file(mark, "");
  reported_.insert(reported_.end(), reported.begin(), reported.end());
}

// Whether the inputs that a step declares were all that it read, of tools that tell it.
std::string Attempt::look_beyond(const plan::Step& step, const std::string& out,
                                 const std::vector<plan::ReportedProgram>& reported) const {
  if (std::none_of(step.inputs.begin(), step.inputs.end(), [](const std::string& one) { return one.starts_with('!'); }))
    return {};
  std::vector<fs::path> files;
  if (step.report == Report::go_list) files = read_by_go(out);
  if (step.report == Report::cargo_messages) {
    for (const plan::ReportedProgram& program : reported) {
      const std::string text = read_file_if_exists(cat((places_.work / program.path).native(), ".d")).value_or("");
      const std::vector<fs::path> more = read_by_rustc(text);
      files.insert(files.end(), more.begin(), more.end());
    }
  }
  const std::string found =
      builder::beyond_inputs(files, {places_.work / "src", setting_.inputs.source, places_.source}, step.inputs);
  if (!found.empty()) {
    events_.verbose(
        cat(step.name, " reads ", backticked(found), ", which its inputs leave out: the whole tree counts"));
  }
  return found;
}

// Whoever asks for a sandbox gets nothing that was made without one.
std::optional<CachedResult> Attempt::kept(const Digest& key) const {
  std::optional<CachedResult> found = cache_.find(key);
  if (found && setting_.plan.sandbox == "required" && found->facts.value("sandbox", "") != Sandbox::kBubblewrap) {
    return std::nullopt;
  }
  return found;
}

void Attempt::note_sandbox(const std::string& of_step) {
  if (sandbox_ != Sandbox::kNone) sandbox_ = of_step;
}

void Attempt::collect(const CachedResult& result) {
  note_sandbox(result.facts.value("sandbox", Sandbox::kNone));
  for (const Json& program : result.facts.at("reported")) {
    reported_.push_back({.name = program.at("name").get<std::string>(),
                         .path = program.at("path").get<std::string>(),
                         .installed = program.at("installed").get<bool>()});
  }
}

std::vector<plan::ReportedProgram> Attempt::report_of(const plan::Step& step, const std::string& out,
                                                      const ProgramSnapshot& before) const {
  return with_context(cat("cannot tell what step ", backticked(step.name), " made"), [&] {
    switch (step.report) {
      case Report::go_list:
        return read_go_list(out);
      case Report::cargo_messages:
        return read_cargo_messages(out, places_.work);
      case Report::cmake_file_api:
        return read_cmake_reply(places_.work, step.report_folder);
      case Report::meson_targets:
        return read_meson_targets(places_.work, step.report_folder);
      case Report::new_executables:
        return new_programs(before, snapshot_of_programs(places_.work));
      case Report::none:
        break;
    }
    return std::vector<plan::ReportedProgram>{};
  });
}

}  // namespace whittle::builder
