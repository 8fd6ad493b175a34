#include "builder/probe_cache.hpp"

#include <sys/stat.h>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace whittle::builder {

namespace {

std::string signature(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return "absent";
  return cat(status.st_dev, ":", status.st_ino, ":", status.st_size, ":", status.st_mtim.tv_sec, ".",
             status.st_mtim.tv_nsec, ":", status.st_ctim.tv_sec, ".", status.st_ctim.tv_nsec);
}

}  // namespace

fs::path ProbeCache::file_of(std::string_view question) const {
  return folder_ / cat(digest_of(question).hex().substr(0, 32), ".json");
}

std::optional<ProbedTool> ProbeCache::find(std::string_view question) const {
  const fs::path file = file_of(question);
  try {
    const std::optional<std::string> text = read_file_if_exists(file, 1 << 20);
    if (!text) return std::nullopt;
    const Json record = parse_json(*text, file.native());
    if (json_member<std::string>(record, "question", file.native()) != question) return std::nullopt;
    const Json watched = json_member<Json>(record, "watched", file.native());
    for (const auto& [path, was] : watched.items()) {
      if (signature(path) != was) return std::nullopt;
    }
    const std::optional<Digest> digest = Digest::parse(json_member<std::string>(record, "digest", file.native()));
    if (!digest) return std::nullopt;
    return ProbedTool{.name = json_member<std::string>(record, "name", file.native()),
                      .path = json_member<std::string>(record, "path", file.native()),
                      .version = json_member<std::string>(record, "version", file.native()),
                      .describes = json_member<std::string>(record, "describes", file.native()),
                      .digest = *digest};
  } catch (const Error&) {
    return std::nullopt;
  }
}

void ProbeCache::remember(std::string_view question, const ProbedTool& tool,
                          const std::vector<fs::path>& watched) const {
  Json files = Json::object();
  for (const fs::path& path : watched) files[path.native()] = signature(path);
  make_folders(folder_);
  write_unsynced(file_of(question), pretty_json({{"question", question},
                                                 {"name", tool.name},
                                                 {"path", tool.path.native()},
                                                 {"version", tool.version},
                                                 {"describes", tool.describes},
                                                 {"digest", tool.digest.str()},
                                                 {"watched", files}}));
}

}  // namespace whittle::builder
