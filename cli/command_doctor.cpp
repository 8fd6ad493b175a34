// whittle doctor: which tools are on this machine, or what a source tree asks for compared with what is here.
#include <algorithm>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "builder/toolchain.hpp"
#include "cli/commands.hpp"
#include "cli/runtime.hpp"

namespace whittle::cli {

namespace {

using Kind = builder::ToolVerdict::Kind;

struct Judged {
  plan::Tool tool;
  builder::ToolVerdict verdict;
};

struct Compiler {
  std::string toolchain, program;
  std::optional<builder::ProbedTool> found;
};

struct Diagnosis {
  std::vector<Judged> tools;
  std::vector<Compiler> compilers;  // of alternatives: one that is here is enough

  bool is_good() const {
    return std::all_of(tools.begin(), tools.end(), [](const Judged& one) { return one.verdict.used.has_value(); }) &&
           (compilers.empty() ||
            std::any_of(compilers.begin(), compilers.end(), [](const Compiler& one) { return one.found.has_value(); }));
  }
};

Diagnosis diagnose(const plan::BuildPlan& plan, const fs::path& folder, Session& session) {
  Diagnosis diagnosis;
  for (const plan::Tool& tool : plan.tools) {
    diagnosis.tools.push_back(
        {tool, builder::judge_tool(tool, folder, session.host(), session.runner(), session.stop())});
  }
  for (const plan::Toolchain& toolchain : plan.toolchains) {
    const std::string& words = toolchain.cxx.empty() ? toolchain.cc : toolchain.cxx;
    const std::string program = split(words, ' ').front();
    diagnosis.compilers.push_back(
        {toolchain.name, program,
         builder::probe_tool(program, folder, session.host(), session.runner(), session.stop())});
  }
  return diagnosis;
}

std::string wanted(const plan::Tool& tool) {
  std::string text;
  if (!tool.constraint.empty()) text += cat("wants ", tool.constraint, " (", printable(tool.source), ")");
  if (!tool.pin.empty()) {
    text += cat(text.empty() ? "" : ", ", "pins ", printable(tool.pin), " (", printable(tool.pin_source), ")");
  }
  return text.empty() ? "any version" : text;
}

std::string told(const builder::ProbedTool& tool) {
  return cat(printable(tool.version), "  ", printable(tool.path.native()));
}

std::string explanation(const Judged& one) {
  const builder::ToolVerdict& verdict = one.verdict;
  const std::string found = verdict.found ? cat("; here is ", told(*verdict.found)) : "; none is here";
  if (verdict.kind == Kind::is_fetched) return cat(found, "; a build fetches ", printable(verdict.used->version));
  const std::string install = builder::install_command(one.tool.name);
  if (verdict.kind == Kind::missing && !install.empty()) return cat(found, "; install it with `", install, "`");
  return found;
}

void print(const Diagnosis& diagnosis, std::ostream& out) {
  for (const Judged& one : diagnosis.tools) {
    out << printable(one.tool.name) << ": " << builder::ToolVerdict::name_of(one.verdict.kind) << "\n  "
        << wanted(one.tool) << explanation(one) << "\n";
  }
  for (const Compiler& one : diagnosis.compilers) {
    out << "toolchain " << one.toolchain << ": " << (one.found ? "is here" : "missing") << "\n  "
        << (one.found ? told(*one.found) : cat("needs ", backticked(one.program))) << "\n";
  }
}

Json to_json(const std::optional<builder::ProbedTool>& tool) {
  if (!tool) return nullptr;
  return {{"version", printable(tool->version)}, {"path", printable(tool->path.native())}};
}

Json to_json(const Diagnosis& diagnosis) {
  Json tools = Json::array(), toolchains = Json::array();
  for (const Judged& one : diagnosis.tools) {
    tools.push_back({{"name", one.tool.name},
                     {"constraint", one.tool.constraint},
                     {"source", one.tool.source},
                     {"pin", one.tool.pin},
                     {"pinSource", one.tool.pin_source},
                     {"verdict", builder::ToolVerdict::name_of(one.verdict.kind)},
                     {"found", to_json(one.verdict.found)},
                     {"used", to_json(one.verdict.used)}});
  }
  for (const Compiler& one : diagnosis.compilers) {
    toolchains.push_back({{"name", one.toolchain}, {"program", one.program}, {"found", to_json(one.found)}});
  }
  return {{"tools", tools}, {"toolchains", toolchains}};
}

int doctor_of_tree(const DoctorOptions& options, Session& session) {
  const OpenedTree tree = open_tree(options.build, session);
  const plan::BuildPlan plan = make_plans(tree, options.build, session).front();
  const Diagnosis diagnosis = diagnose(plan, tree.app.root(), session);
  if (options.json) {
    Json json = to_json(diagnosis);
    json.update({{"schema", "whittle.doctor-tree/v1"}, {"name", plan.name}, {"language", plan.language}});
    session.out() << pretty_json(json);
  } else {
    print(diagnosis, session.out());
  }
  return diagnosis.is_good() ? 0 : static_cast<int>(Exit::input_unavailable);
}

int doctor_of_machine(bool json, Session& session) {
  std::vector<builder::ToolReport> reports = builder::survey_tools(session.host(), session.runner());
  for (builder::ToolReport& report : survey_runtimes(session)) reports.push_back(std::move(report));
  if (json) {
    Json tools = Json::array();
    for (const builder::ToolReport& report : reports) {
      tools.push_back({{"name", report.name},
                       {"path", printable(report.path)},
                       {"version", printable(report.version)},
                       {"purpose", report.purpose},
                       {"install", report.install}});
    }
    session.out() << pretty_json({{"schema", "whittle.doctor/v1"},
                                  {"tools", tools},
                                  {"store", printable(session.store_folder().native())},
                                  {"cache", printable(session.cache_folder().native())}});
    return 0;
  }
  for (const builder::ToolReport& report : reports) {
    const bool is_here = !report.path.empty();
    session.out() << (is_here ? "ok       " : "missing  ") << report.name
                  << (is_here ? cat(" ", printable(report.version), "  ", printable(report.path)) : "") << "\n         "
                  << report.purpose << (is_here ? "" : cat("; install it with `", report.install, "`")) << "\n";
  }
  session.out() << "store    " << printable(session.store_folder().native()) << "\ncache    "
                << printable(session.cache_folder().native()) << "\n";
  return 0;
}

}  // namespace

int doctor(const DoctorOptions& options, Session& session) {
  return options.build.folder.empty() ? doctor_of_machine(options.json, session) : doctor_of_tree(options, session);
}

}  // namespace whittle::cli
