#include "detectors/dockerfile_hints.hpp"

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::detectors {

namespace {

constexpr std::size_t kMostPorts = 64;
// Of the base image, of the build, or of a shell: they say nothing of a program on scratch.
constexpr std::array<std::string_view, 13> kForeign = {
    "PATH",   "HOME", "SHELL",  "DEBIAN_FRONTEND", "LD_LIBRARY_PATH", "LD_PRELOAD", "CGO_ENABLED",
    "GOPATH", "GOOS", "GOARCH", "GOFLAGS",         "CARGO_HOME",      "RUSTUP_HOME"};
// Programs that start the one that is meant.
constexpr std::array<std::string_view, 4> kStarters = {"tini", "dumb-init", "docker-init", "catatonit"};
constexpr std::array<std::string_view, 8> kSystemFolders = {"/bin",  "/boot", "/dev", "/etc",
                                                            "/proc", "/sys",  "/usr", "/go"};

class Hints {
 public:
  Hints(const Stage& stage, std::string_view name) : stage_(stage), name_(name) {}

  DockerfileHints take() {
    take_user();
    take_ports();
    take_variables();
    take_folder();
    if (stage_.stop_signal) {
      take_checked(&plan::Config::stop_signal, stage_.stop_signal->value, stage_.stop_signal->line);
    }
    take_start();
    return std::move(hints_);
  }

 private:
  std::string source(int line) const { return cat(name_, ":", line); }

  void warn(int line, std::string text) { hints_.warnings.push_back(cat(source(line), ": ", text)); }

  void take_checked(std::optional<plan::Setting> plan::Config::*member, const std::string& value, int line) {
    try {
      hints_.config.*member = plan::checked_setting(member, value, source(line));
    } catch (const Error&) {
      // Docker takes more than an image on scratch can have; a hint is not worth an error.
    }
  }

  // Root is what images have that say nothing; names are those of the base image's passwd.
  void take_user() {
    if (!stage_.user) return;
    const auto& [value, line] = *stage_.user;
    const std::string user = value.substr(0, value.find(':'));
    if (user == "root" || user == "0") return;
    if (value == "nonroot" || value == "nonroot:nonroot") return take_checked(&plan::Config::user, "65532:65532", line);
    if (value == "nobody") return take_checked(&plan::Config::user, "65534:65534", line);
    const bool is_numeric = !value.empty() && value.find_first_not_of("0123456789:") == std::string::npos;
    if (is_numeric) return take_checked(&plan::Config::user, value, line);
    warn(line,
         cat("the user ", backticked(value),
             " is a name that only the base image knows; whittle's image runs as 65532 unless `user` says otherwise"));
  }

  void take_ports() {
    plan::ListSetting ports;
    for (const Stage::Setting& port : stage_.ports) {
      if (ports.source.empty()) ports.source = source(port.line);
      for (std::string& one : range_of(port.value)) {
        const bool is_new = std::find(ports.values.begin(), ports.values.end(), one) == ports.values.end();
        if (is_new && ports.values.size() < kMostPorts) ports.values.push_back(std::move(one));
      }
    }
    if (!ports.values.empty()) hints_.config.ports = std::move(ports);
  }

  // "8080", "53/udp", "8000-8003/tcp".
  static std::vector<std::string> range_of(std::string_view text) {
    const std::size_t slash = text.find('/');
    const std::string protocol = slash == std::string_view::npos ? "tcp" : lower(text.substr(slash + 1));
    const std::string_view numbers = text.substr(0, slash);
    const std::size_t dash = numbers.find('-');
    const std::optional<std::uint64_t> first = parse_number(numbers.substr(0, dash));
    const std::optional<std::uint64_t> last =
        dash == std::string_view::npos ? first : parse_number(numbers.substr(dash + 1));
    std::vector<std::string> ports;
    if (!first || !last || *first < 1 || *last > 65535 || *last - *first > kMostPorts) return ports;
    if (protocol != "tcp" && protocol != "udp" && protocol != "sctp") return ports;
    for (std::uint64_t port = *first; port <= *last; ++port) ports.push_back(cat(port, "/", protocol));
    return ports;
  }

  void take_variables() {
    for (const auto& [name, setting] : stage_.env) {
      const bool is_foreign = std::find(kForeign.begin(), kForeign.end(), name) != kForeign.end();
      const bool is_good =
          !name.empty() && is_utf8(name) && is_utf8(setting.value) && setting.value.find('\0') == std::string::npos;
      if (!is_foreign && is_good) hints_.config.image_env[name] = {setting.value, source(setting.line)};
    }
  }

  void take_folder() {
    if (!stage_.folder || !is_utf8(stage_.folder->value)) return;
    std::string folder = stage_.folder->value;
    while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
    const bool is_system = std::any_of(kSystemFolders.begin(), kSystemFolders.end(), [&](std::string_view one) {
      return folder == one || folder.starts_with(cat(one, "/"));
    });
    if (folder != "/" && !is_system) take_checked(&plan::Config::workdir, folder, stage_.folder->line);
  }

  // "server" of `go build -o /out/server`.
  void note_output(const Instruction& run) {
    const std::vector<std::string> words = split(run.text, ' ');
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
      if (words[i] == "-o") hints_.copied.push_back(last_part(words[i + 1]));
    }
  }

  void take_start() {
    for (const Instruction& one : stage_.instructions) {
      const bool is_from_stage = std::any_of(one.flags.begin(), one.flags.end(),
                                             [](const std::string& flag) { return flag.starts_with("--from="); });
      if (one.name == "RUN") note_output(one);
      if (one.name != "COPY" || !is_from_stage) continue;
      const std::vector<std::string> words = split(one.text, ' ');
      if (words.size() < 2) continue;
      const std::string& to = words.back();
      hints_.copied.push_back(last_part(to.ends_with('/') ? words.front() : to));
    }
    if (stage_.has_shell_form) return;
    std::vector<std::string> argv = stage_.entrypoint;
    argv.insert(argv.end(), stage_.command.begin(), stage_.command.end());
    const std::size_t replaceable = stage_.command.size();
    const auto is_starter = [&](std::string_view word) {
      return std::find(kStarters.begin(), kStarters.end(), last_part(word)) != kStarters.end();
    };
    if (argv.size() > 1 && is_starter(argv.front())) {
      argv.erase(argv.begin());
      while (!argv.empty() && argv.front().starts_with('-')) argv.erase(argv.begin());
    }
    const bool is_text = std::all_of(argv.begin(), argv.end(), [](const std::string& word) {
      return is_utf8(word) && word.find('\0') == std::string::npos;
    });
    if (argv.empty() || argv.front().empty() || !is_text) return;
    // The program stays when a caller gives arguments of its own: there is nothing else to start.
    const auto arguments = argv.end() - static_cast<std::ptrdiff_t>(std::min(replaceable, argv.size() - 1));
    hints_.arguments.assign(arguments, argv.end());
    argv.erase(arguments, argv.end());
    hints_.argv = std::move(argv);
    hints_.argv_source = source(stage_.entrypoint_line > 0 ? stage_.entrypoint_line : stage_.command_line);
  }

  const Stage& stage_;
  std::string_view name_;
  DockerfileHints hints_;
};

}  // namespace

DockerfileHints hints_of_dockerfile(std::string_view text, std::string_view name) {
  const std::vector<Stage> stages = stages_of(parse_dockerfile(text));
  if (stages.empty()) return {};
  DockerfileHints hints = Hints(stages.back(), name).take();
  for (std::string& mistake : mistakes_in(stages, name)) hints.warnings.push_back(std::move(mistake));
  return hints;
}

}  // namespace whittle::detectors
