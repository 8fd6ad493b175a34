#include "cli/probe.hpp"

#include <algorithm>
#include <chrono>

#include "base/deadline.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/bubblewrap.hpp"
#include "cli/image_source.hpp"
#include "cli/supplies.hpp"
#include "layers/image_reader.hpp"

namespace whittle::cli {

namespace {

using Severity = proof::Finding::Severity;

constexpr std::chrono::seconds kPatience{2};

struct Outcome {
  bool is_running_on = false;
  int status = 0;
  std::string error;  // what it said on standard error
  std::string out;

  bool has_crashed() const { return !is_running_on && status > 128; }
  bool is_well() const { return is_running_on || status == 0; }
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

// What a runtime gives: nothing at all; /dev, /proc and /tmp; and HOME.
enum class Given { nothing, root_as_home, home };

Outcome run(const fs::path& root, const ProbedProcess& process, Given given, Session& session) {
  builder::Bubblewrap jail(bubblewrap(session));
  jail.show(root, "/");
  for (const std::string& path : process.own) jail.lend(cat(root.native(), path), path);
  jail.take_network();
  jail.become(65532, 65532);
  jail.enter(process.folder);
  std::vector<std::string> environment = process.env;
  if (given != Given::nothing) {
    jail.furnish();
    jail.empty("/tmp");
    environment.insert(environment.begin(), {given == Given::home ? "HOME=/tmp" : "HOME=/", "TERM=xterm"});
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
  return {
      .is_running_on = deadline.has_passed(), .status = ended.result.status, .error = ended.error, .out = ended.out};
}

std::string description_of(const Outcome& outcome) {
  if (outcome.is_running_on) return cat("still runs after ", kPatience.count(), " s");
  std::string text = outcome.has_crashed() ? cat("is ended by signal ", outcome.status - 128)
                                           : cat("ends with status ", outcome.status);
  const std::string said = last_line(outcome.error);
  if (outcome.status != 0 && !said.empty()) text += cat(" and says ", backticked(said));
  return text;
}

// The outermost ones.
std::vector<std::string> folders_of_user(const std::map<std::string, layers::ImageFile>& files,
                                         const std::string& user) {
  std::vector<std::string> folders;
  const std::optional<std::uint64_t> number = parse_number(user.substr(0, user.find(':')));
  if (!number || *number == 0) return folders;
  for (const auto& [path, file] : files) {
    const std::string place = cat("/", path);
    const bool is_inside = !folders.empty() && place.starts_with(cat(folders.back(), "/"));
    const bool is_own = file.entry.kind == ArchiveEntry::Kind::folder && file.entry.uid == *number;
    if (is_own && !is_inside && !path.empty()) folders.push_back(place);
  }
  return folders;
}

}  // namespace

Probed probe(const fs::path& root, const ProbedProcess& process, Session& session) {
  for (const char* folder : {"proc", "dev", "tmp"}) make_folders(root / folder);
  const Outcome bare = run(root, process, Given::nothing, session),
                furnished = run(root, process, Given::home, session);
  Probed probed{
      .findings = {}, .said = cat(furnished.error, "\n", furnished.out), .runs = furnished.is_well(), .supplies = {}};
  std::vector<proof::Finding>& findings = probed.findings;
  probed.supplies = supplies_for(probed.said);
  const bool cannot_start = !furnished.is_running_on && furnished.error.find("bwrap: execvp") != std::string::npos;
  if (cannot_start || furnished.has_crashed()) {
    findings.push_back({Severity::reason, "probe", cat("when it is run, it ", description_of(furnished)),
                        cannot_start ? "look at the reasons above" : "run it with `whittle run` to see all it says"});
    return probed;
  }
  const bool has_home = std::any_of(process.env.begin(), process.env.end(),
                                    [](const std::string& variable) { return variable.starts_with("HOME="); });
  if (!bare.is_well() && furnished.is_well() && !has_home)
    probed.wants_home = !run(root, process, Given::root_as_home, session).is_well();
  findings.push_back({Severity::fact, "probe", cat("when it is run, it ", description_of(furnished)), {}});
  if (!bare.is_same(furnished)) {
    findings.push_back({Severity::warning, "probe-bare", cat("without /dev and HOME it ", description_of(bare)),
                        "runtimes give it /dev; set `env = { HOME = \"/tmp\" }` under `[image]` for HOME"});
  }
  for (const std::string& file : files_not_found(furnished.error)) {
    findings.push_back({Severity::warning, "probe-file", cat("says that ", printable(file), " is not there"),
                        "add it with `files` under `[image]` in whittle.toml, if it is needed"});
  }
  return probed;
}

Probed probe_image(const oci::BlobStore& blobs, const oci::Descriptor& image, Session& session) {
  const oci::Image loaded = oci::load_image(blobs, image, oci::Platform::host());
  const oci::Config config = oci::Config::decode(blobs.read(loaded.config, oci::kMaximumConfig), "the configuration");
  ProbedProcess process{.argv = config.entrypoint, .env = config.env};
  process.argv.insert(process.argv.end(), config.command.begin(), config.command.end());
  if (!config.working_directory.empty()) process.folder = config.working_directory;
  if (process.argv.empty()) throw Error(Exit::usage, "the image names no program to start");
  process.own = folders_of_user(layers::list_files(blobs, loaded), config.user);
  const TemporaryFolder unpacked = temporary_store(session);
  fs::permissions(unpacked.path(), fs::perms(0755));
  layers::unpack(blobs, loaded, unpacked.path(), false, session.events(), session.stop());
  return probe(unpacked.path(), process, session);
}

}  // namespace whittle::cli
