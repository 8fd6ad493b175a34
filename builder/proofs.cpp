#include "builder/proofs.hpp"

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "proof/proof.hpp"

namespace whittle::builder {

namespace {

using plan::Output;
using proof::Finding;

class Prover {
 public:
  Prover(const plan::BuildPlan& plan, const std::vector<fs::path>& places) : plan_(plan), places_(places) {}

  Proofs run() {
    for (std::size_t i = 0; i < places_.size(); ++i) {
      const Output& output = plan_.outputs[i];
      if (output.kind == Output::Kind::program) {
        prove_program(output, places_[i]);
      } else if (plan_.link == "closure") {
        prove_files(output, places_[i]);
      }
    }
    if (!missing_.empty()) throw incomplete();
    return std::move(proofs_);
  }

 private:
  // Libraries are found from where the program was linked; who needs them is told by its place in the image.
  void prove_program(const Output& output, const fs::path& file) {
    std::optional<proof::LibraryRoot> libraries;
    if (plan_.link == "closure")
      libraries = proof::LibraryRoot{.root = "/", .program = file.native(), .known = &known_};
    const proof::Verdict verdict = proof::check_program(file, plan_.platform, libraries);
    if (!verdict.runs_on_scratch) throw proof::not_static_error(output.built, step_of(plan_, output.built), verdict);
    for (const Finding& finding : verdict.findings) {
      if (finding.severity != Finding::Severity::warning) continue;
      proofs_.warnings.push_back(cat(backticked(output.installed), " ", finding.text, ": ", finding.remedy));
    }
    take(verdict, file, output.installed, false);
  }

  void prove_files(const Output& output, const fs::path& place) {
    for (const auto& [path, file] : elf_files(place)) prove_file(output, cat(output.installed, path), file);
  }

  void prove_file(const Output& output, const std::string& installed, const fs::path& file) {
    const bool is_library = file.filename().native().find(".so") != std::string::npos || file.extension() == ".node";
    const proof::LibraryRoot libraries{.root = "/", .program = file.native(), .known = &known_};
    const proof::Verdict verdict = is_library ? proof::check_library(file, plan_.platform, libraries)
                                              : proof::check_program(file, plan_.platform, libraries);
    if (!verdict.is_loadable()) return;
    for (const std::string& library : verdict.missing) {
      // Some packages open their libraries themselves, by path, before the modules that need them.
      if (brought_names().contains(proof::name_of_missing(library))) continue;
      missing_.emplace(cat(installed, ": ", with_place(library, file, installed)));
    }
    take(verdict, file, installed, output.kind == Output::Kind::runtime);
  }

  void take(const proof::Verdict& verdict, const fs::path& file, const std::string& installed, bool is_of_runtime) {
    const auto note = [&](std::string& need, const std::string& evidence) {
      if (need.empty() && !evidence.empty()) need = cat(installed, ": ", evidence);
    };
    note(proofs_.needs.certificates, verdict.wants_certificates);
    note(proofs_.needs.time_zones, verdict.wants_time_zones);
    note(proofs_.needs.name_service, verdict.wants_name_service);
    for (proof::ClosureFile library : verdict.closure) {
      if (is_brought(library.file)) continue;
      library.why = with_place(library.why, file, installed);
      const auto [found, is_new] = proofs_.closure.emplace(library.installed, Library{library, is_of_runtime});
      if (!is_new && is_of_runtime) found->second.is_of_runtime = true;
    }
  }

  static std::string with_place(const std::string& text, const fs::path& file, const std::string& installed) {
    if (!text.ends_with(file.native())) return text;
    return cat(text.substr(0, text.size() - file.native().size()), installed);
  }

  bool is_brought(const fs::path& file) const {
    return std::any_of(places_.begin(), places_.end(), [&](const fs::path& place) { return is_within(file, place); });
  }

  // By path below `place`, which begins with `/`; empty when it is `place` itself. Links lead to files that are found
  // by themselves.
  static std::map<std::string, fs::path> elf_files(const fs::path& place) {
    std::map<std::string, fs::path> files;
    if (!fs::is_directory(place)) {
      if (proof::is_elf(place)) files[""] = place;
      return files;
    }
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(place)) {
      if (entry.is_symlink() || !entry.is_regular_file() || !proof::is_elf(entry.path())) continue;
      files[entry.path().native().substr(place.native().size())] = entry.path();
    }
    return files;
  }

  const std::set<std::string>& brought_names() {
    if (!names_.empty()) return names_;
    for (const fs::path& place : places_) {
      for (const auto& [path, file] : elf_files(place)) names_.insert(file.filename().native());
    }
    return names_;
  }

  Error incomplete() const {
    Error error(Exit::not_static, "libraries are missing that the image would need");
    for (const std::string& one : missing_) error.detail(one);
    return error.hint("install the library, or do without what needs it");
  }

  const plan::BuildPlan& plan_;
  const std::vector<fs::path>& places_;
  Proofs proofs_;
  std::set<std::string> missing_, names_;
  std::map<fs::path, proof::Evidence> known_;  // of libraries
};

}  // namespace

Proofs prove(const plan::BuildPlan& plan, const std::vector<fs::path>& places) {
  return Prover(plan, places).run();
}

std::string step_of(const plan::BuildPlan& plan, const std::string& built) {
  for (const plan::Step& step : plan.steps) {
    for (const std::string& output : step.outputs) {
      if (built == output || built.starts_with(cat(output, "/"))) return step.name;
    }
  }
  // Installing comes after what made the programs.
  const bool is_installed = built.starts_with("install/");
  for (std::size_t i = plan.steps.size(); i-- > 0;) {
    if (is_installed || !plan.steps[i].may_fail) return plan.steps[i].name;
  }
  return {};
}

}  // namespace whittle::builder
