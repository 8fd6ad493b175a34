#include "cli/runtime.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "base/digest.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "builder/bubblewrap.hpp"

namespace whittle::cli {

namespace {

struct Runtime {
  std::string_view program, purpose, install;
  bool is_oci;
};
// In the order in which they are tried.
constexpr std::array<Runtime, 4> kRuntimes = {
    {{"runc", "`whittle run`, memory limits", "apt-get install runc", true},
     {"crun", "`whittle run`, memory limits", "apt-get install crun", true},
     {"youki", "`whittle run`, memory limits", "cargo install youki", true},
     {"bwrap", "the sandbox of build steps; `whittle run` without an OCI runtime", "apt-get install bubblewrap",
      false}}};

Json mount(const char* target, const char* type, const char* source, std::vector<std::string> options) {
  return {{"destination", target}, {"type", type}, {"source", source}, {"options", std::move(options)}};
}

// What a container finds besides its own files: /proc, /dev, and the host's name resolution, since the
// network is the host's.
Json mounts() {
  Json list = {mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}),
               mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=64k"}),
               mount("/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"})};
  for (const char* file : {"/etc/resolv.conf", "/etc/hosts"}) {
    if (fs::exists(file)) list.push_back(mount(file, "bind", file, {"bind", "ro"}));
  }
  list.push_back(mount("/tmp", "tmpfs", "tmpfs", {"nosuid", "nodev", "mode=1777"}));
  return list;
}

// config.json of the runtime specification 1.0.
Json bundle_config(const RuntimeProcess& process) {
  Json namespaces = {{{"type", "pid"}}, {{"type", "ipc"}}, {{"type", "uts"}}, {{"type", "mount"}}};
  Json linux_settings = Json::object();
  if (::geteuid() != 0) {
    // One id can be mapped without privileges, and runtimes insist that it is 0 inside.
    namespaces.push_back({{"type", "user"}});
    linux_settings["uidMappings"] = {{{"containerID", 0}, {"hostID", ::geteuid()}, {"size", 1}}};
    linux_settings["gidMappings"] = {{{"containerID", 0}, {"hostID", ::getegid()}, {"size", 1}}};
  }
  linux_settings["namespaces"] = namespaces;
  if (process.memory_limit > 0) linux_settings["resources"] = {{"memory", {{"limit", process.memory_limit}}}};
  return {
      {"ociVersion", "1.0.2"},
      {"process",
       {{"terminal", false},
        {"user", {{"uid", process.uid}, {"gid", process.gid}}},
        {"args", process.argv},
        {"env", process.env},
        {"cwd", process.folder},
        {"noNewPrivileges", true},
        {"capabilities", {{"bounding", Json::array()}, {"effective", Json::array()}, {"permitted", Json::array()}}}}},
      {"root", {{"path", "rootfs"}, {"readonly", true}}},
      {"hostname", "whittle"},
      {"mounts", mounts()},
      {"linux", linux_settings}};
}

Command oci_command(const fs::path& program, const fs::path& root, const RuntimeProcess& process, Session& session) {
  const fs::path bundle = root.parent_path();
  write_file(bundle / "config.json", canonical_json(bundle_config(process)));
  const std::string id = cat("whittle-", digest_of(bundle.native()).hex().substr(0, 12));
  return {.argv = {program.native(), "--root", (bundle / "state").native(), "run", "--bundle", bundle.native(), id},
          .env = session.environment(),
          .folder = {},
          .inherit_terminal = true};
}

Command bubblewrap_command(const fs::path& program, const fs::path& root, const RuntimeProcess& process,
                           Session& session) {
  if (process.memory_limit > 0) {
    throw Error(Exit::input_unavailable, "a memory limit needs an OCI runtime, and only bubblewrap is here")
        .hint("install one with `apt-get install runc`");
  }
  builder::Bubblewrap jail(program);
  jail.lend(root, "/");
  jail.furnish();
  jail.empty("/tmp");
  jail.become(process.uid, process.gid);
  jail.enter(process.folder);
  for (const char* file : {"/etc/resolv.conf", "/etc/hosts"}) jail.show_if_there(file);
  jail.seal("/");
  jail.set_environment(process.env);
  return {.argv = jail.running(process.argv), .env = session.environment(), .folder = {}, .inherit_terminal = true};
}

}  // namespace

int run_process(const fs::path& root, const RuntimeProcess& process, Session& session) {
  const std::string path = session.variable("PATH");
  const std::string wanted = session.variable("WHITTLE_RUNTIME");
  std::vector<Runtime> runtimes(kRuntimes.begin(), kRuntimes.end());
  // Without privileges bubblewrap keeps the image's user, an OCI runtime cannot.
  if (::geteuid() != 0 && process.memory_limit == 0) std::rotate(runtimes.begin(), runtimes.end() - 1, runtimes.end());
  for (const Runtime& runtime : runtimes) {
    if (!wanted.empty() && wanted != runtime.program) continue;
    const std::optional<fs::path> program = find_program(runtime.program, path);
    if (!program) continue;
    session.events().verbose(cat("running with ", backticked(program->native())));
    const Command command = runtime.is_oci ? oci_command(*program, root, process, session)
                                           : bubblewrap_command(*program, root, process, session);
    return session.runner().run(command, {}, session.stop()).status;
  }
  throw Error(Exit::input_unavailable, wanted.empty()
                                           ? "there is no container runtime on this machine"
                                           : cat("there is no runtime ", backticked(wanted), " on this machine"))
      .detail("looked for: runc, crun, youki, bwrap")
      .hint("install one with `apt-get install runc` or `apt-get install bubblewrap`");
}

std::vector<builder::ToolReport> survey_runtimes(Session& session) {
  std::vector<builder::ToolReport> reports;
  for (const Runtime& runtime : kRuntimes) {
    const std::optional<fs::path> program = find_program(runtime.program, session.variable("PATH"));
    reports.push_back({.name = std::string(runtime.program),
                       .version = {},
                       .path = program ? program->native() : "",
                       .purpose = std::string(runtime.purpose),
                       .install = std::string(runtime.install)});
  }
  return reports;
}

}  // namespace whittle::cli
