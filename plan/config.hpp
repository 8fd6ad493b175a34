// `whittle.toml` (product.md 7), and what the command line and `WHITTLE_*` say in its place.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plan/build_plan.hpp"
#include "plan/source_tree.hpp"

namespace whittle::plan {

// Every setting may be absent; a present one carries its source ("whittle.toml:3", "--target").
struct Setting {
  std::string value, source;
};
struct ListSetting {
  std::vector<std::string> values;
  std::string source;
};

// `[build.secrets.NAME]`: which steps get it, and how.
struct SecretSetting {
  std::vector<std::string> steps;             // by name or pattern
  std::string variable, file_variable, home;  // at least one; see SecretUse
  std::string source;
};

struct Config {
  std::optional<Setting> name;
  // [build]
  std::optional<Setting> detector, toolchain, link, timeout, strict_versions, sandbox;
  std::optional<ListSetting> targets, args, network;
  std::map<std::string, Setting> build_env;
  std::map<std::string, SecretSetting> secrets;
  // [image]
  std::optional<Setting> default_process, user, workdir, stop_signal, certificates, python;
  std::optional<ListSetting> ports, timezones, ignore, java_modules;
  std::map<std::string, Setting> image_env, labels;
  std::vector<FileMapping> files;
  // [site]
  std::optional<Setting> site_folder, single_page;
  // [layers]
  std::optional<Setting> compression, form, gzip_twin;
  // [budget], bytes
  std::optional<Setting> budget_compressed, budget_installed;
  // [process.NAME]
  std::map<std::string, ListSetting> processes;
};

// Reads `whittle.toml` at the root of the tree, if there is one. An unknown key, a wrong type or an
// impossible value is an Error(usage) with file, line and the nearest known key.
Config read_config(const SourceTree& tree);
Config parse_config(std::string_view text, std::string_view what);

// `WHITTLE_NAME`, `WHITTLE_DETECTOR`, `WHITTLE_TARGETS` (comma), `WHITTLE_TOOLCHAIN`, … from an
// environment given as a map.
Config config_from_environment(const std::map<std::string, std::string>& environment);

// A setting of the command line for that member; throws Error(usage) naming `source` for an impossible value.
Setting checked_setting(std::optional<Setting> Config::*member, std::string value, std::string source);

// What `above` sets wins; maps are merged key by key.
Config merged(Config below, const Config& above);

}  // namespace whittle::plan
