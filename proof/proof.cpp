#include "proof/proof.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "proof/evidence.hpp"

namespace whittle::proof {

namespace {

using Severity = Finding::Severity;

constexpr std::string_view kLinkStatically = "link the program with `-static-pie`, or with `-static`";

class Findings {
 public:
  void reason(std::string code, std::string text, std::string remedy = {}) {
    list.push_back({Severity::reason, std::move(code), std::move(text), std::move(remedy)});
  }
  void warning(std::string code, std::string text, std::string remedy) {
    list.push_back({Severity::warning, std::move(code), std::move(text), std::move(remedy)});
  }
  void fact(std::string code, std::string text) {
    list.push_back({Severity::fact, std::move(code), std::move(text), {}});
  }
  std::vector<Finding> list;
};

std::string architecture_of(std::string_view platform) {
  const std::vector<std::string> parts = split(platform, '/');
  return parts.size() < 2 ? std::string(platform) : parts[1];
}

// "libpq.so.5" → "libpq.a"; empty for what every C program needs, whose archives come with the compiler.
std::string archive_of(std::string_view library) {
  constexpr std::array<std::string_view, 10> kOfCompiler = {
      "libc.", "libm.", "libpthread.", "libdl.", "librt.", "libstdc++.", "libgcc_s.", "ld-", "libatomic.", "libc++"};
  const bool comes_along = std::any_of(kOfCompiler.begin(), kOfCompiler.end(),
                                       [&](std::string_view prefix) { return library.starts_with(prefix); });
  const std::size_t suffix = library.find(".so");
  if (comes_along || suffix == std::string_view::npos || library.find('/') != std::string_view::npos) return {};
  return cat(library.substr(0, suffix), ".a");
}

void judge_machine(const ElfFile& elf, std::string_view platform, Findings& findings) {
  const std::string wanted = architecture_of(platform);
  if (elf.machine == wanted) return;
  findings.reason("machine", cat("is for ", elf.machine, ", and the platform is ", platform),
                  cat("build it for ", wanted));
}

void judge_kind(const ElfFile& elf, Findings& findings) {
  if (elf.is_shared_library) {
    findings.reason("shared-library", "is a shared library: it has no entry point of its own",
                    "name a program instead");
  } else if (!elf.is_executable) {
    findings.reason("not-executable", "is no program: it has not been linked into an executable file",
                    "name a linked program instead");
  }
}

void judge_libraries(const Closure& closure, Findings& findings) {
  for (const std::string& library : closure.missing) {
    findings.reason("needed", cat("needs ", printable(library), ", which is not there"),
                    "install the library, or build without it");
  }
  std::vector<std::string> names;
  for (const ClosureFile& file : closure.files)
    names.push_back(printable(fs::path(file.installed).filename().native()));
  if (!names.empty()) findings.fact("closure", cat("brings its loader and libraries: ", join(names, ", ")));
}

void judge_static(const ElfFile& elf, Findings& findings) {
  if (elf.interpreter) {
    findings.reason("interpreter", cat("needs the interpreter ", printable(*elf.interpreter)),
                    std::string(kLinkStatically));
  }
  for (const std::string& library : elf.needed) {
    const std::string archive = archive_of(library);
    findings.reason("needed", cat("needs ", printable(library)),
                    archive.empty() ? std::string(kLinkStatically)
                                    : cat("install the static archive ", backticked(archive), " and link with it"));
  }
  // A dynamic program gets its symbols from the libraries above; alone it would get them from nowhere.
  if (elf.is_dynamic() || !elf.is_executable) return;
  constexpr std::size_t kShown = 20;
  for (std::size_t i = 0; i < std::min(kShown, elf.undefined_symbols.size()); ++i) {
    findings.reason("undefined-symbol", cat("has the undefined symbol ", printable(elf.undefined_symbols[i])),
                    "link the library that defines it");
  }
  if (elf.undefined_symbols.size() > kShown) {
    findings.reason("undefined-symbol", cat("has ", elf.undefined_symbols.size() - kShown, " more undefined symbols"));
  }
}

std::string lookups_in(const ElfFile& elf) {
  constexpr std::array<std::string_view, 14> kLookups = {
      "getaddrinfo", "gethostbyname", "gethostbyaddr", "getnameinfo",   "getpwnam",       "getpwnam_r",   "getpwuid",
      "getpwuid_r",  "getgrnam",      "getgrgid",      "getservbyname", "getprotobyname", "getnetbyname", "initgroups"};
  std::vector<std::string> found;
  if (elf.has_symbols) {
    for (const std::string_view name : kLookups) {
      if (elf.defines(name)) found.emplace_back(name);
    }
  }
  return join(found, ", ");
}

// The closure has what the program names, not what it asks for by a text at run time.
void warn_of_late_libraries(const ElfFile& elf, Findings& findings) {
  if (elf.asks_for("dlopen")) {
    findings.warning("dlopen", "may load libraries at run time (dlopen)",
                     "what it opens by name is no part of the closure: add it with `files` under `[image]`");
  }
  if (elf.asks_for("iconv_open")) {
    findings.warning("iconv", "converts character sets with glibc's iconv, which loads modules at run time",
                     "without them only UTF-8, UTF-16, UTF-32 and ASCII work: add /usr/lib/*/gconv with `files` under "
                     "`[image]`");
  }
}

void warn_of_surprises(const ElfFile& elf, const Evidence& evidence, Findings& findings) {
  if (elf.is_dynamic()) return warn_of_late_libraries(elf, findings);
  if (!evidence.name_service_switch.empty()) {
    const std::string lookups = lookups_in(elf);
    findings.warning("nss",
                     cat("looks up names through glibc's name service switch (",
                         lookups.empty() ? evidence.name_service_switch : lookups, ")"),
                     "on scratch only `files` and `dns` work; link with musl to do without the switch");
  }
  // The C++ library has iconv in it, whether or not the program converts anything.
  const bool is_cpp = elf.defines("__gxx_personality_v0");
  if (evidence.is_static_glibc && elf.has_symbols && !is_cpp && elf.defines("iconv_open")) {
    findings.warning("iconv", "converts character sets with glibc's iconv, which loads modules at run time",
                     "on scratch only UTF-8, UTF-16, UTF-32 and ASCII work; link with musl or libiconv for the others");
  }
  if (!evidence.loads_libraries.empty()) {
    findings.warning("dlopen", cat("may load libraries at run time (", printable(evidence.loads_libraries), ")"),
                     "a static program cannot load them on scratch: build without plug-ins");
  }
  if (!evidence.openssl_folder.empty()) {
    findings.warning(
        "openssl-folder",
        cat("its OpenSSL looks for CA roots in ", printable(evidence.openssl_folder), ", not in /etc/ssl"),
        "set `SSL_CERT_FILE = \"/etc/ssl/certs/ca-certificates.crt\"` under `[image.env]` in whittle.toml");
  }
}

void state_hardening(const ElfFile& elf, Findings& findings) {
  findings.fact("pie", elf.is_position_independent ? "is position independent" : "is not position independent");
  const char* const relro = !elf.has_relro ? "has no read-only relocations"
                            : elf.is_dynamic() && !elf.binds_at_start
                                ? "has read-only relocations, but for those that are bound late"
                                : "has read-only relocations";
  findings.fact("relro", relro);
  findings.fact("executable-stack", elf.has_executable_stack ? "has an executable stack" : "has no executable stack");
  const std::string protector = elf.stack_protector();
  if (protector == "yes") findings.fact("stack-protector", "guards its stack");
  if (protector == "no") findings.fact("stack-protector", "does not guard its stack");
  if (!elf.run_paths.empty()) {
    findings.fact("run-path", cat("looks for libraries in ", printable(join(elf.run_paths, ":"))));
  }
}

void state_facts(const ElfFile& elf, const Evidence& evidence, Findings& findings) {
  state_hardening(elf, findings);
  if (elf.has_debug_sections) {
    findings.fact("not-stripped", "carries debug information");
  } else if (elf.has_symbols) {
    findings.fact("not-stripped", "carries a symbol table");
  }
  if (!elf.build_id.empty()) findings.fact("build-id", cat("has the build id ", elf.build_id));
  if (evidence.is_static_glibc && elf.has_symbols && elf.defines("setlocale")) {
    findings.fact("locale", "sets its locale: on scratch there is only `C`");
  }
}

Finding not_elf(const fs::path& file) {
  FileSource source(file);
  std::array<std::byte, 128> room{};
  const std::string_view head = text_of(Bytes(room.data(), source.read(room)));
  Finding finding{Severity::reason, "not-elf", "is no ELF program", "name a linked program"};
  if (head.starts_with("#!")) {
    const std::string_view line = trim(head.substr(2, head.find('\n') - 2));
    finding.text = cat("is a script for ", backticked(line.substr(0, line.find(' '))));
    finding.remedy = "scratch has no interpreter for it: name a linked program";
  } else if (head.empty()) {
    finding.text = "is an empty file";
  }
  return finding;
}

// A library looks for certificates on the program's behalf.
void add_evidence_of_libraries(Evidence& evidence, const Closure& closure, std::map<fs::path, Evidence>& known) {
  for (const ClosureFile& library : closure.files) {
    const auto [found_before, is_new] = known.try_emplace(library.file);
    if (is_new) found_before->second = find_evidence(library.file, read_elf(library.file));
    const Evidence& found = found_before->second;
    const auto add = [&](std::string& place, const std::string& text) {
      if (place.empty() && !text.empty()) place = cat(text, " in ", library.installed);
    };
    add(evidence.certificates, found.certificates);
    add(evidence.name_service, found.name_service);
  }
}

Verdict check(const fs::path& file, std::string_view platform, const std::optional<LibraryRoot>& libraries,
              bool is_started) {
  Verdict verdict;
  if (!is_elf(file)) {
    verdict.findings.push_back(not_elf(file));
    return verdict;
  }
  Findings findings;
  try {
    verdict.elf = read_elf(file);
  } catch (const Error& error) {
    if (error.exit() != Exit::not_static) throw;
    verdict.findings.push_back(
        {Severity::reason, "malformed",
         cat("is no well-formed ELF file: ", error.causes().empty() ? "" : error.causes().front()), "build it again"});
    return verdict;
  }
  Evidence evidence = find_evidence(file, verdict.elf);
  judge_machine(verdict.elf, platform, findings);
  if (is_started) judge_kind(verdict.elf, findings);
  if (libraries && verdict.elf.is_dynamic()) {
    Closure closure = closure_of(verdict.elf, libraries->root, libraries->program);
    judge_libraries(closure, findings);
    std::map<fs::path, Evidence> own;
    add_evidence_of_libraries(evidence, closure, libraries->known != nullptr ? *libraries->known : own);
    verdict.closure = std::move(closure.files);
    verdict.missing = std::move(closure.missing);
  } else {
    judge_static(verdict.elf, findings);
  }
  if (is_started) warn_of_surprises(verdict.elf, evidence, findings);
  state_facts(verdict.elf, evidence, findings);
  verdict.wants_certificates = evidence.certificates;
  verdict.wants_time_zones = evidence.time_zones;
  verdict.wants_name_service = evidence.name_service;
  verdict.findings = std::move(findings.list);
  verdict.runs_on_scratch = std::none_of(verdict.findings.begin(), verdict.findings.end(),
                                         [](const Finding& f) { return f.severity == Severity::reason; });
  return verdict;
}

}  // namespace

Verdict check_program(const fs::path& file, std::string_view platform, const std::optional<LibraryRoot>& libraries) {
  return check(file, platform, libraries, true);
}

Verdict check_library(const fs::path& file, std::string_view platform, const LibraryRoot& libraries) {
  return check(file, platform, libraries, false);
}

}  // namespace whittle::proof
