// whittle plan: the whole plan, with the source of every value.
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "plan/config_schema.hpp"
#include "plan/plan_list.hpp"

namespace whittle::cli {

namespace {

void print_steps(const plan::BuildPlan& plan, std::ostream& out) {
  out << "steps\n";
  for (const plan::Step& step : plan.steps) {
    out << "  " << printable(step.name) << (step.network ? "  (network)" : "") << "\n    ";
    for (const auto& [name, value] : step.env) out << shell_line(std::vector{cat(name, "=", value)}) << " ";
    out << shell_line(step.argv) << "\n";
    for (const plan::SecretUse& use : step.secrets) out << "    with the secret " << printable(use.id) << "\n";
  }
  for (const plan::Toolchain& toolchain : plan.toolchains) {
    out << "  with " << toolchain.name << ": " << toolchain.cc << " " << shell_line(toolchain.compile_flags) << " "
        << shell_line(toolchain.link_flags) << "\n";
  }
}

void print_image(const plan::BuildPlan& plan, std::ostream& out) {
  out << "image\n";
  for (const plan::Output& output : plan.outputs) {
    out << "  " << printable(output.installed) << "  from " << printable(output.built);
    if (!output.target.empty()) out << " (settled by the build tool: " << printable(output.target) << ")";
    out << "\n";
  }
  for (const auto& [name, argv] : plan.image.processes) {
    out << "  process " << printable(name) << ": " << shell_line(argv)
        << (name == plan.image.default_process ? "  (default)" : "") << "\n";
  }
  out << "  user " << plan.image.user << ", working directory " << printable(plan.image.workdir) << "\n";
}

void print_plan(const plan::BuildPlan& plan, std::ostream& out) {
  out << "name      " << plan.name << "\nlanguage  " << plan.language << " (" << plan.detector << ")\nplatform  "
      << plan.platform << "\nsandbox   " << plan.sandbox << "\n\nvalues\n";
  for (const auto& [name, value] : plan.values) {
    out << "  " << name << " = " << printable(value.value) << "  (" << printable(value.source) << ")\n";
  }
  out << "tools\n";
  for (const plan::Tool& tool : plan.tools) {
    out << "  " << tool.name << (tool.constraint.empty() ? "" : cat(" ", tool.constraint, "  (", tool.source, ")"))
        << "\n";
  }
  print_steps(plan, out);
  print_image(plan, out);
}

}  // namespace

int plan(const PlanOptions& options, Session& session) {
  if (options.schema) {
    session.out() << pretty_json(plan::config_schema());
    return 0;
  }
  const OpenedTree tree = open_tree(options.build, session);
  const std::vector<plan::BuildPlan> plans = make_plans(tree, options.build, session);
  if (options.json) {
    session.out() << pretty_json(plan::plans_to_json(plans));
  } else {
    for (const plan::BuildPlan& plan : plans) {
      if (&plan != &plans.front()) session.out() << "\n";
      print_plan(plan, session.out());
    }
  }
  warn_once(plans, session.events());
  return 0;
}

}  // namespace whittle::cli
