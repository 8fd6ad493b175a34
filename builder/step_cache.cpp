#include "builder/step_cache.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <thread>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::builder {

namespace {

constexpr std::string_view kSchema = "whittle.step/2";
constexpr std::uint64_t kMaximumEntry = 1 << 30;

Json to_json(const CachedFile& file) {
  // Paths may hold any bytes; JSON holds UTF-8.
  Json path = Json::array();
  for (const char c : is_utf8(file.path) ? "" : file.path) path.push_back(static_cast<unsigned char>(c));
  Json json = {{"path", is_utf8(file.path) ? Json(file.path) : path}, {"mode", file.mode}};
  if (!file.link.empty()) {
    json["link"] = file.link;
    return json;
  }
  json["digest"] = file.content.digest.str();
  json["size"] = file.content.size;
  if (file.content.is_elf) json["elf"] = true;
  return json;
}

std::string path_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  std::string path;
  for (const Json& byte : value) path += static_cast<char>(byte.get<unsigned>());
  return path;
}

CachedFile from_json(const Json& json) {
  CachedFile file{.path = path_of(json.at("path")), .mode = json.at("mode").get<unsigned>()};
  file.link = json.value("link", "");
  if (!file.link.empty()) return file;
  const std::optional<Digest> digest = Digest::parse(json.at("digest").get<std::string>());
  if (!digest) throw Error(Exit::bug, "no digest");
  file.content = {.digest = *digest, .size = json.at("size").get<std::uint64_t>(), .is_elf = json.value("elf", false)};
  return file;
}

// Takes files in.
class Taker {
 public:
  Taker(const Contents& contents, KnownFiles& known) : contents_(contents), known_(known) {}

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
      file.content = known_.content_of(from);
      contents_.add(from, file.content.digest, file.content.size);
    }
    files.push_back(std::move(file));
  }

  std::vector<CachedFile> files;

 private:
  const Contents& contents_;
  KnownFiles& known_;
};

}  // namespace

std::optional<CachedResult> StepCache::find(const Digest& key) const {
  const fs::path place = folder_ / key.hex();
  try {
    const std::optional<std::string> text = read_file_if_exists(place, kMaximumEntry);
    if (!text) return std::nullopt;
    const std::size_t line_end = text->find('\n');
    const std::string_view body = std::string_view(*text).substr(line_end == std::string::npos ? 0 : line_end + 1);
    if (std::string_view(*text).substr(0, line_end) == digest_of(body).str()) {
      const Json json = parse_json(body, place.native());
      CachedResult result{.files = {}, .facts = json.at("facts")};
      for (const Json& file : json.at("files")) result.files.push_back(from_json(file));
      const bool is_whole = std::all_of(result.files.begin(), result.files.end(), [&](const CachedFile& file) {
        return !file.link.empty() || contents_.has(file.content.digest, file.content.size);
      });
      if (is_whole && json.at("schema") == kSchema) return result;
    }
  } catch (const Error&) {
  } catch (const Json::exception&) {
  }
  events_.verbose(cat("dropped the damaged cache entry ", backticked(place.native())));
  remove_tree(place);
  return std::nullopt;
}

std::vector<CachedFile> StepCache::take(const fs::path& work, const std::string& path, KnownFiles& known) const {
  try {
    Taker taker(contents_, known);
    // What a path leads to is kept under its name, as when it is a link to the version that was made.
    taker.take(fs::canonical(work / path), path);
    return std::move(taker.files);
  } catch (const fs::filesystem_error& error) {
    throw system_error(Exit::export_failed, cat("cannot keep ", backticked(error.path1().native())),
                       error.code().value());
  }
}

void StepCache::store(const Digest& key, const CachedResult& result) const {
  Json files = Json::array();
  for (const CachedFile& file : result.files) files.push_back(to_json(file));
  const std::string body = canonical_json({{"schema", kSchema}, {"files", std::move(files)}, {"facts", result.facts}});
  make_folders(folder_);
  const fs::path place = folder_ / key.hex();
  // An older version kept folders.
  if (fs::is_directory(fs::symlink_status(place))) remove_tree(place);
  write_unsynced(place, cat(digest_of(body).str(), "\n", body));
}

void StepCache::restore(const std::vector<CachedFile>& files, const fs::path& work, KnownFiles& known) const {
  fs::path folder;
  for (const CachedFile& file : files) {
    const fs::path to = work / file.path;
    if (to.parent_path() != folder) make_folders(folder = to.parent_path());
    std::error_code problem;
    fs::remove(to, problem);
    if (file.link.empty()) {
      whittle::copy_file(place_of(file), to);
      fs::permissions(to, fs::perms(file.mode), problem);
    } else {
      fs::create_symlink(file.link, to, problem);
    }
    if (problem) {
      throw system_error(Exit::export_failed, cat("cannot write ", backticked(to.native())), problem.value());
    }
  }
  // The file clock is coarse: what is written from now on has another time.
  for (const std::int64_t end = file_clock(); !files.empty() && file_clock() <= end;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  for (const CachedFile& file : files) {
    if (file.link.empty()) known.note(work / file.path, file.content);
  }
}

std::vector<CachedFile> files_below(const std::vector<CachedFile>& files, std::string_view path) {
  std::vector<CachedFile> found;
  for (const CachedFile& file : files) {
    const bool is_below = file.path.size() > path.size() && file.path[path.size()] == '/';
    if (file.path.starts_with(path) && (file.path.size() == path.size() || is_below)) found.push_back(file);
  }
  return found;
}

}  // namespace whittle::builder
