#include "registry/settings_file.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace whittle::registry {

SettingsFile::SettingsFile(const fs::path& path, const std::string& text)
    : path_(path.native()), document_(parse_toml(text, path_)) {}

Error SettingsFile::error(const std::string& pointer, std::string why) const {
  Error error(Exit::usage, cat("cannot use ", backticked(path_)));
  error.at(cat(path_, ":", document_.line(pointer))).cause(std::move(why));
  return error;
}

bool SettingsFile::flag(const Json& table, const std::string& pointer, const char* key, bool fallback) const {
  const auto found = table.find(key);
  if (found == table.end()) return fallback;
  if (found->is_boolean()) return found->get<bool>();
  throw error(cat(pointer, "/", key), cat("`", key, "` must be true or false"));
}

std::string SettingsFile::text(const Json& table, const std::string& pointer, const char* key,
                               std::string fallback) const {
  const auto found = table.find(key);
  if (found == table.end()) return fallback;
  if (found->is_string()) return found->get<std::string>();
  throw error(cat(pointer, "/", key), cat("`", key, "` must be a string"));
}

const Json& SettingsFile::tables(const Json& table, const std::string& pointer, const char* key) const {
  static const Json kNone = Json::array();
  const auto found = table.find(key);
  if (found == table.end()) return kNone;
  const bool are_tables =
      found->is_array() && std::all_of(found->begin(), found->end(), [](const Json& one) { return one.is_object(); });
  if (!are_tables) throw error(cat(pointer, "/", key), cat("`", key, "` must be a list of tables"));
  return *found;
}

}  // namespace whittle::registry
