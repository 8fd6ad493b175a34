#include <algorithm>
#include <array>
#include <bit>

#include "base/text.hpp"
#include "layers/root_filesystem.hpp"

namespace whittle::layers {

namespace {

std::string_view name_of(Entry::Group group) {
  switch (group) {
    case Entry::Group::base:
      return "base";
    case Entry::Group::runtime:
      return "runtime";
    case Entry::Group::dependency:
      return "dependencies";
    case Entry::Group::data:
      return "data";
    case Entry::Group::asset:
      return "assets";
    case Entry::Group::derived:
      return "assets' other forms";
    case Entry::Group::program:
      return "program";
    case Entry::Group::configuration:
      return "configuration";
  }
  return "base";
}

// A folder that is there only because something lies below it: it goes where that goes.
bool is_implied(const Entry& entry) {
  return std::holds_alternative<Folder>(entry.node) && entry.origin.empty();
}

// With the most slices of all other groups still fewer than the 127 layers that overlayfs takes.
constexpr std::size_t kMostPrograms = 20;

bool is_program(const Entry& entry) {
  return entry.group == Entry::Group::program && std::holds_alternative<File>(entry.node);
}

void add_parents(RootFilesystem& slice, const RootFilesystem& root, const std::string& path) {
  for (std::size_t slash = path.rfind('/'); slash != std::string::npos; slash = path.rfind('/', slash - 1)) {
    std::string parent = path.substr(0, slash);
    const auto found = root.find(parent);
    if (found == root.end() || !slice.emplace(std::move(parent), found->second).second) break;
  }
}

std::uint64_t content_of(const Entry& entry) {
  const auto* const file = std::get_if<File>(&entry.node);
  return file == nullptr ? 0 : file->size;
}

constexpr std::array<std::string_view, 25> kModels = {
    ".tflite", ".lite", ".onnx", ".ort",    ".safetensors", ".gguf",    ".ggml",   ".pt",  ".pth",
    ".ckpt",   ".h5",   ".hdf5", ".keras",  ".pb",          ".mlmodel", ".engine", ".hef", ".rknn",
    ".dlc",    ".npy",  ".npz",  ".joblib", ".parquet",     ".mmdb",    ".sqlite"};
// What changes when a line does, however large: bundles, jars with all their libraries, what compilers make.
constexpr std::array<std::string_view, 14> kCode = {".js",  ".mjs", ".cjs",  ".jar", ".py",   ".pyc", ".wasm",
                                                    ".css", ".map", ".html", ".so",  ".node", ".dll", ".exe"};

// What changes seldom though it is the application's own: models, and what fills a slice by itself. Beside the code it
// would be written and sent with every line of it.
bool is_data(const std::string& path, const Entry& entry) {
  if (entry.group != Entry::Group::asset || !std::holds_alternative<File>(entry.node)) return false;
  const std::size_t dot = path.rfind('.'), slash = path.rfind('/');
  const bool has_suffix = dot != std::string::npos && (slash == std::string::npos || dot > slash);
  const std::string suffix = has_suffix ? lower(path.substr(dot)) : "";
  if (std::find(kModels.begin(), kModels.end(), suffix) != kModels.end()) return true;
  const bool is_code = (entry.mode & 0111U) != 0 || std::find(kCode.begin(), kCode.end(), suffix) != kCode.end();
  return !is_code && content_of(entry) >= kSliceMinimum;
}

Entry::Group group_of(const std::string& path, const Entry& entry) {
  return is_data(path, entry) ? Entry::Group::data : entry.group;
}

// The entries of a group in the order of their paths are cut into slices after a file whose path says so, so that
// a file that comes, goes or grows moves no other but those between two cuts (docs/design/layers.md).
class Budget {
 public:
  void expect(std::uint64_t content) { total_ += content; }

  // The slice that the next entry of the group belongs to, by its first path; "" is the first.
  const std::string& slice_for(const std::string& path, const Entry& entry) {
    if (is_full_) first_ = path;
    if (is_full_) filled_ = 0;
    filled_ += content_of(entry);
    is_full_ = filled_ >= 3 * least() || (filled_ >= least() && is_cut(path, content_of(entry)));
    return first_;
  }

 private:
  // A few dozen slices at most, however large the group is; a power of two, so that it hardly ever changes.
  std::uint64_t least() const { return std::max(kSliceMinimum, std::bit_ceil(total_ / kMostSlices)); }

  // About every `least()` bytes.
  bool is_cut(const std::string& path, std::uint64_t size) const {
    const Digest digest = digest_of(path);
    const std::uint64_t chance = std::to_integer<std::uint64_t>(digest.sha256[0]) << 16 |
                                 std::to_integer<std::uint64_t>(digest.sha256[1]) << 8 |
                                 std::to_integer<std::uint64_t>(digest.sha256[2]);
    return chance < size / (least() >> 24);
  }

  static constexpr std::uint64_t kMostSlices = 32;

  std::uint64_t total_ = 0, filled_ = 0;
  std::string first_;
  bool is_full_ = false;
};

}  // namespace

std::uint64_t content_size(const RootFilesystem& root) {
  std::uint64_t total = 0;
  for (const auto& [path, entry] : root) total += content_of(entry);
  return total;
}

std::vector<Slice> partition(RootFilesystem root) {
  std::map<Entry::Group, Budget> budgets;
  std::size_t programs = 0;
  for (const auto& [path, entry] : root) {
    budgets[group_of(path, entry)].expect(content_of(entry));
    if (is_program(entry)) ++programs;
  }
  std::map<std::pair<Entry::Group, std::string>, Slice> slices;
  for (auto next = root.begin(); next != root.end();) {
    const auto at = next++;
    const auto& [path, entry] = *at;
    if (is_implied(entry)) continue;
    // Programs get a slice each, and follow one another by path; but no file system stacks hundreds of layers.
    const bool has_own = is_program(entry) && programs <= kMostPrograms;
    const Entry::Group group = group_of(path, entry);
    const std::string first = has_own ? path : budgets[group].slice_for(path, entry);
    Slice& slice = slices[{group, first}];
    if (slice.name.empty()) {
      slice.name = name_of(group);
      if (has_own) slice.name += cat(" ", path.substr(path.rfind('/') + 1));
      if (!has_own && !first.empty()) slice.name += cat(" from ", first);
    }
    add_parents(slice.entries, root, path);
    // Folders stay, for what lies below them in other slices.
    if (std::holds_alternative<Folder>(entry.node)) {
      slice.entries.insert_or_assign(path, entry);
    } else {
      slice.entries.insert(root.extract(at));
    }
  }
  std::vector<Slice> ordered;
  for (auto& [key, slice] : slices) ordered.push_back(std::move(slice));
  return ordered;
}

}  // namespace whittle::layers
