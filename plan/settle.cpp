#include <algorithm>
#include <set>
#include <tuple>

#include "base/error.hpp"
#include "base/text.hpp"
#include "plan/build_plan.hpp"
#include "plan/product.hpp"

namespace whittle::plan {

namespace {

std::string quoted_list(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += cat(out.empty() ? "" : ", ", backticked(name));
  return out;
}

std::string names_of(const std::vector<ReportedProgram>& reported) {
  std::set<std::string> names;
  for (const ReportedProgram& program : reported) names.insert(program.name);
  return names.empty() ? "no program" : quoted_list({names.begin(), names.end()});
}

// Go reports import paths and a build system may report `tools/x`, where the plan has the last part.
bool is_named(const ReportedProgram& program, std::string_view target) {
  return program.name == target || last_part(program.name) == target;
}

// A program that is installed is meant more than one that is merely built, and of two files with one
// name the one that lies nearest to the root.
bool is_meant_more(const ReportedProgram& a, const ReportedProgram& b) {
  const auto rank = [](const ReportedProgram& program) {
    return std::tuple(program.path.empty(), !program.installed,
                      std::count(program.path.begin(), program.path.end(), '/'), program.path);
  };
  return rank(a) < rank(b);
}

Error not_made(const BuildPlan& plan, const Output& output, const std::vector<ReportedProgram>& reported) {
  const auto source = plan.values.find(cat("program ", output.process));
  Error error(Exit::build_failed, cat("the build did not make the program ", backticked(output.target)));
  error.detail(cat("the plan has it from ", source == plan.values.end() ? "the tree" : source->second.source));
  error.detail(cat("the build made ", names_of(reported)));
  error.hint("name what the build makes: `targets = [\"…\"]` under `[build]` in whittle.toml");
  return error;
}

Output settled(const BuildPlan& plan, Output output, const std::vector<ReportedProgram>& reported) {
  std::optional<ReportedProgram> found;
  for (const ReportedProgram& program : reported) {
    if (is_named(program, output.target) && (!found || is_meant_more(program, *found))) found = program;
  }
  if (!found) throw not_made(plan, output, reported);
  if (output.built.empty() || output.built.ends_with('/')) {
    if (found->path.empty()) throw not_made(plan, output, reported);
    output.built = found->path;
  }
  if (output.installed.ends_with('/')) output.installed += last_part(found->name);
  output.target.clear();
  return output;
}

// The installed programs; without any, those that are no tests or examples; without any, all.
std::vector<ReportedProgram> product_of(const std::vector<ReportedProgram>& reported) {
  std::vector<ReportedProgram> installed, product, all;
  for (const ReportedProgram& program : reported) {
    if (program.path.empty()) continue;
    all.push_back(program);
    if (!is_aside(program.path) && !is_test_name(last_part(program.name))) product.push_back(program);
    if (program.installed) installed.push_back(program);
  }
  if (!installed.empty()) return installed;
  return product.empty() ? all : product;
}

std::vector<Output> all_reported(const Output& pattern, const std::vector<ReportedProgram>& reported) {
  std::map<std::string, ReportedProgram> by_name;
  for (const ReportedProgram& program : product_of(reported)) {
    const auto [place, is_new] = by_name.emplace(last_part(program.name), program);
    if (!is_new && is_meant_more(program, place->second)) place->second = program;
  }
  if (by_name.empty()) {
    throw Error(Exit::build_failed, "the build succeeded but made no program")
        .hint("name the target that makes it: `targets = [\"…\"]` under `[build]` in whittle.toml");
  }
  std::vector<Output> outputs;
  for (const auto& [name, program] : by_name) {
    Output output;
    output.built = program.path;
    output.installed = cat(pattern.installed, name);
    output.process = name;
    outputs.push_back(std::move(output));
  }
  return outputs;
}

std::vector<std::string> process_names(const BuildPlan& plan) {
  std::vector<std::string> names;
  for (const auto& [name, argv] : plan.image.processes) names.push_back(name);
  return names;
}

}  // namespace

std::optional<std::string> default_process(const std::vector<std::string>& processes, std::string_view configured,
                                           std::string_view application) {
  for (const std::string_view wanted : {configured, std::string_view("web"), application}) {
    if (!wanted.empty() && std::find(processes.begin(), processes.end(), wanted) != processes.end()) {
      return std::string(wanted);
    }
  }
  if (processes.size() == 1) return processes.front();
  return std::nullopt;
}

void name_processes(BuildPlan& plan) {
  for (const Output& output : plan.outputs) {
    if (output.kind != Output::Kind::program || output.process.empty() || output.installed.ends_with('/')) continue;
    plan.image.processes.try_emplace(output.process, std::vector<std::string>{output.installed});
  }
  const bool complete =
      std::none_of(plan.outputs.begin(), plan.outputs.end(), [](const Output& output) { return output.target == "*"; });
  const std::vector<std::string> names = process_names(plan);
  const std::string& configured = plan.image.default_process;
  const bool is_known = plan.image.processes.contains(configured);
  if (!complete && !is_known) return;
  if (!configured.empty() && !is_known) {
    throw Error(Exit::usage, cat("the default program ", backticked(configured), " is not one of this image"))
        .detail(cat("there are ", names.empty() ? "no programs" : quoted_list(names)))
        .hint("correct `default` under `[image]` in whittle.toml");
  }
  const std::optional<std::string> chosen = default_process(names, configured, last_part(plan.name));
  if (!chosen) {
    throw Error(Exit::ambiguous, cat(names.size(), " programs, and none of them is the default"))
        .detail(cat("there are ", quoted_list(names)))
        .hint(cat("say which one starts: `default = \"", names.empty() ? "" : printable(names.front()),
                  "\"` under `[image]` in whittle.toml"));
  }
  plan.image.default_process = *chosen;
  plan.image.entrypoint = plan.image.processes.at(*chosen);
}

BuildPlan settle(BuildPlan plan, const std::vector<ReportedProgram>& reported) {
  std::vector<Output> outputs;
  for (const Output& output : plan.outputs) {
    if (output.target.empty()) {
      outputs.push_back(output);
    } else if (output.target == "*") {
      for (Output& found : all_reported(output, reported)) outputs.push_back(std::move(found));
    } else {
      outputs.push_back(settled(plan, output, reported));
    }
  }
  plan.outputs = std::move(outputs);
  name_processes(plan);
  return plan;
}

}  // namespace whittle::plan
