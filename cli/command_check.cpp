// whittle check: proves that a program, or every program of an image, can run on scratch.
#include <algorithm>
#include <map>
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

// What programs of an image load by themselves: extension modules of interpreters, the libraries of a Java runtime.
struct CheckedLibraries {
  std::size_t count = 0;
  std::map<std::string, std::vector<std::string>> incomplete;  // path → what it needs and the image lacks
};

struct CheckedImage {
  std::vector<Checked> programs;
  CheckedLibraries libraries;
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

void print(const CheckedLibraries& libraries, std::ostream& out) {
  if (libraries.count == 0) return;
  out << libraries.count << (libraries.count == 1 ? " library" : " libraries") << " that programs load by themselves: "
      << (libraries.incomplete.empty() ? "all that they need is there" : "not all that they need is there") << "\n";
  for (const auto& [path, missing] : libraries.incomplete) {
    for (const std::string& one : missing)
      out << "  reason:  " << printable(path) << " needs " << printable(one) << "\n";
  }
}

// One look at an unpacked image.
class Inspection {
 public:
  Inspection(const fs::path& root, std::string platform, const std::map<std::string, layers::ImageFile>& files)
      : root_(root), platform_(std::move(platform)) {
    for (const auto& [path, file] : files) {
      names_.insert(last_part(path));
      if (file.entry.kind != ArchiveEntry::Kind::file || !proof::is_elf(root / path)) continue;
      (is_program(path, file.entry.mode) ? programs_ : libraries_).push_back(path);
    }
  }

  // Everything executable that is an ELF file, in path order, but the loader and libraries.
  std::vector<Checked> programs() {
    std::vector<Checked> checked;
    for (const std::string& path : programs_) {
      proof::Verdict verdict = proof::check_program(root_ / path, platform_, place_of(path));
      for (const proof::ClosureFile& file : verdict.closure) judged_.insert(file.file);
      if (verdict.elf.is_shared_library) {
        libraries_.push_back(path);
      } else {
        checked.push_back({"/" + path, std::move(verdict)});
      }
    }
    return checked;
  }

  // After the programs: the libraries that they are linked with are judged with them.
  CheckedLibraries libraries() {
    CheckedLibraries checked;
    for (const std::string& path : libraries_) {
      if (judged_.contains(root_ / path)) continue;
      const proof::Verdict verdict = proof::check_library(root_ / path, platform_, place_of(path));
      if (!verdict.is_loadable()) continue;
      ++checked.count;
      for (const std::string& missing : verdict.missing) {
        std::string name = proof::name_of_missing(missing);
        // Some are opened by path before those that need them.
        if (!names_.contains(name)) checked.incomplete["/" + path].push_back(std::move(name));
      }
    }
    return checked;
  }

 private:
  static bool is_program(std::string_view path, unsigned mode) {
    return (mode & 0111U) != 0 && last_part(path).find(".so") == std::string::npos;
  }

  proof::LibraryRoot place_of(const std::string& path) {
    return {.root = root_, .program = "/" + path, .known = &known_};
  }

  fs::path root_;
  std::string platform_;
  std::vector<std::string> programs_, libraries_;
  std::set<std::string> names_;
  std::set<fs::path> judged_;
  std::map<fs::path, proof::Evidence> known_;  // of libraries
};

CheckedImage check_image(const ImageOptions& options, Session& session) {
  const ResolvedImage found = resolve_image(options.image, session, options.allow_http);
  const oci::Platform platform = found.root.platform.value_or(oci::Platform::host());
  const oci::Image image = oci::load_image(found.blobs, found.root, platform);
  const TemporaryFolder unpacked = temporary_store(session);
  layers::unpack(found.blobs, image, unpacked.path(), false, session.events(), session.stop());
  Inspection inspection(unpacked.path(), platform.str(), layers::list_files(found.blobs, image));
  CheckedImage checked{.programs = inspection.programs(), .libraries = inspection.libraries()};
  if (checked.programs.empty()) {
    throw Error(Exit::not_static, cat("the image ", backticked(options.image), " holds no program"));
  }
  return checked;
}

bool is_file(const std::string& text) {
  std::error_code ignored;
  return fs::is_regular_file(text, ignored);
}

// A program of its own is probed in a root that holds nothing else.
Probed probe_file(const fs::path& program, Session& session) {
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
    findings = probe_file(options.image, session).findings;
  } else {
    const ResolvedImage found = resolve_image(options.image, session, options.allow_http);
    findings = probe_image(found.blobs, found.root, session).findings;
  }
  for (proof::Finding& finding : findings) {
    proof::Verdict& verdict = checked.front().verdict;
    if (finding.severity == proof::Finding::Severity::reason) verdict.runs_on_scratch = false;
    verdict.findings.push_back(std::move(finding));
  }
}

Error incomplete(const CheckedLibraries& libraries, const std::string& image) {
  Error error(Exit::not_static, cat("libraries are missing in ", backticked(image), " that others there need"));
  for (const auto& [path, missing] : libraries.incomplete) {
    error.detail(cat(printable(path), " needs ", printable(join(missing, ", "))));
  }
  return error;
}

Json to_json(const CheckedLibraries& libraries) {
  Json incomplete = Json::array();
  for (const auto& [path, missing] : libraries.incomplete) {
    Json names = Json::array();
    for (const std::string& one : missing) names.push_back(printable(one));
    incomplete.push_back({{"library", printable(path)}, {"missing", names}});
  }
  return {{"checked", libraries.count}, {"incomplete", incomplete}};
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
  CheckedImage image;
  std::vector<Checked>& checked = image.programs;
  if (is_program) {
    checked.push_back({options.image, proof::check_program(options.image, oci::Platform::host().str())});
  } else {
    image = check_image(options, session);
  }

  if (options.probe) add_probe(checked, options, is_program, session);
  if (options.json) {
    Json programs = Json::array();
    for (const Checked& one : checked) {
      Json program = one.verdict.to_json();
      program["program"] = printable(one.program);
      programs.push_back(std::move(program));
    }
    Json answer = {{"schema", "whittle.check/v1"}, {"programs", programs}};
    if (!is_program) answer["libraries"] = to_json(image.libraries);
    session.out() << pretty_json(answer);
  } else {
    for (const Checked& one : checked) print(one, session.out());
    print(image.libraries, session.out());
  }

  const auto failed =
      std::find_if(checked.begin(), checked.end(), [](const Checked& one) { return !one.verdict.runs_on_scratch; });
  if (failed == checked.end()) {
    if (!image.libraries.incomplete.empty()) throw incomplete(image.libraries, options.image);
    return 0;
  }
  if (!is_program) throw summary(checked, options.image);
  throw proof::not_static_error(failed->program, "", failed->verdict);
}

}  // namespace whittle::cli
