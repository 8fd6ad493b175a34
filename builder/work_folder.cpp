#include "builder/work_folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/builder.hpp"
#include "builder/orphans.hpp"

namespace whittle::builder {

namespace {

constexpr std::string_view kUse = ".use-", kLock = "lock";

// Out of the way first: something that a killed build started may still write below the old name.
void remove_leftover(const fs::path& folder) {
  std::error_code problem;
  const fs::path aside = folder.parent_path() / cat(".gone-", folder.filename().native());
  remove_tree(aside);
  fs::rename(folder, aside, problem);
  remove_tree(problem ? folder : aside);
}

// Called with the lock of the whole folder held, so nobody is between creating a folder and locking it.
// False when some folder is in use.
bool sweep(const fs::path& work, EventSink& events) {
  std::error_code problem;
  std::vector<fs::path> folders;
  for (const fs::directory_entry& entry : fs::directory_iterator(work, problem)) {
    if (entry.is_directory(problem) && !entry.is_symlink(problem)) folders.push_back(entry.path());
  }
  bool is_idle = true;
  for (const fs::path& folder : folders) {
    const std::string name = folder.filename().native();
    try {
      const fs::path lock = name.starts_with(kUse) ? folder / kLock : work / cat(name, ".lock");
      const bool is_aside = name.starts_with(".gone-");
      const std::optional<FileLock> mine = is_aside ? std::nullopt : FileLock::try_exclusive(lock);
      if (!mine && !is_aside) {
        is_idle = false;
        continue;
      }
      if (is_aside) {
        remove_tree(folder);
      } else {
        remove_leftover(folder);
      }
      events.verbose(cat("removed ", backticked(folder.native()), ", left behind by an interrupted build"));
    } catch (const Error& error) {
      events.verbose(error.message());
    }
  }
  return is_idle;
}

// A time in the future (a clock that was wrong, an archive) would make ninja and make see stale files for ever.
void set_times(const fs::path& path, const struct stat& status) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const bool is_future = std::pair(status.st_mtim.tv_sec, status.st_mtim.tv_nsec) > std::pair(now.tv_sec, now.tv_nsec);
  const timespec times[2] = {status.st_atim, is_future ? now : status.st_mtim};
  if (::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) {
    throw system_error(Exit::export_failed, cat("cannot set the time of ", backticked(path.native())));
  }
}

void check(const std::error_code& problem, const fs::path& path) {
  if (problem)
    throw system_error(Exit::export_failed, cat("cannot create ", backticked(path.native())), problem.value());
}

void copy_entry(const fs::path& source, const SourceFile& file, const fs::path& target, EventSink& events) {
  const fs::path to = target / file.path;
  const mode_t mode = file.status.st_mode;
  std::error_code problem;
  if (S_ISDIR(mode)) {
    fs::create_directory(to, problem);
  } else if (S_ISREG(mode)) {
    whittle::copy_file(source / file.path, to);
    fs::permissions(to, fs::perms::owner_read | fs::perms::owner_write, fs::perm_options::add, problem);
    set_times(to, file.status);
  } else if (!S_ISLNK(mode)) {
    events.warn(cat(backticked(file.path), " is left out: it is neither a file, a folder nor a link"));
  } else if (leads_out(file.path, file.link)) {
    events.warn(
        cat("the link ", backticked(file.path), " is left out: it leaves the tree (to ", backticked(file.link), ")"));
  } else {
    fs::create_symlink(file.link, to, problem);
    if (!problem) set_times(to, file.status);
  }
  check(problem, to);
}

}  // namespace

std::string identifier_of(const fs::path& source) {
  std::string name;
  for (const char c : source.filename().native().substr(0, 40)) {
    const bool is_plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
    name += is_plain ? c : '-';
  }
  return cat(name.empty() ? "root" : name, "-", digest_of(source.native()).hex().substr(0, 12));
}

WorkFolder::WorkFolder(const fs::path& cache, const fs::path& source, EventSink& events)
    : events_(events),
      source_(source),
      id_(identifier_of(source)),
      path_(cache / "work" / id_),
      keep_(cache / "keep" / id_) {
  make_folders(path_.parent_path());
  lock_ = std::make_unique<FileLock>(cache / "work" / cat(id_, ".lock"), FileLock::Mode::exclusive, [&] {
    events.info(cat("another build of ", backticked(source.native()), " is running; waiting for it"));
  });
  end_orphans(path_ / "home", events);
  const FileLock whole(cache / "work" / kLock, FileLock::Mode::exclusive);
  if (fs::exists(path_)) remove_leftover(path_);
  sweep(path_.parent_path(), events);
  make_folders(keep_);
  make_folders(path_);  // from here on others see that a build is running
}

WorkFolder::~WorkFolder() {
  try {
    // A daemon has left its process group, not its HOME.
    end_orphans(path_ / "home", events_);
    remove_tree(path_);
  } catch (const Error&) {
    // The next build recognises and removes it.
  }
}

void WorkFolder::fill(std::span<const SourceFile> files, bool copy, EventSink& events) {
  if (fs::exists(path_)) remove_leftover(path_);
  is_copy_ = copy;
  for (const char* name : {"home", "tmp"}) make_folders(path_ / name);
  if (copy) {
    copy_source(source_, files, path_ / "src", events);
  } else {
    std::error_code problem;
    fs::create_directory_symlink(source_, path_ / "src", problem);
    check(problem, path_ / "src");
  }
}

bool remove_leftovers(const Host& host, EventSink& events) {
  const fs::path work = host.cache / "work";
  if (!fs::exists(work)) return true;
  const FileLock whole(work / kLock, FileLock::Mode::exclusive);
  return sweep(work, events);
}

CacheInUse::CacheInUse(const fs::path& cache) {
  make_folders(cache / "work");
  const FileLock whole(cache / "work" / kLock, FileLock::Mode::exclusive);
  folder_ = std::make_unique<TemporaryFolder>(cache / "work", kUse);
  lock_ = std::make_unique<FileLock>(folder_->path() / kLock, FileLock::Mode::exclusive);
}

void copy_source(const fs::path& source, std::span<const SourceFile> files, const fs::path& target, EventSink& events) {
  make_folders(target);
  for (const SourceFile& file : files) copy_entry(source, file, target, events);
  // Folders last: making what is in them changed their times.
  for (auto file = files.rbegin(); file != files.rend(); ++file) {
    if (S_ISDIR(file->status.st_mode)) set_times(target / file->path, file->status);
  }
}

}  // namespace whittle::builder
