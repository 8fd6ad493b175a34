#include "builder/step_cache.hpp"

#include <sys/stat.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::builder {

namespace {

constexpr std::string_view kSchema = "whittle.step/1";

Json to_json(const CachedFile& file) {
  // Paths may hold any bytes; JSON holds UTF-8.
  Json path = Json::array();
  for (const char c : file.path) path.push_back(static_cast<unsigned char>(c));
  return {{"path", is_utf8(file.path) ? Json(file.path) : path},
          {"mode", file.mode},
          {"digest", file.digest.str()},
          {"size", file.size},
          {"link", file.link}};
}

std::string path_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  std::string path;
  for (const Json& byte : value) path += static_cast<char>(byte.get<unsigned>());
  return path;
}

CachedFile from_json(const Json& json, const fs::path& stored) {
  const std::optional<Digest> digest = Digest::parse(json.at("digest").get<std::string>());
  if (!digest) throw Error(Exit::bug, "no digest");
  return {.path = path_of(json.at("path")),
          .mode = json.at("mode").get<unsigned>(),
          .digest = *digest,
          .size = json.at("size").get<std::uint64_t>(),
          .link = json.at("link").get<std::string>(),
          .stored = stored};
}

bool is_intact(const CachedFile& file) {
  if (!file.link.empty()) return true;
  struct stat status {};
  return ::stat(file.stored.c_str(), &status) == 0 && static_cast<std::uint64_t>(status.st_size) == file.size &&
         digest_of_file(file.stored) == file.digest;
}

// Takes files into an entry that is being made.
class Taker {
 public:
  explicit Taker(const fs::path& folder) : folder_(folder) {}

  void take(const fs::path& from, const std::string& as) {
    const fs::file_status status = fs::symlink_status(from);
    if (fs::is_directory(status)) {
      std::vector<fs::path> below;
      for (const fs::directory_entry& entry : fs::directory_iterator(from)) below.push_back(entry.path());
      std::sort(below.begin(), below.end());
      for (const fs::path& path : below) take(path, cat(as, "/", path.filename().native()));
      return;
    }
    CachedFile file{.path = as, .mode = static_cast<unsigned>(status.permissions()) & 0777U};
    if (fs::is_symlink(status)) {
      file.link = fs::read_symlink(from).native();
    } else {
      file.stored = folder_ / std::to_string(files.size());
      whittle::copy_file(from, file.stored);
      file.digest = digest_of_file(file.stored);
      file.size = fs::file_size(file.stored);
    }
    files.push_back(std::move(file));
  }

  std::vector<CachedFile> files;

 private:
  const fs::path& folder_;
};

}  // namespace

std::optional<CachedResult> StepCache::find(const Digest& key) const {
  const fs::path folder = folder_ / key.hex();
  try {
    const std::optional<std::string> text = read_file_if_exists(folder / "entry.json");
    if (!text) return std::nullopt;
    const Json json = parse_json(*text, (folder / "entry.json").native());
    const Json body = json_member<Json>(json, "body", "entry.json");
    if (json_member<std::string>(json, "digest", "entry.json") == digest_of(canonical_json(body)).str() &&
        body.at("schema") == kSchema) {
      CachedResult result{.files = {}, .facts = body.at("facts")};
      for (const Json& file : body.at("files")) {
        result.files.push_back(from_json(file, folder / std::to_string(result.files.size())));
      }
      if (std::all_of(result.files.begin(), result.files.end(), is_intact)) return result;
    }
  } catch (const Error&) {
  } catch (const Json::exception&) {
  }
  events_.verbose(cat("dropped the damaged cache entry ", backticked(folder.native())));
  remove_tree(folder);
  return std::nullopt;
}

void StepCache::store(const Digest& key, const fs::path& work, const std::vector<std::string>& paths, const Json& facts,
                      const fs::path& scratch) const {
  try {
    TemporaryFolder folder(scratch);
    Taker taker(folder.path());
    // What a path leads to is kept under its name, as when it is a link to the version that was made.
    for (const std::string& path : paths) taker.take(fs::canonical(work / path), path);
    Json files = Json::array();
    for (const CachedFile& file : taker.files) files.push_back(to_json(file));
    const Json body = {{"schema", kSchema}, {"files", files}, {"facts", facts}};
    write_file(folder.path() / "entry.json",
               canonical_json({{"digest", digest_of(canonical_json(body)).str()}, {"body", body}}));
    make_folders(folder_);
    const fs::path target = folder_ / key.hex();
    std::error_code problem;
    remove_tree(target);
    fs::permissions(folder.path(), fs::perms(0755));
    fs::rename(folder.path(), target, problem);
    if (!problem) {
      folder.release();
    } else if (!fs::exists(target / "entry.json")) {  // otherwise another build has stored the same meanwhile
      throw system_error(Exit::export_failed, cat("cannot write ", backticked(target.native())), problem.value());
    }
  } catch (const fs::filesystem_error& error) {
    throw system_error(Exit::export_failed, cat("cannot keep ", backticked(error.path1().native())),
                       error.code().value());
  }
}

void restore(const CachedResult& result, const fs::path& work) {
  for (const CachedFile& file : result.files) {
    const fs::path to = work / file.path;
    make_folders(to.parent_path());
    std::error_code problem;
    fs::remove(to, problem);
    if (file.link.empty()) {
      whittle::copy_file(file.stored, to);
      fs::permissions(to, fs::perms(file.mode), problem);
    } else {
      fs::create_symlink(file.link, to, problem);
    }
    if (problem) {
      throw system_error(Exit::export_failed, cat("cannot write ", backticked(to.native())), problem.value());
    }
  }
}

}  // namespace whittle::builder
