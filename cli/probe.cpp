#include "cli/probe.hpp"

#include <chrono>
#include <set>

#include "base/deadline.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/bubblewrap.hpp"
#include "cli/image_source.hpp"
#include "layers/image_reader.hpp"

namespace whittle::cli {

namespace {

using Severity = proof::Finding::Severity;

constexpr std::chrono::seconds kPatience{2};
constexpr std::size_t kMostFiles = 8;

struct Outcome {
  bool is_running_on = false;
  int status = 0;
  std::string error;  // what it said on standard error

  bool has_crashed() const { return !is_running_on && status > 128; }
  bool is_same(const Outcome& other) const {
    return is_running_on == other.is_running_on && (is_running_on || status == other.status);
  }
};

fs::path bubblewrap(Session& session) {
  if (const std::optional<fs::path> found = find_program("bwrap", session.variable("PATH"))) return *found;
  throw Error(Exit::input_unavailable, "probing a program needs bubblewrap, which is not on this machine")
      .hint("install it with `apt-get install bubblewrap`");
}

std::string last_line(const std::string& text) {
  const std::vector<std::string> lines = split_lines(text);
  for (std::size_t i = lines.size(); i-- > 0;) {
    if (!trim(lines[i]).empty()) return printable(trim(lines[i]).substr(0, 300));
  }
  return {};
}

Outcome run(const fs::path& root, const ProbedProcess& process, bool is_furnished, Session& session) {
  builder::Bubblewrap jail(bubblewrap(session));
  jail.show(root, "/");
  jail.take_network();
  jail.become(65532, 65532);
  jail.enter(process.folder);
  std::vector<std::string> environment = process.env;
  if (is_furnished) {
    jail.furnish();
    jail.empty("/tmp");
    environment.insert(environment.begin(), "HOME=/tmp");
  }
  jail.set_environment(environment);
  std::vector<std::string> argv = jail.running(process.argv);
  const Deadline deadline(kPatience, session.stop());
  const CapturedOutput ended = run_captured(
      session.runner(), {.argv = std::move(argv), .env = session.environment(), .folder = {}}, deadline.token());
  if (session.stop().stop_requested()) throw Error(Exit::transient, "cancelled while the program was probed");
  if (builder::is_complaint_of_bubblewrap(ended.error) && !ended.result.ok()) {
    throw Error(Exit::input_unavailable, "bubblewrap cannot make a root of its own here").cause(last_line(ended.error));
  }
  return {.is_running_on = deadline.has_passed(), .status = ended.result.status, .error = ended.error};
}

std::string description_of(const Outcome& outcome) {
  if (outcome.is_running_on) return cat("still runs after ", kPatience.count(), " s");
  std::string text = outcome.has_crashed() ? cat("is ended by signal ", outcome.status - 128)
                                           : cat("ends with status ", outcome.status);
  const std::string said = last_line(outcome.error);
  if (outcome.status != 0 && !said.empty()) text += cat(" and says ", backticked(said));
  return text;
}

// Absolute paths in lines that say that something was not found.
std::set<std::string> files_not_found(const std::string& text) {
  std::set<std::string> files;
  for (const std::string& line : split_lines(text)) {
    const std::string small = lower(line);
    const bool is_about_absence = small.find("no such file") != std::string::npos ||
                                  small.find("not found") != std::string::npos ||
                                  small.find("cannot open") != std::string::npos;
    for (std::size_t at = line.find('/'); is_about_absence && at != std::string::npos; at = line.find('/', at)) {
      const std::size_t end = std::min(line.find_first_of(" \t:;,'\"`()<>[]", at), line.size());
      const bool begins = at == 0 || std::string_view(" \t:'\"`(<[=").find(line[at - 1]) != std::string_view::npos;
      if (begins && end - at > 1 && files.size() < kMostFiles) files.insert(line.substr(at, end - at));
      at = end;
    }
  }
  return files;
}

}  // namespace

std::vector<proof::Finding> probe(const fs::path& root, const ProbedProcess& process, Session& session) {
  for (const char* folder : {"proc", "dev", "tmp"}) make_folders(root / folder);
  const Outcome bare = run(root, process, false, session), furnished = run(root, process, true, session);
  std::vector<proof::Finding> findings;
  const bool cannot_start = !furnished.is_running_on && furnished.error.find("bwrap: execvp") != std::string::npos;
  if (cannot_start || furnished.has_crashed()) {
    findings.push_back({Severity::reason, "probe", cat("when it is run, it ", description_of(furnished)),
                        cannot_start ? "look at the reasons above" : "run it with `whittle run` to see all it says"});
    return findings;
  }
  findings.push_back({Severity::fact, "probe", cat("when it is run, it ", description_of(furnished)), {}});
  if (!bare.is_same(furnished)) {
    findings.push_back({Severity::warning, "probe-bare", cat("without /dev and HOME it ", description_of(bare)),
                        "runtimes give it /dev; set `env = { HOME = \"/tmp\" }` under `[image]` for HOME"});
  }
  for (const std::string& file : files_not_found(furnished.error)) {
    findings.push_back({Severity::warning, "probe-file", cat("says that ", printable(file), " is not there"),
                        "add it with `files` under `[image]` in whittle.toml, if it is needed"});
  }
  return findings;
}

std::vector<proof::Finding> probe_image(const oci::BlobStore& blobs, const oci::Descriptor& image, Session& session) {
  const oci::Image loaded = oci::load_image(blobs, image, oci::Platform::host());
  const oci::Config config = oci::Config::decode(blobs.read(loaded.config, oci::kMaximumConfig), "the configuration");
  ProbedProcess process{.argv = config.entrypoint, .env = config.env};
  process.argv.insert(process.argv.end(), config.command.begin(), config.command.end());
  if (!config.working_directory.empty()) process.folder = config.working_directory;
  if (process.argv.empty()) throw Error(Exit::usage, "the image names no program to start");
  const TemporaryFolder unpacked = temporary_store(session);
  fs::permissions(unpacked.path(), fs::perms(0755));
  layers::unpack(blobs, loaded, unpacked.path(), false, session.events(), session.stop());
  return probe(unpacked.path(), process, session);
}

}  // namespace whittle::cli
