#include "builder/secrets.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/mask.hpp"

namespace whittle::builder {

namespace {

// Shorter ones are found by chance.
constexpr std::size_t kLeastToFind = 8;

bool is_own_folder(const fs::path& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == ::geteuid();
}

// A file system in memory that the caller may write to; else nothing.
fs::path memory_of(const Host& host) {
  const auto runtime = host.environment.find("XDG_RUNTIME_DIR");
  if (runtime != host.environment.end() && is_own_folder(runtime->second)) return runtime->second;
  return ::access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "";
}

// What is there already was left by a killed build, whose place is ours now; somebody else's is not.
void make_private_folder(const fs::path& folder) {
  if (is_own_folder(folder)) remove_tree(folder);
  if (::mkdir(folder.c_str(), 0700) != 0) {
    throw system_error(Exit::export_failed, cat("cannot create ", backticked(folder.native())));
  }
}

bool holds(const fs::path& file, const std::vector<std::string>& parts) {
  std::size_t longest = 0;
  for (const std::string& part : parts) longest = std::max(longest, part.size());
  FileSource source(file);
  std::vector<std::byte> room(256 * 1024);
  std::string window;
  for (std::size_t size = 0; (size = source.read(room)) > 0;) {
    window.erase(0, window.size() - std::min(window.size(), longest));
    window += text_of(Bytes(room.data(), size));
    for (const std::string& part : parts) {
      if (window.find(part) != std::string::npos) return true;
    }
  }
  return false;
}

bool holds_at(const fs::path& path, const std::vector<std::string>& parts) {
  std::error_code problem;
  if (fs::is_symlink(path, problem)) return false;
  if (fs::is_regular_file(path, problem)) return holds(path, parts);
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path, problem)) {
    if (entry.is_regular_file(problem) && !entry.is_symlink(problem) && holds(entry.path(), parts)) return true;
  }
  return false;
}

}  // namespace

std::vector<std::string> Secrets::parts() const {
  std::vector<std::string> all;
  for (const auto& [id, content] : contents_) {
    const std::vector<std::string> parts = parts_of_secret(content);
    all.insert(all.end(), parts.begin(), parts.end());
  }
  return all;
}

std::optional<std::string> Secrets::found_in(const fs::path& path) const {
  for (const auto& [id, content] : contents_) {
    std::vector<std::string> parts = parts_of_secret(content);
    std::erase_if(parts, [](const std::string& part) { return part.size() < kLeastToFind; });
    if (!parts.empty() && holds_at(path, parts)) return id;
  }
  return std::nullopt;
}

void refuse_missing_secrets(std::span<const plan::BuildPlan> plans, const Secrets& given) {
  for (const plan::BuildPlan& plan : plans) {
    for (const plan::Step& step : plan.steps) {
      for (const plan::SecretUse& use : step.secrets) {
        if (given.has(use.id)) continue;
        Error error(Exit::usage, cat("step ", backticked(step.name), " needs the secret ", backticked(use.id),
                                     ", which is not given"));
        if (const auto value = plan.values.find(cat("secret ", use.id)); value != plan.values.end())
          error.at(value->second.source);
        throw error.hint(cat("give it with `--secret id=", printable(use.id),
                             ",src=FILE` or `--secret id=", printable(use.id), ",env=VARIABLE`"));
      }
    }
  }
}

std::vector<std::string> unused_secrets(std::span<const plan::BuildPlan> plans, const Secrets& given) {
  std::set<std::string> used;
  for (const plan::BuildPlan& plan : plans) {
    for (const plan::Step& step : plan.steps) {
      for (const plan::SecretUse& use : step.secrets) used.insert(use.id);
    }
  }
  std::vector<std::string> unused;
  for (const auto& [id, content] : given.all()) {
    if (!used.contains(id)) unused.push_back(id);
  }
  return unused;
}

void refuse_secret_in(const fs::path& path, std::string_view shown, std::string_view step, const Secrets& secrets) {
  const std::optional<std::string> id = secrets.found_in(path);
  if (!id) return;
  throw Error(Exit::budget_exceeded, cat(backticked(shown), " holds the secret ", backticked(*id)))
      .at(cat("what step ", backticked(step), " has made"))
      .hint("a secret must not be in an image: have the step use it, and leave it out of what it writes")
      .note("nothing of it was kept");
}

HandedSecrets::HandedSecrets(const plan::Step& step, const Secrets& given, const Host& host, const std::string& name,
                             Command& command) {
  if (step.secrets.empty()) return;
  const fs::path home = command.env.at("HOME"), memory = memory_of(host);
  const fs::path folder =
      memory.empty() ? home.parent_path() / "secrets" : memory / cat("whittle-", ::geteuid(), "-", name);
  make_private_folder(folder);
  folder_ = folder;
  for (const plan::SecretUse& use : step.secrets) {
    const std::optional<fs::path> file = confined(folder, use.id);
    if (!file || file->parent_path() != folder || !given.has(use.id))
      throw Error(Exit::usage, cat("there is no secret ", backticked(use.id)));
    const std::string& content = given.content(use.id);
    write_file(*file, content, 0600);
    if (!use.variable.empty()) command.env[use.variable] = trim(content);
    if (!use.file_variable.empty()) command.env[use.file_variable] = file->native();
    if (!use.home.empty()) put_in_home(home, use.home, *file);
  }
}

void HandedSecrets::put_in_home(const fs::path& home, const std::string& place, const fs::path& file) {
  const std::optional<fs::path> link = confined(home, place);
  if (!link) throw Error(Exit::usage, cat(backticked(place), " is not a place in a home"));
  make_folders(link->parent_path());
  std::error_code problem;
  fs::remove(*link, problem);
  fs::create_symlink(file, *link, problem);
  if (problem)
    throw system_error(Exit::export_failed, cat("cannot create ", backticked(link->native())), problem.value());
  links_.push_back(*link);
}

HandedSecrets::~HandedSecrets() {
  std::error_code ignored;
  for (const fs::path& link : links_) fs::remove(link, ignored);
  if (!folder_.empty()) fs::remove_all(folder_, ignored);
}

}  // namespace whittle::builder
