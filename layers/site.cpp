#include "layers/site.hpp"

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/text.hpp"
#include "base/zstd_frames.hpp"
#include "layers/gzip_sink.hpp"
#include "layers/root_builder.hpp"

namespace whittle::layers {

namespace {

// A smaller file fits into the packet that it travels in either way; a larger one is no text.
constexpr std::uint64_t kLeastSize = 1024, kMostSize = 64 << 20;
constexpr int kZstdLevel = 19;

constexpr std::array<std::string_view, 30> kTexts = {
    "html", "htm",  "xhtml", "js",   "mjs",  "cjs", "css", "json", "map",     "svg",
    "xml",  "txt",  "md",    "csv",  "wasm", "ttf", "otf", "eot",  "ico",     "bmp",
    "gltf", "atom", "rss",   "yaml", "yml",  "ics", "vtt", "toml", "geojson", "webmanifest"};

bool is_text(const std::string& path) {
  const std::size_t dot = path.rfind('.');
  if (dot == std::string::npos || path.find('/', dot) != std::string::npos) return false;
  return std::find(kTexts.begin(), kTexts.end(), lower(path.substr(dot + 1))) != kTexts.end();
}

struct Form {
  std::string extension;
  fs::path file;
  std::uint64_t size = 0;
};

struct SiteFile {
  std::string path;  // in the root filesystem
  const File* file = nullptr;
  bool wants_forms = false;
};

struct Completed {
  Digest digest;
  std::vector<Form> forms;
};

std::string content_of(const File& file) {
  return file.content.empty() ? file.text : read_file(file.content, kMostSize);
}

std::string zstd_form(std::string_view text) {
  PackedText packed(kZstdLevel);
  packed.append(text);
  return packed.finish();
}

// The forms of one content; an empty file says that one is not worth its place.
class Forms {
 public:
  explicit Forms(const fs::path& folder)
      : folder_(folder), identity_(digest_of(cat(frame_identity(kZstdLevel), gzip_identity())).hex().substr(0, 16)) {
    make_folders(folder_);
  }

  std::vector<Form> of(const File& file, const Digest& digest) const {
    const fs::path gzip = place(digest, "gz"), zstd = place(digest, "zst");
    std::error_code missing;
    if (!fs::exists(gzip, missing) || !fs::exists(zstd, missing)) make(content_of(file), gzip, zstd);
    std::vector<Form> forms;
    add(".gz", gzip, forms);
    add(".zst", zstd, forms);
    return forms;
  }

 private:
  fs::path place(const Digest& digest, const char* extension) const {
    return folder_ / cat(digest.hex(), "-", identity_, ".", extension);
  }

  // Who understands zstd understands gzip too, so its form must be the smaller one.
  static void make(const std::string& text, const fs::path& gzip, const fs::path& zstd) {
    std::string as_gzip = gzipped(bytes_of(text)), as_zstd = zstd_form(text);
    if (as_gzip.size() > text.size() / 10 * 9) as_gzip.clear();
    if (as_zstd.size() > text.size() / 10 * 9 || (!as_gzip.empty() && as_zstd.size() >= as_gzip.size())) {
      as_zstd.clear();
    }
    write_file(gzip, as_gzip);
    write_file(zstd, as_zstd);
  }

  static void add(const char* extension, const fs::path& file, std::vector<Form>& forms) {
    const std::uint64_t size = fs::file_size(file);
    if (size > 0) forms.push_back({.extension = extension, .file = file, .size = size});
  }

  fs::path folder_;
  std::string identity_;
};

bool is_form(const RootFilesystem& root, const std::string& path) {
  const std::size_t dot = path.rfind('.');
  if (dot == std::string::npos) return false;
  const std::string extension = path.substr(dot);
  return (extension == ".gz" || extension == ".zst" || extension == ".br") && root.contains(path.substr(0, dot));
}

std::vector<SiteFile> files_below(const RootFilesystem& root, const std::string& prefix) {
  std::vector<SiteFile> files;
  for (auto at = root.lower_bound(prefix); at != root.end() && at->first.starts_with(prefix); ++at) {
    const auto* const file = std::get_if<File>(&at->second.node);
    // A line of digests is ended by what no address may hold.
    if (file == nullptr || at->first.find('\n') != std::string::npos) continue;
    const bool has_size = file->size >= kLeastSize && file->size <= kMostSize;
    const bool has_own = root.contains(at->first + ".gz") || root.contains(at->first + ".zst");
    files.push_back({.path = at->first,
                     .file = file,
                     .wants_forms = has_size && !has_own && is_text(at->first) && !is_form(root, at->first)});
  }
  return files;
}

Entry derived(File file, std::string origin, std::string reason) {
  return {.node = std::move(file),
          .mode = 0644,
          .group = Entry::Group::derived,
          .origin = std::move(origin),
          .reason = std::move(reason)};
}

Digest digest_of_content(const File& file) {
  if (file.digest) return *file.digest;
  return file.content.empty() ? digest_of(file.text) : digest_of_file(file.content);
}

// Enough of a digest that two contents never share it.
std::string tag_of(const Digest& digest) {
  return digest.hex().substr(0, 32);
}

}  // namespace

void complete_site(RootFilesystem& root, std::string_view site, const fs::path& cache, ThreadPool& pool) {
  const std::string prefix = cat(site.substr(1), "/");
  const std::vector<SiteFile> files = files_below(root, prefix);
  const Forms forms(cache);
  const std::vector<Completed> completed = parallel_map(pool, files, [&](const SiteFile& one) {
    Completed result{.digest = digest_of_content(*one.file), .forms = {}};
    if (one.wants_forms) result.forms = forms.of(*one.file, result.digest);
    return result;
  });
  std::map<std::string, std::string> tags;  // by path below the site
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::string name = files[i].path.substr(prefix.size());
    tags[name] = tag_of(completed[i].digest);
    for (const Form& form : completed[i].forms) {
      File file = hashed_file(form.file);
      tags[name + form.extension] = tag_of(*file.digest);
      root.emplace(files[i].path + form.extension,
                   derived(std::move(file), cat("whittle, of /", files[i].path), "is sent in its place"));
    }
  }
  std::string lines;
  for (const auto& [path, tag] : tags) lines += cat(tag, " ", path, "\n");
  root.insert_or_assign(
      std::string(plan::kSiteDigests.substr(1)),
      derived(text_file(std::move(lines)), "whittle, digests of the site", "tells clients what changed"));
}

}  // namespace whittle::layers
