// whittle cache: what whittle keeps on this machine and can make again.
#include "base/json.hpp"
#include "base/text.hpp"
#include "builder/builder.hpp"
#include "cli/commands.hpp"

namespace whittle::cli {

namespace {

struct Usage {
  std::uint64_t files = 0, bytes = 0;
};

Usage usage_of(const fs::path& folder) {
  Usage usage;
  std::error_code problem;
  for (auto entry = fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied, problem);
       !problem && entry != fs::recursive_directory_iterator(); entry.increment(problem)) {
    std::error_code ignored;
    if (!entry->is_regular_file(ignored) || entry->is_symlink(ignored)) continue;
    ++usage.files;
    usage.bytes += entry->file_size(ignored);
  }
  return usage;
}

}  // namespace

int cache_info(bool json, Session& session) {
  const fs::path cache = session.cache_folder();
  Json parts = Json::array();
  std::error_code problem;
  for (const fs::directory_entry& entry : fs::directory_iterator(cache, problem)) {
    const Usage usage = entry.is_directory() ? usage_of(entry.path()) : Usage{1, entry.file_size()};
    const std::string name = printable(entry.path().filename().native());
    if (json) {
      parts.push_back({{"name", name}, {"files", usage.files}, {"bytes", usage.bytes}});
    } else {
      session.out() << name << "  " << human_size(usage.bytes) << " in " << usage.files << " files\n";
    }
  }
  if (json) {
    session.out() << pretty_json(
        {{"schema", "whittle.cache/v1"}, {"folder", printable(cache.native())}, {"parts", parts}});
  } else {
    session.out() << "folder  " << printable(cache.native()) << "\n";
  }
  return 0;
}

int cache_gc(Session& session) {
  const fs::path cache = session.cache_folder();
  const std::uint64_t before = usage_of(cache).bytes;
  if (!builder::remove_leftovers(session.host(), session.events())) {
    session.events().info("a build is running: only what interrupted builds left was removed");
  } else {
    std::error_code problem;
    for (const fs::directory_entry& entry : fs::directory_iterator(cache, problem)) {
      if (session.stop().stop_requested()) break;
      remove_tree(entry.path());
    }
  }
  const std::uint64_t after = usage_of(cache).bytes;
  session.events().info(cat("freed ", human_size(before - std::min(before, after)), " in ", backticked(cache.native()),
                            "; images in the store are untouched"));
  return 0;
}

}  // namespace whittle::cli
