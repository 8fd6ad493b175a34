#include "builder/inputs.hpp"

#include <algorithm>
#include <functional>
#include <tuple>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/fetched_tool.hpp"
#include "builder/host_libraries.hpp"
#include "builder/work_folder.hpp"

namespace whittle::builder {

namespace {

// Finds one program of a toolchain; nothing when it is not there.
using Locate = std::function<std::optional<ProbedTool>(const std::string& program)>;

// Programs of a toolchain are words: "zig cc -target …". Nothing when the first is not there.
std::optional<std::vector<std::string>> locate(const std::string& program, std::vector<ProbedTool>& tools,
                                               const Locate& find) {
  std::vector<std::string> words = split(program, ' ');
  std::optional<ProbedTool> tool = find(words.front());
  if (!tool) return std::nullopt;
  words.front() = tool->path.native();
  tools.push_back(std::move(*tool));
  return words;
}

std::string first_on_host(std::span<const std::string> libraries, std::string_view platform) {
  for (const std::string& library : libraries) {
    if (host_has_library(library, platform)) return library;
  }
  return {};
}

// Of the same toolchain as `cc`, as far as it has its own; else the system's.
std::vector<std::string> companion(const std::string& program, const FoundToolchain& found) {
  std::vector<std::string> words = split(program, ' ');
  if (words.front() == split(found.toolchain.cc, ' ').front()) words.front() = found.cc.front();
  return words;
}

void add_toolchains(Inputs& inputs, const plan::BuildPlan& plan, EventSink& events,
                    const std::function<Locate(const plan::Toolchain&)>& finder) {
  const bool wants_cxx =
      std::any_of(plan.steps.begin(), plan.steps.end(), [](const plan::Step& step) { return mentions(step, "cxx"); });
  for (const plan::Toolchain& toolchain : plan.toolchains) {
    FoundToolchain found{.toolchain = toolchain, .cc = {}, .cxx = {}, .ar = {}, .ranlib = {}, .tools = {}};
    const Locate find = finder(toolchain);
    const auto is_there = [&](const std::string& program, std::vector<std::string>& words) {
      if (auto located = locate(program, found.tools, find)) {
        words = std::move(*located);
        return true;
      }
      inputs.missing_programs.push_back(split(program, ' ').front());
      events.verbose(cat("toolchain ", backticked(toolchain.name), " is passed over: ", backticked(program),
                         " is not on the PATH"));
      return false;
    };
    if (const std::string library = first_on_host(toolchain.unless_host_has, plan.platform); !library.empty()) {
      events.verbose(cat("toolchain ", backticked(toolchain.name), " is passed over: the project can use ",
                         backticked(library), ", which this host has for its own C library"));
      continue;
    }
    if (!toolchain.cc.empty() && !is_there(toolchain.cc, found.cc)) continue;
    if (wants_cxx && toolchain.cxx.empty()) continue;
    if (wants_cxx && !is_there(toolchain.cxx, found.cxx)) continue;
    found.ar = companion(toolchain.ar, found);
    found.ranlib = companion(toolchain.ranlib, found);
    inputs.toolchains.push_back(std::move(found));
  }
}

// What is on the machine; when that is nothing, what can be fetched.
void find_toolchains(Inputs& inputs, const plan::BuildPlan& plan, const fs::path& folder, const Host& host,
                     ProcessRunner& runner, EventSink& events, const std::stop_token& stop) {
  add_toolchains(inputs, plan, events, [&](const plan::Toolchain&) -> Locate {
    return [&](const std::string& program) { return probe_tool(program, folder, host, runner, stop); };
  });
  if (!inputs.toolchains.empty()) return;
  add_toolchains(inputs, plan, events, [&](const plan::Toolchain& toolchain) -> Locate {
    return [&](const std::string& program) -> std::optional<ProbedTool> {
      const plan::Download* download = fitting_download(toolchain.downloads, "", "", host);
      if (download == nullptr) return std::nullopt;
      return fetched_tool(program, *download, host);
    };
  });
}

// C and C++ take headers and archives from the system without saying so. The list of installed packages
// stands for them: installing one builds again, which is rare and right.
std::string system_identity(const plan::BuildPlan& plan, StatIndex& index) {
  std::string identity;
  if (plan.toolchains.empty() && plan.link != "closure") return identity;
  for (const char* list : {"/var/lib/dpkg/status", "/lib/apk/db/installed", "/var/lib/rpm/rpmdb.sqlite"}) {
    std::error_code ignored;
    if (fs::is_regular_file(list, ignored)) identity += cat(list, " ", index.digest(fs::path(list)).str(), "\n");
  }
  return identity;
}

Digest identity_of_tools(const Inputs& inputs, const plan::BuildPlan& plan, StatIndex& index) {
  Hasher hasher;
  for (const ProbedTool& tool : inputs.tools) hasher.update(identity_of(tool));
  for (const FoundToolchain& found : inputs.toolchains) {
    hasher.update(cat("toolchain ", found.toolchain.name, "\n"));
    for (const ProbedTool& tool : found.tools) hasher.update(identity_of(tool));
  }
  hasher.update(system_identity(plan, index));
  return hasher.digest();
}

Json step_json(const plan::BuildPlan& plan, std::size_t index) {
  plan::BuildPlan one;
  one.steps = {plan.steps[index]};
  Json json = one.to_json().at("steps").at(0);
  json.erase("inputs");  // what they stand for is in the key
  return json;
}

// What all steps together read: everything, unless those that do not choose files by name agree on what they leave out,
// and the image takes nothing from the tree itself.
std::vector<std::string> read_by_steps(const plan::BuildPlan& plan) {
  const std::vector<std::string> everything = {"**"};
  std::vector<std::string> narrow;
  for (const plan::Step& step : plan.steps) {
    if (step.inputs.empty() || step.inputs.front() != "**") continue;
    if (!narrow.empty() && narrow != step.inputs) return everything;
    narrow = step.inputs;
  }
  const bool takes_source = std::any_of(plan.outputs.begin(), plan.outputs.end(), [](const plan::Output& output) {
    return output.built == "src" || output.built.starts_with("src/");
  });
  return narrow.empty() || takes_source ? everything : narrow;
}

std::string source_date(const plan::BuildPlan& plan) {
  return plan.image.created.empty() ? "0" : plan.image.created;
}

// What `image.files` takes, whatever the steps are given of it: programs and folders that an earlier build left are
// hidden from them, and can be in the image all the same.
class Mapped {
 public:
  Mapped(const plan::ImageSettings& image, const fs::path& root) : root_(root) {
    std::error_code problem;
    for (const plan::FileMapping& mapping : image.files) {
      const fs::path real = fs::weakly_canonical(root / mapping.source, problem);
      std::string place = problem ? mapping.source : real.lexically_relative(root).native();
      while (place.ends_with('/')) place.pop_back();
      places_.push_back(place == "." ? "" : place);
    }
  }

  bool takes(std::string_view path) const {
    return std::any_of(places_.begin(), places_.end(),
                       [&](const std::string& place) { return is_at_or_below(path, place); });
  }

  // The files of `folders` that are taken.
  std::vector<SourceFile> below(const std::vector<std::string>& folders) const {
    std::vector<SourceFile> files;
    for (const std::string& folder : folders) {
      const bool concerns = takes(folder) || std::any_of(places_.begin(), places_.end(), [&](const std::string& place) {
                              return is_at_or_below(place, folder);
                            });
      if (!concerns) continue;
      for (SourceFile& file : list_everything(root_ / folder)) {
        file.path = cat(folder, "/", file.path);
        if (takes(file.path)) files.push_back(std::move(file));
      }
    }
    return files;
  }

 private:
  static bool is_at_or_below(std::string_view path, std::string_view place) {
    return place.empty() || path == place || (path.starts_with(place) && path[place.size()] == '/');
  }

  fs::path root_;
  std::vector<std::string> places_;  // relative to the root; "" is all of it
};

Sighting sighting_of_both(const std::vector<SourceFile>& files, const std::vector<SourceFile>& only_mapped) {
  const Sighting seen = sighting_of(files), others = sighting_of(only_mapped);
  return {.digest = digest_of(cat(seen.digest.str(), others.digest.str())),
          .last_change = std::max(seen.last_change, others.last_change)};
}

// One look at a tree for all plans of it: each file is asked for its status once, and what was digested for one plan is
// not digested again for the next.
class Look {
 public:
  Look(fs::path root, const Host& host, EventSink& events)
      : root_(std::move(root)),
        looked_at_(file_clock()),
        files_(list_source(root_, host.cache, &left_out_)),
        index_(host.cache / "index" / identifier_of(root_), events) {}

  void add_digests(const plan::BuildPlan& plan, Inputs& inputs) {
    const Mapped mapped(plan.image, root_);
    std::vector<SourceFile> only_mapped = mapped.below(left_out_);
    inputs.files = files_;
    inputs.sighting = sighting_of_both(files_, only_mapped);
    inputs.looked_at = looked_at_;
    if (!plan.toolchains.empty()) {
      std::erase_if(inputs.files, [&](const SourceFile& file) {
        if (!is_object_or_program(root_, file)) return false;
        if (mapped.takes(file.path)) only_mapped.push_back(file);
        return true;
      });
    }
    inputs.everything = digest_for(plan, inputs, {"**"});
    inputs.closure = digest_for(plan, inputs, read_by_steps(plan));
    inputs.mapped = digest_of_source(root_, only_mapped, std::vector<std::string>{"**"}, {}, index_);
    for (const plan::Step& step : plan.steps) inputs.of_steps.push_back(digest_for(plan, inputs, step.inputs));
    inputs.tools_identity = identity_of_tools(inputs, plan, index_);
  }

  void save() { index_.save(); }

 private:
  Digest digest_for(const plan::BuildPlan& plan, const Inputs& inputs, const std::vector<std::string>& globs) {
    const auto question = std::tuple(plan.toolchains.empty(), plan.image.ignore, globs);
    const auto known = digests_.find(question);
    if (known != digests_.end()) return known->second;
    const Digest digest = digest_of_source(root_, inputs.files, globs, plan::IgnorePatterns(plan.image.ignore), index_);
    digests_.emplace(question, digest);
    return digest;
  }

  fs::path root_;
  std::int64_t looked_at_;
  std::vector<std::string> left_out_;
  std::vector<SourceFile> files_;
  StatIndex index_;
  std::map<std::tuple<bool, std::vector<std::string>, std::vector<std::string>>, Digest> digests_;
};

}  // namespace

std::string identity_of(const ProbedTool& tool) {
  return cat("tool ", tool.name, " ", tool.version, " ", tool.digest.str(), " ", tool.describes, "\n");
}

std::vector<ProbedTool> Inputs::all_tools() const {
  std::vector<ProbedTool> all = tools;
  for (const FoundToolchain& found : toolchains) all.insert(all.end(), found.tools.begin(), found.tools.end());
  return all;
}

std::vector<Inputs> gather(std::span<const plan::BuildPlan> plans, const fs::path& source, const Host& host,
                           ProcessRunner& runner, EventSink& events, const std::stop_token& stop) {
  std::error_code problem;
  const fs::path root = fs::canonical(source, problem);
  if (problem) throw system_error(Exit::usage, cat("cannot open ", backticked(source.native())), problem.value());
  std::vector<Inputs> all;
  for (const plan::BuildPlan& plan : plans) {
    Inputs inputs;
    inputs.source = root;
    const fs::path folder = root / fs::path(plan.app_root).relative_path();
    const fs::path run_in = fs::is_directory(folder, problem) ? folder.lexically_normal() : root;
    inputs.tools = probe_tools(plan.tools, run_in, host, runner, stop);
    inputs.warnings = version_warnings(plan.tools, inputs.tools);
    find_toolchains(inputs, plan, run_in, host, runner, events, stop);
    all.push_back(std::move(inputs));
  }
  Look look(root, host, events);
  for (std::size_t i = 0; i < all.size(); ++i) look.add_digests(plans[i], all[i]);
  look.save();
  return all;
}

bool are_untouched(const Inputs& inputs, const plan::BuildPlan& plan, const Host& host) {
  if (inputs.sighting.last_change >= inputs.looked_at) return false;
  std::vector<std::string> left_out;
  const std::vector<SourceFile> files = list_source(inputs.source, host.cache, &left_out);
  const std::vector<SourceFile> only_mapped = Mapped(plan.image, inputs.source).below(left_out);
  return sighting_of_both(files, only_mapped).digest == inputs.sighting.digest;
}

Digest result_key(const plan::BuildPlan& plan, const Inputs& inputs, const Digest& source) {
  Json relevant = plan.to_json();
  // They stand for files, whose names and contents are in `source`.
  for (Json& step : relevant["steps"]) step.erase("inputs");
  for (const char* member :
       {"name", "detector", "values", "warnings", "image", "layers", "budget", "sandbox", "modules"})
    relevant.erase(member);
  return digest_of(cat("whittle.result/5\n", canonical_json(relevant), "\n", source_date(plan), "\n", source.str(),
                       "\n", inputs.tools_identity.str(), "\n"));
}

std::vector<Digest> step_keys(const plan::BuildPlan& plan, const Inputs& inputs, const FoundToolchain* toolchain) {
  std::string before =
      cat("whittle.step/2\n", plan.platform, "\n", source_date(plan), "\n", inputs.tools_identity.str(), "\n");
  if (toolchain != nullptr) {
    plan::BuildPlan one;
    one.toolchains = {toolchain->toolchain};
    before += canonical_json(one.to_json().at("toolchains"));
    for (const ProbedTool& tool : toolchain->tools) before += identity_of(tool);
  }
  std::vector<Digest> keys;
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    keys.push_back(digest_of(cat(before, "\n", canonical_json(step_json(plan, i)), "\n", inputs.of_steps[i].str())));
    before = keys.back().str();
  }
  return keys;
}

}  // namespace whittle::builder
