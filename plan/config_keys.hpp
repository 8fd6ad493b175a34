// Every key of `whittle.toml` as data: where it stands, what it may hold, which member it fills and
// which environment variable says the same.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "plan/config.hpp"

namespace whittle::plan {

// Nothing is wrong: empty. Otherwise what the value must be: "must be 1 to 19".
using Check = std::string (*)(std::string_view value);

struct TextKey {
  std::string_view section, name;  // section empty: the top
  std::string_view variable;       // empty: none
  std::optional<Setting> Config::*member;
  Check check;
};

struct ListKey {
  std::string_view section, name, variable;
  char separator;            // between the values in the environment variable
  bool may_be_text = false;  // `timezones = "auto"` for a list of one
  std::optional<ListSetting> Config::*member;
  Check check;
};

struct MapKey {
  std::string_view section, name;
  std::map<std::string, Setting> Config::*member;
  Check check_key;
};

std::span<const TextKey> text_keys();
std::span<const ListKey> list_keys();
std::span<const MapKey> map_keys();

// "90s", "10m", "2h"; nothing for other texts, and for less than a second.
std::optional<std::chrono::seconds> parse_duration(std::string_view text);

// For `image.files`.
std::string check_source_path(std::string_view value);
std::string check_image_path(std::string_view value);
std::string check_mode(std::string_view value);
std::string check_process_name(std::string_view value);
// For `build.secrets`.
std::string check_secret_name(std::string_view value);
std::string check_variable_name(std::string_view value);
std::string check_home_path(std::string_view value);

}  // namespace whittle::plan
