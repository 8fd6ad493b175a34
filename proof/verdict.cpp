// What was found, for machines and for whoever has to do something about it.
#include <algorithm>

#include "base/text.hpp"
#include "proof/proof.hpp"

namespace whittle::proof {

namespace {

using Severity = Finding::Severity;

constexpr std::string_view kAcceptLibraries =
    "or ship its loader and libraries with it: `link = \"closure\"` under `[build]` in whittle.toml";

const char* severity_name(Severity severity) {
  switch (severity) {
    case Severity::reason:
      return "reason";
    case Severity::warning:
      return "warning";
    case Severity::fact:
      break;
  }
  return "fact";
}

}  // namespace

bool Verdict::is_loadable() const {
  return std::none_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.severity == Severity::reason && finding.code != "needed";
  });
}

Json Verdict::to_json() const {
  Json list = Json::array();
  for (const Finding& finding : findings) {
    list.push_back({{"severity", severity_name(finding.severity)},
                    {"code", finding.code},
                    {"text", finding.text},
                    {"remedy", finding.remedy}});
  }
  Json program = {{"machine", elf.machine},
                  {"bits", elf.is_64_bit ? 64 : 32},
                  {"littleEndian", elf.is_little_endian},
                  {"interpreter", elf.interpreter ? Json(*elf.interpreter) : Json()},
                  {"needed", elf.needed},
                  {"runPaths", elf.run_paths},
                  {"positionIndependent", elf.is_position_independent},
                  {"relro", elf.has_relro},
                  {"bindsAtStart", elf.binds_at_start},
                  {"executableStack", elf.has_executable_stack},
                  {"stackProtector", elf.stack_protector()},
                  {"symbols", elf.has_symbols},
                  {"debug", elf.has_debug_sections},
                  {"buildId", elf.build_id},
                  {"go", elf.is_go}};
  Json libraries = Json::array();
  for (const ClosureFile& file : closure) {
    libraries.push_back({{"path", printable(file.installed)}, {"why", printable(file.why)}});
  }
  return {
      {"schema", "whittle.check/v1"},
      {"closure", std::move(libraries)},
      {"runsOnScratch", runs_on_scratch},
      {"findings", std::move(list)},
      {"program", elf.machine.empty() ? Json() : std::move(program)},
      {"wants",
       {{"certificates", wants_certificates}, {"timeZones", wants_time_zones}, {"nameService", wants_name_service}}}};
}

Error not_static_error(std::string_view program, std::string_view step, const Verdict& verdict) {
  Error error(Exit::not_static, cat(backticked(program), " cannot run in a scratch image",
                                    verdict.elf.is_dynamic() ? ": it is dynamically linked" : ""));
  if (!step.empty()) error.at(cat("made by step ", backticked(step)));
  std::vector<std::string> remedies;
  for (const Finding& finding : verdict.findings) {
    if (finding.severity != Severity::reason) continue;
    error.detail(finding.text);
    const bool is_new = std::find(remedies.begin(), remedies.end(), finding.remedy) == remedies.end();
    if (!finding.remedy.empty() && is_new) remedies.push_back(finding.remedy);
  }
  for (std::string& remedy : remedies) error.hint(std::move(remedy));
  if (verdict.elf.interpreter && verdict.closure.empty()) error.hint(std::string(kAcceptLibraries));
  return error;
}

}  // namespace whittle::proof
