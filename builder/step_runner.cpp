#include "builder/step_runner.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <deque>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/bubblewrap.hpp"
#include "builder/host_libraries.hpp"
#include "builder/mask.hpp"
#include "builder/missing.hpp"
#include "builder/remedies.hpp"
#include "builder/trespass.hpp"

namespace whittle::builder {

namespace {

constexpr std::size_t kLastLines = 20;
constexpr std::size_t kLongestLine = 4096;
constexpr std::size_t kLargestReport = 256 << 20;
constexpr std::string_view kPath = "${path}";
constexpr std::size_t kSaid = 256 << 10;

std::string shown(std::string_view line) {
  std::string text(line.substr(0, kLongestLine));
  std::replace(text.begin(), text.end(), '\t', ' ');
  return printable(text);
}

// Cuts what comes in pieces into lines.
class Lines {
 public:
  template <class Function>
  void add(std::string_view text, Function&& line) {
    for (const char c : text) {
      if (c == '\n') {
        line(std::string_view(open_));
        open_.clear();
      } else if (c != '\r' && open_.size() < kLongestLine) {
        open_ += c;
      }
    }
  }
  template <class Function>
  void finish(Function&& line) {
    if (!open_.empty()) line(std::string_view(open_));
    open_.clear();
  }

 private:
  std::string open_;
};

// Written as it comes: a killed build leaves its log.
class LogFile {
 public:
  explicit LogFile(const fs::path& path)
      : file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)), path_(path) {
    if (!file_) throw system_error(Exit::export_failed, cat("cannot create ", backticked(path.native())));
  }
  void write(std::string_view text) { write_all(file_, bytes_of(text), path_); }

 private:
  FileDescriptor file_;
  fs::path path_;
};

std::string file_name_for(std::string_view name) {
  std::string out;
  for (const char c : name.substr(0, 60)) {
    const bool is_plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.';
    out += is_plain ? c : '-';
  }
  return out;
}

std::string ending_of(const ProcessResult& result) {
  if (result.status > 128) return cat("was ended by signal ", result.status - 128);
  return cat("failed with exit status ", result.status);
}

}  // namespace

std::string telling_line(std::span<const std::string> lines) {
  for (const std::string& line : lines) {
    const std::string small = lower(line);
    // The compiler's driver and CMake only repeat that something failed; other lines say what.
    const std::string_view told = trim(small);
    if (told.starts_with("collect2:") || told.starts_with("-- configuring incomplete")) continue;
    // The linker says where it is before it says what is wrong there; a warning ends no link.
    if (small.find("warning: ") != std::string::npos || told.ends_with("':")) continue;
    if (line.find("/ld: ") != std::string::npos) return std::string(trim(line));
    if (small.find("error") != std::string::npos || small.find("undefined reference") != std::string::npos) {
      return std::string(trim(line));
    }
  }
  return lines.empty() ? "" : std::string(trim(lines.back()));
}

std::string gist(const Error& error) {
  std::vector<std::string> lines;
  for (const std::string& line : error.details()) {
    if (line.starts_with("  ")) lines.push_back(line);
  }
  if (error.exit() == Exit::not_static) lines = error.details();
  const std::string line = telling_line(lines);
  return line.empty() ? error.message() : cat(error.message(), ": ", line);
}

Command StepRunner::command_for(const plan::Step& step) const {
  const Places& places = setting_.places;
  const Placeholders placeholders(places, setting_.tools, setting_.toolchain);
  Command command;
  command.argv = placeholders.filled(step.argv);
  if (command.argv.empty()) throw Error(Exit::usage, cat("step ", backticked(step.name), " has no command"));
  const std::optional<fs::path> folder =
      step.folder == "." ? std::optional<fs::path>(places.work) : confined(places.work, step.folder);
  if (!folder) throw Error(Exit::usage, cat("step ", backticked(step.name), " would run outside the work folder"));
  // Tools note the path of their working folder: the real one, not the link to it.
  std::error_code problem;
  const fs::path real = fs::canonical(*folder, problem);
  command.folder = problem ? *folder : real;
  std::vector<ProbedTool> on_path(setting_.tools.begin(), setting_.tools.end());
  if (setting_.toolchain != nullptr) {
    on_path.insert(on_path.end(), setting_.toolchain->tools.begin(), setting_.toolchain->tools.end());
  }
  command.env = clean_environment(on_path, places.work, setting_.plan);
  if (step.network) {
    for (auto& [name, value] : network_environment(setting_.host)) command.env[name] = value;
  }
  if (setting_.toolchain != nullptr) {
    for (const auto& [name, value] : setting_.toolchain->toolchain.env) command.env[name] = placeholders.filled(value);
  }
  // Bubblewrap sets it; a step must not be able to tell whether it is in a sandbox by what it makes.
  command.env["PWD"] = command.folder.native();
  const std::string path = command.env["PATH"];
  for (const auto& [name, value] : step.env) {
    std::string text = placeholders.filled(value);
    if (const std::size_t at = text.find(kPath); at != std::string::npos) text.replace(at, kPath.size(), path);
    command.env[name] = std::move(text);
  }
  return command;
}

void StepRunner::write_files(const plan::Step& step) const {
  const Placeholders placeholders(setting_.places, setting_.tools, setting_.toolchain);
  for (const auto& [path, text] : step.files) {
    const std::optional<fs::path> file = confined(setting_.places.work, path);
    if (!file) throw Error(Exit::usage, cat("step ", backticked(step.name), " would write outside the work folder"));
    make_folders(file->parent_path());
    write_unsynced(*file, placeholders.filled(text), text.starts_with("#!") ? 0755 : 0644);
  }
}

// As in Remote Execution: the folders of declared outputs are there before the command starts.
void StepRunner::make_output_folders(const plan::Step& step) const {
  for (const std::string& output : step.outputs) {
    const std::optional<fs::path> path = confined(setting_.places.work, output);
    if (!path) throw Error(Exit::usage, cat("step ", backticked(step.name), " has an output outside the work folder"));
    make_folders(path->parent_path());
  }
}

Error StepRunner::failed_step(const plan::Step& step, const Command& command, const ProcessResult& result,
                              std::span<const std::string> last, const std::optional<View>& view) const {
  if (view && is_complaint_of_bubblewrap(said_)) {
    Error failed(Exit::build_failed, cat("the sandbox of build step ", backticked(step.name), " cannot be set up"));
    return failed.cause(std::string(trim(said_))).hint("`--sandbox=off` builds without one");
  }
  std::optional<Missing> missing = missing_in(said_);
  if (missing && missing->kind == Missing::Kind::library) {
    missing->needed_by = host_module_with(missing->name, said_, setting_.plan.platform);
  }
  const std::optional<Remedy> remedy = missing ? remedy_for(*missing, setting_.plan.platform) : std::nullopt;
  const std::optional<Trespass> trespass = view && !remedy ? trespass_in(said_, *view, step.network) : std::nullopt;
  Error failed(Exit::build_failed, cat("build step ", backticked(step.name), " ",
                                       remedy     ? cat("needs ", description_of(*missing), ", which ", remedy->state)
                                       : trespass ? description_of(*trespass)
                                                  : ending_of(result)));
  failed.at(cat(shell_line(command.argv), "   (in ", backticked(step.folder), ")"));
  if (!last.empty()) failed.detail("last lines:");
  for (const std::string& line : last) failed.detail(cat("  ", line));
  const std::vector<std::string> known = remedies_for(last);
  if (trespass) failed.cause(trespass->line);
  if (trespass && known.empty()) failed.hint(remedy_for(*trespass, step.name));
  if (remedy) failed.hint(remedy->hint);
  for (const std::string& advice : known) failed.hint(advice);
  return failed;
}

std::string StepRunner::run(const plan::Step& step, std::size_t number) {
  write_files(step);
  make_output_folders(step);
  const Surroundings around{setting_.host, setting_.places, setting_.tools, setting_.toolchain};
  for (const fs::path& folder : all_cache_folders(step, around)) make_folders(folder);
  Command command = command_for(step);
  const Secrets none;
  const Secrets& secrets = setting_.secrets == nullptr ? none : *setting_.secrets;
  const HandedSecrets handed(step, secrets, setting_.host, setting_.logs.filename().native(), command);
  if (const auto home = command.env.find("CARGO_HOME"); home != command.env.end()) {
    prepare_cargo_home(home->second, setting_.host, step.network);
  }

  make_folders(setting_.logs);
  const fs::path log_path =
      setting_.logs / cat(number + 1, "-", file_name_for(step.name), file_name_for(setting_.variant), ".log");
  LogFile log(log_path);
  log.write(cat("$ ", shell_line(command.argv), "\n"));

  std::string report;
  said_.clear();
  std::deque<std::string> last;
  std::vector<std::string> telling;
  const auto take = [&](std::string_view line) {
    const std::string text = shown(line);
    events_.emit(StepOutput{step.name, text});
    last.push_back(text);
    if (last.size() > kLastLines) last.pop_front();
  };
  Lines out, error;
  const auto hear = [&](OutputStream stream, std::string_view text) {
    log.write(text);
    const bool is_report = stream == OutputStream::out &&
                           (step.report == plan::Report::go_list || step.report == plan::Report::cargo_messages);
    if (is_report) {
      report += text.substr(0, kLargestReport - std::min(kLargestReport, report.size()));
    } else {
      said_ += text;
      if (said_.size() > 2 * kSaid) said_.erase(0, said_.size() - kSaid);
      (stream == OutputStream::out ? out : error).add(text, take);
    }
  };
  Mask out_mask(secrets.parts()), error_mask(secrets.parts());
  const auto output = [&](OutputStream stream, std::string_view text) {
    hear(stream, (stream == OutputStream::out ? out_mask : error_mask).shown(text));
  };
  std::optional<View> view;
  if (setting_.sandbox != nullptr && setting_.sandbox->is_in_force(stop_)) view = view_of(step, command, around);
  if (view && !handed.folder().empty()) view->read(handed.folder());
  was_confined_ = view.has_value();
  const ProcessResult result =
      runner_.run(view ? setting_.sandbox->around(command, *view, step.network) : command, output, stop_);
  hear(OutputStream::out, out_mask.rest());
  hear(OutputStream::error, error_mask.rest());
  out.finish(take);
  error.finish(take);
  if (result.cancelled || (stop_.stop_requested() && !result.ok())) {
    throw Error(Exit::transient, cat("cancelled during step ", backticked(step.name)))
        .note("nothing was changed; the same command goes on from what is cached");
  }
  if (result.ok()) return report;

  const std::vector<std::string> lines(last.begin(), last.end());
  throw failed_step(step, command, result, lines, view).hint(cat("the full log is ", backticked(log_path.native())));
}

}  // namespace whittle::builder
