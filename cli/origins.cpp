#include "cli/origins.hpp"

#include <array>
#include <map>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace whittle::cli {

namespace {

constexpr std::uint64_t kMaximumRecord = 256 << 20;

struct Decision {
  std::string_view origin, value;
};
// Which value of the plan decided about what whittle adds by itself.
constexpr std::array<Decision, 4> kDecisions = {{{"whittle, CA certificates", "certificates"},
                                                 {"whittle, time zones", "timezones"},
                                                 {"whittle, accounts", "user"},
                                                 {"whittle, working folder", "workdir"}}};

std::string key_of(const layers::Entry& entry, const std::string& path) {
  for (const Decision& decision : kDecisions) {
    if (entry.origin == decision.origin) return std::string(decision.value);
  }
  if (entry.group == layers::Entry::Group::program) return cat("program ", last_part(path));
  return entry.group == layers::Entry::Group::dependency ? "link" : "";
}

std::string value_of(const layers::Entry& entry, const std::string& path, const plan::BuildPlan& plan) {
  const std::string key = key_of(entry, path);
  const auto value = plan.values.find(key);
  if (value == plan.values.end()) return {};
  return cat(key, " = ", value->second.value, " (", value->second.source, ")");
}

// What a file has for an origin when it came by one of the plan's mappings, the last of which that covers it wins.
// There may be a hundred thousand such files, so they are not written down one by one.
std::string mapped_origin(std::string_view path, const std::vector<plan::FileMapping>& mappings) {
  std::string origin;
  for (const plan::FileMapping& mapping : mappings) {
    std::string_view folder = std::string_view(mapping.path).substr(1), source = mapping.source;
    while (folder.ends_with('/')) folder.remove_suffix(1);
    while (source.ends_with('/')) source.remove_suffix(1);
    const bool is_below = folder.empty() || (path.starts_with(folder) && path.substr(folder.size()).starts_with('/'));
    if (path != folder && !is_below) continue;
    std::string_view rest = path.substr(folder.size());
    while (rest.starts_with('/')) rest.remove_prefix(1);
    const std::string_view between = source == "." || source.empty() || rest.empty() ? "" : "/";
    origin = cat("files, ", source == "." ? "" : source, between, rest);
  }
  return origin;
}

Json json_of(const std::vector<plan::FileMapping>& mappings) {
  Json list = Json::array();
  for (const plan::FileMapping& mapping : mappings) {
    list.push_back({{"source", printable(mapping.source)}, {"path", printable(mapping.path)}});
  }
  return list;
}

std::vector<plan::FileMapping> mappings_of(const Json& record, const std::string& what) {
  std::vector<plan::FileMapping> mappings;
  for (const Json& one : json_member<Json>(record, "files", what)) {
    mappings.push_back({.source = json_member<std::string>(one, "source", what),
                        .path = json_member<std::string>(one, "path", what),
                        .mode = {}});
  }
  return mappings;
}

}  // namespace

std::string Origins::record_of(const layers::RootFilesystem& root, const plan::BuildPlan& plan,
                               const std::string& sandbox) {
  // Thousands of files have one origin: each is written once.
  std::map<std::array<std::string, 3>, Json> by_origin;
  for (const auto& [path, entry] : root) {
    if (entry.origin.empty() || entry.origin == mapped_origin(path, plan.image.files)) continue;
    Json& paths = by_origin[{entry.origin, entry.reason, value_of(entry, path, plan)}];
    if (paths.is_null()) paths = Json::array();
    paths.push_back(printable(path));
  }
  Json list = Json::array();
  for (auto& [origin, paths] : by_origin) {
    list.push_back({{"origin", origin[0]}, {"reason", origin[1]}, {"value", origin[2]}, {"paths", std::move(paths)}});
  }
  return canonical_json({{"schema", "whittle.origins/v3"},
                         {"origins", std::move(list)},
                         {"files", json_of(plan.image.files)},
                         {"sandbox", sandbox}});
}

void Origins::remember(const Digest& configuration, const std::string& record) const {
  make_folders(folder_);
  write_unsynced(folder_ / configuration.hex(), record);
}

std::optional<Origin> Origins::find(const Digest& configuration, const std::string& path) const {
  const std::optional<std::string> text = read_file_if_exists(folder_ / configuration.hex(), kMaximumRecord);
  if (!text) return std::nullopt;
  try {
    const std::string what = "the record of origins";
    const Json record = parse_json(*text, what);
    for (const Json& one : json_member<Json>(record, "origins", what)) {
      for (const Json& candidate : json_member<Json>(one, "paths", what)) {
        if (candidate != printable(path)) continue;
        Origin found{.origin = json_member<std::string>(one, "origin", what),
                     .reason = json_member<std::string>(one, "reason", what),
                     .value = json_member<std::string>(one, "value", what)};
        if (found.origin.starts_with("step ")) found.sandbox = json_member<std::string>(record, "sandbox", what);
        return found;
      }
    }
    std::string origin = mapped_origin(printable(path), mappings_of(record, what));
    if (!origin.empty()) return Origin{.origin = std::move(origin), .reason = {}, .value = {}};
  } catch (const Error&) {
    // A damaged record is as good as none.
  }
  return std::nullopt;
}

}  // namespace whittle::cli
