#include "builder/builder.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/attempt.hpp"
#include "builder/inputs.hpp"
#include "builder/results.hpp"

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

// The first line of an error that tells a person what was wrong.
std::string gist(const Error& error) {
  std::vector<std::string> lines;
  for (const std::string& line : error.details()) {
    if (line.starts_with("  ")) lines.push_back(line);
  }
  if (error.exit() == Exit::not_static) lines = error.details();
  const std::string line = telling_line(lines);
  return line.empty() ? error.message() : cat(error.message(), ": ", line);
}

// Tries the toolchains in order. The last one's error is the one to show: it is the host's own compiler,
// whose complaint is about the project, where an earlier one's may be about its smaller C library.
void build_with_toolchains(const plan::BuildPlan& plan, const Inputs& inputs, const Digest& key, const Host& host,
                           const Options& options, ProcessRunner& runner, EventSink& events,
                           const std::stop_token& stop, WorkFolder& work, StepCache& cache) {
  std::vector<const FoundToolchain*> candidates;
  for (const FoundToolchain& found : inputs.toolchains) candidates.push_back(&found);
  if (candidates.empty() && !plan.toolchains.empty()) throw no_toolchain(plan, inputs);
  if (candidates.empty()) candidates.push_back(nullptr);

  const bool copies = !plan.leaves_source_alone && !plan.steps.empty();
  std::vector<std::string> earlier;
  for (const FoundToolchain* toolchain : candidates) {
    work.fill(inputs.files, copies, events);
    try {
      Attempt attempt({.plan = plan, .inputs = inputs, .host = host, .options = options, .toolchain = toolchain}, work,
                      cache, runner, events, stop);
      keep_result(key, plan, attempt.run(), work, cache);
      return;
    } catch (Error& error) {
      const bool may_fit_another = error.exit() == Exit::build_failed || error.exit() == Exit::not_static;
      if (!may_fit_another) throw;
      if (toolchain == candidates.back()) {
        for (std::string& line : earlier) error.note(std::move(line));
        throw;
      }
      earlier.push_back(cat("with toolchain ", backticked(toolchain->toolchain.name), ": ", gist(error)));
      events.info(cat("toolchain ", backticked(toolchain->toolchain.name), " does not fit (", gist(error),
                      "); trying the next"));
    }
  }
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
    keys.push_back({.digest = digest_of(cat("whittle.inputs/2\n", plan.canonical(), "\n", inputs->everything.str(),
                                            "\n", inputs->mapped.str(), "\n", inputs->tools_identity.str(), "\n")),
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
  const Digest key = result_key(plan, inputs);
  StepCache cache(host.cache / "steps", events);
  if (std::optional<Built> built = kept_result(key, plan, inputs, host, cache)) return std::move(*built);

  WorkFolder work(host.cache, inputs.source, events);
  // Whoever held the lock before may have built the same.
  if (std::optional<Built> built = kept_result(key, plan, inputs, host, cache)) return std::move(*built);
  build_with_toolchains(plan, inputs, key, host, options, runner, events, stop, work, cache);
  if (std::optional<Built> built = kept_result(key, plan, inputs, host, cache)) return std::move(*built);
  throw Error(Exit::export_failed, "the result of the build was removed from the cache while it was read")
      .at(host.cache.native())
      .hint("run the same command again");
}

}  // namespace whittle::builder
