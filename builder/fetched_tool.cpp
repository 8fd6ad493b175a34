#include "builder/fetched_tool.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/archive.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/environment.hpp"
#include "builder/npm_package.hpp"
#include "plan/versions.hpp"

namespace whittle::builder {

namespace {

// More than any toolchain has, and little enough to unpack without asking.
constexpr ArchiveLimits kLimits{.entries = 200'000, .total_bytes = 2ULL << 30, .path_bytes = 1024, .ratio = 200};

fs::path folder_of(const plan::Download& download, const Host& host) {
  if (download.by == "npm") return host.cache / "toolchains" / "npm";
  if (!download.by.empty()) return host.cache / "tools" / "go-mod";
  return host.cache / "toolchains" / download.digest.substr(download.digest.find(':') + 1, 32);
}

bool is_there(const ProbedTool& tool) {
  std::error_code problem;
  return fs::is_regular_file(tool.path, problem);
}

std::string description(const ProbedTool& tool) {
  const plan::Download& download = *tool.download;
  if (!download.by.empty()) {
    return cat(tool.name, " ", tool.version, ": by `", download.by, "` from ",
               download.by == "npm" ? "its registry" : "the module proxy");
  }
  return cat(tool.name, " ", tool.version, ": ", download.url, " (", human_size(download.size), ")");
}

// Archives of packages lose modes on their way (Go's have none), so that what is a program says so itself.
bool is_program(std::string_view head) {
  return head.starts_with(
             "\x7f"
             "ELF") ||
         head.starts_with("#!");
}

void unpack_file(Source& content, const fs::path& to) {
  FileDescriptor file(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!file) throw system_error(Exit::export_failed, cat("cannot create ", backticked(to.native())));
  std::vector<std::byte> room(128 * 1024);
  std::string head;
  for (std::size_t size = 0; (size = content.read(room)) > 0;) {
    const Bytes bytes(room.data(), size);
    if (head.size() < 4) head += text_of(bytes.first(std::min<std::size_t>(size, 4)));
    write_all(file, bytes, to);
  }
  if (is_program(head)) ::fchmod(file.get(), 0755);
}

// A module cannot hold another one, so Go's own `go.mod` files travel as `_go.mod`.
fs::path place_of(const fs::path& path) {
  return path.filename() == "_go.mod" ? path.parent_path() / "go.mod" : path;
}

void unpack(const fs::path& archive, ArchiveFormat format, const std::string& what, const fs::path& to) {
  FileSource source(archive);
  ArchiveReader reader(source, what, format, kLimits);
  for (ArchiveEntry entry; reader.next(entry);) {
    const std::optional<fs::path> place = confined(to, entry.path);
    if (!place)
      throw Error(Exit::input_unavailable, cat(what, " has an entry outside of itself: ", printable(entry.path)));
    if (entry.kind == ArchiveEntry::Kind::folder) {
      make_folders(*place);
    } else if (entry.kind == ArchiveEntry::Kind::file) {
      make_folders(place->parent_path());
      unpack_file(reader.content(), place_of(*place));
    } else {
      throw Error(Exit::input_unavailable, cat(what, " has an entry that is no file: ", printable(entry.path)));
    }
  }
}

// One call for twenty thousand files.
void sync_everything_on(const fs::path& folder) {
  const FileDescriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened || ::syncfs(opened.get()) != 0) {
    throw system_error(Exit::export_failed, cat("cannot write ", backticked(folder.native())));
  }
}

void bring_archive(const ProbedTool& tool, const Host& host, Downloader& downloader, EventSink& events) {
  const plan::Download& download = *tool.download;
  const std::string what = cat(tool.name, " ", tool.version);
  const fs::path folder = folder_of(download, host);
  make_folders(folder.parent_path());
  const FileLock lock(fs::path(cat(folder.native(), ".lock")), FileLock::Mode::exclusive,
                      [&] { events.info(cat("waiting for another whittle that fetches ", what)); });
  if (is_there(tool)) return;
  events.info(cat("fetch ", what, ", ", human_size(download.size)));
  const fs::path archive = downloader.fetch(download);
  TemporaryFolder unpacked(folder.parent_path());
  unpack(archive, download.url.ends_with(".tgz") ? ArchiveFormat::tar : ArchiveFormat::zip, what, unpacked.path());
  if (!fs::is_regular_file(unpacked.path() / download.program)) {
    throw Error(Exit::input_unavailable, cat("the archive of ", what, " holds no ", backticked(download.program)))
        .at(download.url);
  }
  sync_everything_on(unpacked.path());
  remove_tree(folder);
  fs::permissions(unpacked.path(), fs::perms(0755));
  fs::rename(unpacked.path(), folder);
  unpacked.release();
  sync_folder(folder.parent_path());
  downloader.release(download);
}

// Go fetches another version of itself into its module cache and verifies it by the checksum database.
void bring_by_go(const ProbedTool& tool, const Host& host, ProcessRunner& runner, EventSink& events,
                 const std::stop_token& stop) {
  const fs::path cache = folder_of(*tool.download, host);
  make_folders(cache);
  events.info(cat("fetch go ", tool.version));
  Command command{.argv = {tool.helper->path.native(), "version"},
                  .env = network_environment(host),
                  .folder = fs::temp_directory_path()};
  command.env.insert({{"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"HOME", (cache / "home").native()}});
  command.env["GOENV"] = "off";
  command.env["GOFLAGS"] = "-modcacherw";
  command.env["GOMODCACHE"] = cache.native();
  command.env["GOTOOLCHAIN"] = cat("go", tool.version);
  const CapturedOutput captured = ask_program(runner, command, stop);
  if (captured.result.ok() && is_there(tool)) return;
  Error error(Exit::input_unavailable, cat("cannot fetch go ", tool.version));
  error.at(cat("GOTOOLCHAIN=go", tool.version, " ", shell_line(command.argv)));
  const std::string said(trim(captured.error));
  for (const std::string& line : split_lines(said)) error.cause(printable(line));
  throw error.hint("`--toolchain=host` builds with the Go that is here, if it is new enough");
}

// npm holds what it fetches against the digest that the registry states.
void bring_by_npm(const ProbedTool& tool, const Host& host, ProcessRunner& runner, EventSink& events,
                  const std::stop_token& stop) {
  const fs::path folder = folder_of(*tool.download, host);
  const std::string package = tool.download->program.substr(0, tool.download->program.find("/package/"));
  make_folders((folder / package).parent_path());
  const FileLock lock(folder / ".lock", FileLock::Mode::exclusive,
                      [&] { events.info(cat("waiting for another whittle that fetches ", package)); });
  if (is_there(tool)) return;
  events.info(cat("fetch ", tool.name, " ", tool.version));
  const TemporaryFolder packed(folder);
  const fs::path archive = pack_by_npm(tool, package, packed.path(), host, runner, stop);
  TemporaryFolder unpacked(folder);
  unpack(archive, ArchiveFormat::tar, package, unpacked.path());
  if (!fs::is_regular_file(unpacked.path() / tool.download->program.substr(package.size() + 1))) {
    throw Error(Exit::input_unavailable, cat("the package ", backticked(package), " holds no ", tool.name));
  }
  sync_everything_on(unpacked.path());
  fs::permissions(unpacked.path(), fs::perms(0755));
  remove_tree(folder / package);
  fs::rename(unpacked.path(), folder / package);
  unpacked.release();
}

ProbedTool promised(const std::string& name, const plan::Download& download, std::string_view identity,
                    const Host& host) {
  ProbedTool tool;
  tool.name = name;
  tool.path = folder_of(download, host) / download.program;
  tool.version = download.version;
  tool.describes = cat(name, " ", download.version, ", fetched");
  tool.digest = digest_of(identity);
  tool.download = std::make_shared<const plan::Download>(download);
  return tool;
}

}  // namespace

const plan::Download* fitting_download(std::span<const plan::Download> downloads, std::string_view constraint,
                                       std::string_view pin, const Host& host) {
  const auto fits = [&](const plan::Download& download) {
    return (download.host.empty() || download.host == host.platform) && plan::satisfies(download.version, constraint) &&
           plan::satisfies_pin(download.version, pin);
  };
  const auto found = std::find_if(downloads.begin(), downloads.end(), fits);
  return found == downloads.end() ? nullptr : &*found;
}

ProbedTool fetched_tool(const std::string& name, const plan::Download& download, const Host& host) {
  return promised(name, download, download.digest, host);
}

ProbedTool fetched_tool(const std::string& name, const plan::Download& download, const ProbedTool& helper,
                        const Host& host) {
  ProbedTool tool = promised(name, download, download.program, host);
  tool.helper = std::make_shared<const ProbedTool>(helper);
  return tool;
}

std::vector<std::string> missing_parts(const ProbedTool& tool) {
  if (!tool.download || is_there(tool)) return {};
  std::vector<std::string> parts = tool.helper ? missing_parts(*tool.helper) : std::vector<std::string>{};
  parts.push_back(description(tool));
  return parts;
}

void bring(const ProbedTool& tool, const Host& host, Downloader& downloader, ProcessRunner& runner, EventSink& events,
           const std::stop_token& stop) {
  if (!tool.download || is_there(tool)) return;
  if (!tool.helper) return bring_archive(tool, host, downloader, events);
  bring(*tool.helper, host, downloader, runner, events, stop);
  if (tool.download->by == "npm") return bring_by_npm(tool, host, runner, events, stop);
  bring_by_go(tool, host, runner, events, stop);
}

}  // namespace whittle::builder
