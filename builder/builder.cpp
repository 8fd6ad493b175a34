#include "builder/builder.hpp"

#include "base/deadline.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/attempt.hpp"
#include "builder/inputs.hpp"
#include "builder/kernel_headers.hpp"
#include "builder/modules.hpp"
#include "builder/results.hpp"
#include "builder/shipped.hpp"
#include "builder/ways.hpp"

namespace whittle::builder {

namespace {

Error no_toolchain(const plan::BuildPlan& plan, const Inputs& inputs) {
  Error error(Exit::input_unavailable, "no C compiler was found that could build this");
  for (const plan::Toolchain& toolchain : plan.toolchains) {
    error.detail(cat("toolchain ", backticked(toolchain.name), " needs ", backticked(toolchain.cc),
                     toolchain.cxx.empty() ? "" : cat(" and ", backticked(toolchain.cxx))));
  }
  for (const std::string& program : inputs.missing_programs) {
    const std::string command = install_command(program);
    if (!command.empty()) error.hint(cat("install it with `", command, "`"));
  }
  return error;
}

// The step whose fallbacks may help when all went well but the result is not what was promised.
std::size_t making_step(const plan::BuildPlan& plan) {
  for (std::size_t i = plan.steps.size(); i-- > 0;) {
    if (!plan.steps[i].outputs.empty() || plan.steps[i].report != plan::Report::none) return i;
  }
  return 0;
}

std::string text_of(const Error& error) {
  return cat(error.message(), "\n", join(error.details(), "\n"), "\n");
}

// What must be the same for a way that worked to be tried first: not the sources, which change all the time.
std::string identity_of_ways(const plan::BuildPlan& plan, const Inputs& inputs) {
  plan::BuildPlan relevant;
  relevant.platform = plan.platform;
  relevant.toolchains = plan.toolchains;
  relevant.steps = plan.steps;
  return digest_of(cat("whittle.ways/1\n", relevant.canonical(), inputs.tools_identity.str())).str();
}

class Search {
 public:
  Search(const plan::BuildPlan& plan, const Inputs& inputs, const Host& host, const Options& options,
         ProcessRunner& runner, EventSink& events, const std::stop_token& stop, WorkFolder& work,
         const StepCache& cache)
      : plan_(plan),
        inputs_(inputs),
        host_(host),
        options_(options),
        runner_(runner),
        events_(events),
        stop_(stop),
        work_(work),
        cache_(cache) {}

  // The last error is the one to show: it is the host's own compiler's, whose complaint is about the project, where
  // an earlier one's may be about its smaller C library.
  void run() {
    if (inputs_.toolchains.empty() && !plan_.toolchains.empty()) throw no_toolchain(plan_, inputs_);
    look_for_modules();
    Ways ways(plan_, inputs_.toolchains, work_.keep() / ".whittle-way", identity_of_ways(plan_, inputs_));
    std::vector<std::string> earlier;
    for (std::optional<Way> way = ways.first(); way;) {
      Failure failure;
      try {
        attempt(*way, failure);
        ways.remember(*way);
        if (!earlier.empty())
          events_.info(cat("built with ", description_of(*way, plan_), ", which the next build tries first"));
        return;
      } catch (Error& error) {
        const bool may_fit_another = error.exit() == Exit::build_failed || error.exit() == Exit::not_static;
        if (!may_fit_another) throw;
        const std::string what = description_of(*way, plan_);
        way = ways.after(*way, failure);
        if (!way) {
          for (std::string& line : earlier) error.note(std::move(line));
          explain(error, cat(failure.text, earlier.empty() ? "" : join(earlier, "\n")), lacks_);
          throw;
        }
        earlier.push_back(cat("with ", what.empty() ? "the usual steps" : what, ": ", gist(error)));
        events_.info(cat(what.empty() ? "this" : what, " does not fit (", gist(error), "); trying ",
                         description_of(*way, plan_)));
      }
    }
  }

 private:
  // Before anything is compiled. What may be missing for nothing is told, and explains a failure.
  void look_for_modules() {
    if (plan_.modules.empty()) return;
    std::vector<fs::path> compilers;
    for (const FoundToolchain& found : inputs_.toolchains) {
      for (const ProbedTool& tool : found.tools) {
        if (tool.name.find("zig") == std::string::npos) compilers.push_back(tool.path);
      }
    }
    lacks_ = lacks_of_modules(plan_, compilers, host_, runner_, stop_);
    for (const Lack& lack : lacks_) {
      if (lack.is_fatal) throw refusal_of(lacks_, plan_);
      events_.info(cat(lack.chain, " ", lack.state, "; if it is needed, the build will fail"));
    }
  }

  void attempt(const Way& way, Failure& failure) {
    const plan::BuildPlan plan = along(way, plan_);
    work_.fill(inputs_.files, !plan.leaves_source_alone && !plan.steps.empty(), events_);
    link_kernel_headers(work_.path(), plan.platform);
    bring_shipped(plan, work_.path());
    Attempt attempt({.plan = plan,
                     .inputs = inputs_,
                     .host = host_,
                     .options = options_,
                     .toolchain = way.toolchain,
                     .variant = variant_of(way)},
                    work_, cache_, known_, runner_, events_, stop_);
    failure.step = making_step(plan);
    try {
      std::vector<plan::ReportedProgram> reported = attempt.run();
      std::vector<std::string> warnings = attempt.warnings();
      for (const auto& [step, fallback] : way.fallbacks) {
        const std::string& warning = plan_.steps[step].fallbacks[fallback].warning;
        if (!warning.empty()) warnings.push_back(warning);
      }
      const Digest& source = attempt.beyond_inputs().empty() ? inputs_.closure : inputs_.everything;
      keep_result(result_key(plan_, inputs_, source), plan_, reported,
                  {std::move(warnings), attempt.sandbox(), options_.secrets, attempt.not_restored()}, work_, cache_,
                  known_);
    } catch (const Error& error) {
      if (!attempt.failure().text.empty()) failure = attempt.failure();
      failure.text += text_of(error);
      throw;
    }
  }

  std::string variant_of(const Way& way) const {
    std::string variant = way.toolchain == nullptr ? "" : cat("-", way.toolchain->toolchain.name);
    for (const auto& [step, fallback] : way.fallbacks) variant += cat("-", plan_.steps[step].fallbacks[fallback].name);
    return variant;
  }

  const plan::BuildPlan& plan_;
  const Inputs& inputs_;
  const Host& host_;
  const Options& options_;
  ProcessRunner& runner_;
  EventSink& events_;
  const std::stop_token& stop_;
  WorkFolder& work_;
  const StepCache& cache_;
  KnownFiles known_;
  std::vector<Lack> lacks_;
};

// The result for what the steps say that they read, or for the whole tree where a build has read more.
std::optional<Built> kept(const plan::BuildPlan& plan, const Inputs& inputs, const StepCache& cache,
                          const std::shared_ptr<CacheInUse>& in_use) {
  const Digest narrow = result_key(plan, inputs, inputs.closure), wide = result_key(plan, inputs, inputs.everything);
  std::optional<Built> built = kept_result(narrow, plan, inputs, cache);
  if (!built && narrow != wide) built = kept_result(wide, plan, inputs, cache);
  if (built) built->keeps_files = in_use;
  return built;
}

// How steps are confined decides whether they succeed, not what they make.
plan::BuildPlan without_sandbox(plan::BuildPlan plan) {
  plan.sandbox = plan::BuildPlan{}.sandbox;
  plan.values.erase("sandbox");
  return plan;
}

Error too_long(std::chrono::seconds limit, const Error& cancelled) {
  Error error(Exit::build_failed, cat("the build was not finished after ", limit.count(), " s"));
  error.cause(cancelled.message()).hint("give it more with `--timeout`, or `timeout = \"…\"` under `[build]`");
  return error.note("everything that it had started has been ended; what is cached is kept");
}

}  // namespace

InputKey input_key(const plan::BuildPlan& plan, const fs::path& source, const Host& host, ProcessRunner& runner,
                   EventSink& events, std::stop_token stop) {
  return input_keys({&plan, 1}, source, host, runner, events, std::move(stop)).front();
}

std::vector<InputKey> input_keys(std::span<const plan::BuildPlan> plans, const fs::path& source, const Host& host,
                                 ProcessRunner& runner, EventSink& events, std::stop_token stop) {
  std::vector<InputKey> keys;
  for (Inputs& found : gather(plans, source, host, runner, events, stop)) {
    const plan::BuildPlan& plan = plans[keys.size()];
    const auto inputs = std::make_shared<const Inputs>(std::move(found));
    keys.push_back({.digest = digest_of(cat("whittle.inputs/2\n", without_sandbox(plan).canonical(), "\n",
                                            inputs->everything.str(), "\n", inputs->mapped.str(), "\n",
                                            inputs->tools_identity.str(), "\n")),
                    .tools = inputs->all_tools(),
                    .inputs = inputs});
  }
  return keys;
}

bool source_is_unchanged(const InputKey& found, const plan::BuildPlan& plan, const fs::path& source, const Host& host,
                         ProcessRunner& runner, EventSink& events, std::stop_token stop) {
  return are_untouched(*found.inputs, plan, host) ||
         input_key(plan, source, host, runner, events, std::move(stop)).digest == found.digest;
}

Built build(const plan::BuildPlan& plan, InputKey found, const Host& host, const Options& options,
            ProcessRunner& runner, EventSink& events, std::stop_token stop) {
  const Inputs& inputs = *found.inputs;
  // Before anything is looked up: what is found stays there.
  const auto in_use = std::make_shared<CacheInUse>(host.cache);
  const StepCache cache(host.cache, events);
  if (std::optional<Built> built = kept(plan, inputs, cache, in_use)) return std::move(*built);

  WorkFolder work(host.cache, inputs.source, events);
  // Whoever held the lock before may have built the same.
  if (std::optional<Built> built = kept(plan, inputs, cache, in_use)) return std::move(*built);
  const Deadline deadline(options.time_limit, stop);
  try {
    Search(plan, inputs, host, options, runner, events, deadline.token(), work, cache).run();
  } catch (const Error& error) {
    if (!deadline.has_passed() || error.exit() != Exit::transient) throw;
    throw too_long(*options.time_limit, error);
  }
  if (std::optional<Built> built = kept(plan, inputs, cache, in_use)) return std::move(*built);
  throw Error(Exit::export_failed, "the result of the build was removed from the cache while it was read")
      .at(host.cache.native())
      .hint("run the same command again");
}

}  // namespace whittle::builder
