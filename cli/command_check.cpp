// whittle check: proves that a program, or every program of an image, can run on scratch.
#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/image_source.hpp"
#include "cli/probe.hpp"
#include "layers/image_reader.hpp"
#include "oci/platform.hpp"
#include "proof/proof.hpp"

namespace whittle::cli {

namespace {

struct Checked {
  std::string program;
  proof::Verdict verdict;
};

void print(const Checked& checked, std::ostream& out) {
  out << printable(checked.program) << ": "
      << (checked.verdict.runs_on_scratch ? "runs on scratch" : "cannot run on scratch") << "\n";
  for (const proof::Finding& finding : checked.verdict.findings) {
    const bool is_reason = finding.severity == proof::Finding::Severity::reason;
    const bool is_fact = finding.severity == proof::Finding::Severity::fact;
    out << "  " << (is_reason ? "reason:  " : is_fact ? "fact:    " : "warning: ") << printable(finding.text) << "\n";
    if (!finding.remedy.empty()) out << "           " << printable(finding.remedy) << "\n";
  }
}

// Everything executable in the image that is an ELF file, in path order.
std::vector<Checked> check_image(const ImageOptions& options, Session& session) {
  const ResolvedImage found = resolve_image(options.image, session, options.allow_http);
  const oci::Platform platform = found.root.platform.value_or(oci::Platform::host());
  const oci::Image image = oci::load_image(found.blobs, found.root, platform);
  const TemporaryFolder unpacked = temporary_store(session);
  layers::unpack(found.blobs, image, unpacked.path(), false, session.events(), session.stop());
  std::vector<Checked> checked;
  for (const auto& [path, file] : layers::list_files(found.blobs, image)) {
    if (file.entry.kind != ArchiveEntry::Kind::file || (file.entry.mode & 0111) == 0) continue;
    if (!proof::is_elf(unpacked.path() / path)) continue;
    const proof::LibraryRoot root{.root = unpacked.path(), .program = "/" + path};
    proof::Verdict verdict = proof::check_program(unpacked.path() / path, platform.str(), root);
    // The loader and the libraries of others are judged with the programs that need them.
    if (!verdict.elf.is_shared_library) checked.push_back({"/" + path, std::move(verdict)});
  }
  if (checked.empty()) throw Error(Exit::not_static, cat("the image ", backticked(options.image), " holds no program"));
  return checked;
}

bool is_file(const std::string& text) {
  std::error_code ignored;
  return fs::is_regular_file(text, ignored);
}

// A program of its own is probed in a root that holds nothing else.
std::vector<proof::Finding> probe_file(const fs::path& program, Session& session) {
  const TemporaryFolder root = temporary_store(session);
  fs::permissions(root.path(), fs::perms(0755));
  const std::string name = program.filename().native();
  whittle::copy_file(program, root.path() / name);
  fs::permissions(root.path() / name, fs::perms(0755));
  return probe(root.path(), {.argv = {cat("/", name)}, .env = {}}, session);
}

void add_probe(std::vector<Checked>& checked, const ImageOptions& options, bool is_program, Session& session) {
  const auto runs = [](const Checked& one) { return one.verdict.runs_on_scratch; };
  if (!std::all_of(checked.begin(), checked.end(), runs)) return;
  std::vector<proof::Finding> findings;
  if (is_program) {
    findings = probe_file(options.image, session);
  } else {
    const ResolvedImage found = resolve_image(options.image, session, options.allow_http);
    findings = probe_image(found.blobs, found.root, session);
  }
  for (proof::Finding& finding : findings) {
    proof::Verdict& verdict = checked.front().verdict;
    if (finding.severity == proof::Finding::Severity::reason) verdict.runs_on_scratch = false;
    verdict.findings.push_back(std::move(finding));
  }
}

Error summary(const std::vector<Checked>& checked, const std::string& image) {
  std::size_t failed = 0;
  for (const Checked& one : checked) failed += one.verdict.runs_on_scratch ? 0 : 1;
  return Error(Exit::not_static,
               cat(failed, " of ", checked.size(), " programs in ", backticked(image), " cannot run on scratch"));
}

}  // namespace

int check(const ImageOptions& options, Session& session) {
  const bool is_program = is_file(options.image);
  std::vector<Checked> checked;
  if (is_program) {
    checked.push_back({options.image, proof::check_program(options.image, oci::Platform::host().str())});
  } else {
    checked = check_image(options, session);
  }

  if (options.probe) add_probe(checked, options, is_program, session);
  if (options.json) {
    Json programs = Json::array();
    for (const Checked& one : checked) {
      Json program = one.verdict.to_json();
      program["program"] = printable(one.program);
      programs.push_back(std::move(program));
    }
    session.out() << pretty_json({{"schema", "whittle.check/v1"}, {"programs", programs}});
  } else {
    for (const Checked& one : checked) print(one, session.out());
  }

  const auto failed =
      std::find_if(checked.begin(), checked.end(), [](const Checked& one) { return !one.verdict.runs_on_scratch; });
  if (failed == checked.end()) return 0;
  if (!is_program) throw summary(checked, options.image);
  throw proof::not_static_error(failed->program, "", failed->verdict);
}

}  // namespace whittle::cli
