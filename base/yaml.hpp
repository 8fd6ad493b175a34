// YAML as JSON with line numbers, and JSON as YAML. Of the language what configuration files use: one document, YAML
// 1.2's core schema (`yes` is a text), anchors and aliases, the core tags.
#pragma once

#include <string>
#include <string_view>

#include "base/lined_json.hpp"

namespace whittle {

using YamlDocument = LinedJson;
using OrderedJson = nlohmann::ordered_json;  // keys stay as they were put in: for texts that people read

inline constexpr std::size_t kLongestYaml = 4 << 20;     // bytes
inline constexpr std::size_t kMostYamlValues = 200'000;  // after aliases have become what they stand for
inline constexpr int kDeepestYaml = 64;

// `what` names the file in the error, which gives line and column. Refused: more than the limits above, repeated keys,
// keys that are no scalars, several documents, tags beyond the core ones.
YamlDocument parse_yaml(std::string_view text, std::string_view what, int exit_code = 2);

// In block style with two spaces, keys in their order, texts quoted where a reader of YAML 1.1 or 1.2 could take them
// for something else. Several documents are for the caller to join with `---`.
std::string yaml_text(const OrderedJson& value);

}  // namespace whittle
