// A TOML file of an administrator's or user's, and complaints about it that name the line.
#pragma once

#include <string>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/toml.hpp"

namespace whittle::registry {

class SettingsFile {
 public:
  static constexpr std::uint64_t kMaximum = 1 << 20;  // of it and of what it names, in bytes

  // Throws Error(usage) for a text that is not TOML.
  SettingsFile(const fs::path& path, const std::string& text);

  const Json& root() const { return document_.root; }
  int line(const std::string& pointer) const { return document_.line(pointer); }
  Error error(const std::string& pointer, std::string why) const;

  // `key` of `table`, which lies at `pointer`; throws `error` when it is of another type.
  bool flag(const Json& table, const std::string& pointer, const char* key, bool fallback) const;
  std::string text(const Json& table, const std::string& pointer, const char* key, std::string fallback = {}) const;
  const Json& tables(const Json& table, const std::string& pointer, const char* key) const;  // none when it is missing

 private:
  std::string path_;
  TomlDocument document_;
};

}  // namespace whittle::registry
