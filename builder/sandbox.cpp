#include "builder/sandbox.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <tuple>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/bubblewrap.hpp"
#include "builder/probe_cache.hpp"

namespace whittle::builder {

namespace {

constexpr const char* kInstall = "install it with `apt-get install bubblewrap`";

// What files ask of a root that installs them; not what the machine asks.
constexpr std::array<std::string_view, 7> kCapabilities = {"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID",
                                                           "CAP_KILL",  "CAP_SETGID",       "CAP_SETUID"};

// Of the whole machine, and writable for root.
constexpr std::array kSettings = {"/proc/sys", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/acpi", "/proc/scsi"};

std::string variable(const Host& host, const std::string& name) {
  const auto found = host.environment.find(name);
  return found == host.environment.end() ? "" : found->second;
}

// Bubblewrap that worked goes on working while the machine runs on and we are in the same container.
std::string question_of(const fs::path& program) {
  std::error_code ignored;
  return cat("whittle.sandbox/1\n", program.native(), "\n", ::geteuid(), "\n",
             fs::read_symlink("/proc/self/ns/user", ignored).native(), "\n",
             read_file_if_exists("/proc/sys/kernel/random/boot_id", 4096).value_or(""));
}

struct Switch {
  const char* file;
  std::string_view closed;  // what it reads when it is the reason
  const char* open;
};
constexpr std::array<Switch, 3> kSwitches = {
    {{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
      "allow it: `sysctl kernel.apparmor_restrict_unprivileged_userns=0`"},
     {"/proc/sys/kernel/unprivileged_userns_clone", "0", "allow it: `sysctl kernel.unprivileged_userns_clone=1`"},
     {"/proc/sys/user/max_user_namespaces", "0", "allow it: `sysctl user.max_user_namespaces=15000`"}}};

std::string remedy() {
  for (const Switch& one : kSwitches) {
    const std::optional<std::string> text = read_file_if_exists(one.file, 4096);
    if (::geteuid() != 0 && text && trim(*text) == one.closed) return one.open;
  }
  return "in a container, start it with user namespaces allowed";
}

std::string last_line(const std::string& text) {
  const std::vector<std::string> lines = split_lines(std::string(trim(text)));
  return lines.empty() ? "it says nothing" : printable(lines.back());
}

// The same for every step, and the part that a machine may refuse.
void put_up_walls(Bubblewrap& jail, const View& view, bool maps_user) {
  if (maps_user) {
    jail.map_user();
    jail.keep_only_capabilities({});
  } else {
    jail.keep_only_capabilities(kCapabilities);
  }
  jail.name_host("localhost");
  jail.show("/", "/");
  jail.furnish();
  // Its files ask who writes them, not what that root may do.
  for (const char* settings : kSettings) jail.show_if_there(settings);
  for (const auto& [path, access] : view.places()) {
    if (access == Access::hidden) jail.empty(path);
    if (access == Access::readable) jail.show(path, path);
    if (access == Access::writable) jail.lend(path, path);
  }
}

fs::path located(const Command& command) {
  const std::string& program = command.argv.at(0);
  if (program.find('/') != std::string::npos) {
    std::error_code ignored;
    if (fs::exists(command.folder / program, ignored)) return program;
    throw system_error(Exit::input_unavailable, cat("cannot start ", backticked(program)), ENOENT);
  }
  const auto path = command.env.find("PATH");
  if (const auto found = find_program(program, path == command.env.end() ? "" : path->second)) return *found;
  throw Error(Exit::input_unavailable, cat("there is no program ", backticked(program), " on the PATH"));
}

}  // namespace

bool Sandbox::works(const Bars& bars, const std::stop_token& stop, std::string& reason) {
  const std::optional<fs::path> harmless = find_program("true", "/usr/bin:/bin:/run/current-system/sw/bin");
  if (!harmless) return false;
  Bubblewrap jail(bars.program);
  put_up_walls(jail, View(host_), bars.maps_user);
  jail.take_network();
  const CapturedOutput said =
      ask_program(runner_, {.argv = jail.running(std::vector{harmless->native()}), .env = {}, .folder = "/"}, stop);
  if (!said.result.ok()) reason = last_line(said.error);
  return said.result.ok();
}

std::optional<Sandbox::Bars> Sandbox::find(const std::stop_token& stop, std::string& reason) {
  const std::optional<fs::path> program = find_program("bwrap", variable(host_, "PATH"));
  if (!program) {
    reason = "bubblewrap is not on this machine";
    return std::nullopt;
  }
  const ProbeCache cache(host_.cache / "probes");
  const std::string question = question_of(*program);
  if (const auto known = cache.find(question)) return Bars{*program, known->describes == "user"};
  for (const bool maps_user : {false, true}) {
    // Without privileges there is only the one way.
    if (!maps_user && ::geteuid() != 0) continue;
    const Bars bars{*program, maps_user};
    if (!works(bars, stop, reason)) continue;
    cache.remember(question,
                   {.name = "bwrap",
                    .path = *program,
                    .version = {},
                    .describes = maps_user ? "user" : "root",
                    .digest = digest_of_file(*program)},
                   {*program});
    return bars;
  }
  return std::nullopt;
}

void Sandbox::refuse(const std::string& reason) {
  const bool is_missing = reason.starts_with("bubblewrap is not");
  if (mode_ == "required") {
    throw Error(Exit::input_unavailable, "steps must run in a sandbox, and this machine has none")
        .cause(reason)
        .hint(is_missing ? kInstall : remedy())
        .hint("`--sandbox=auto` builds without one where there is none");
  }
  events_.warn(cat("steps run without a sandbox: ", reason, "; ", is_missing ? kInstall : remedy(),
                   ", or accept it with `--sandbox=off`"));
}

void Sandbox::look_ahead(const std::stop_token& stop) {
  if (mode_ == "off" || has_looked_ || ahead_.valid()) return;
  const std::optional<fs::path> program = find_program("bwrap", variable(host_, "PATH"));
  if (!program || ProbeCache(host_.cache / "probes").find(question_of(*program))) return;
  ahead_ = std::async(std::launch::async, [this, stop] {
    std::string reason;
    std::optional<Bars> bars = find(stop, reason);
    return std::pair(std::move(bars), std::move(reason));
  });
}

bool Sandbox::is_in_force(const std::stop_token& stop) {
  if (mode_ == "off") return false;
  if (has_looked_ && (bars_ || mode_ != "required")) return bars_.has_value();
  std::string reason;
  if (ahead_.valid()) {
    std::tie(bars_, reason) = ahead_.get();
  } else {
    bars_ = find(stop, reason);
  }
  has_looked_ = true;
  if (!bars_) refuse(reason);
  if (bars_) events_.verbose(cat("steps run in a sandbox by ", backticked(bars_->program.native())));
  return bars_.has_value();
}

Command Sandbox::around(Command command, const View& view, bool network) const {
  command.argv.at(0) = located(command).native();
  Bubblewrap jail(bars_->program);
  put_up_walls(jail, view, bars_->maps_user);
  if (!network) jail.take_network();
  jail.enter(command.folder);
  command.argv = jail.running(command.argv);
  return command;
}

}  // namespace whittle::builder
