// JSON at the border: hostile text in, canonical text out.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace whittle {

using Json = nlohmann::json;  // objects are sorted by key

// Parses one document. `what` names the text in the error (`app.json`, "the manifest of …"), which
// gives line and column. Nesting over 64 levels and a repeated key are refused.
Json parse_json(std::string_view text, std::string_view what, int exit_code = 2);

// Sorted keys, no white space, UTF-8 as it is; invalid UTF-8 becomes U+FFFD. Equal values give equal
// bytes on every machine.
std::string canonical_json(const Json& value);
// The same with two spaces of indentation and a final line end, for people and files.
std::string pretty_json(const Json& value);

// The member `key` of `object`, as a T; throws Error naming `what` when it is missing or of another
// type. The second form gives `fallback` when it is missing.
template <class T>
T json_member(const Json& object, std::string_view key, std::string_view what);
template <class T>
T json_member_or(const Json& object, std::string_view key, T fallback, std::string_view what);

// The text at `key`; empty where there is none, and where it is no text. For what may have any shape.
std::string json_text(const Json& object, std::string_view key);

// Reports that a member is missing or has the wrong type.
[[noreturn]] void throw_json_member(std::string_view key, std::string_view what, const char* wanted, bool missing);

template <class T>
T json_member_or(const Json& object, std::string_view key, T fallback, std::string_view what) {
  if (!object.is_object()) throw_json_member(key, what, "an object around it", false);
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return fallback;
  try {
    return found->get<T>();
  } catch (const Json::exception&) {
    throw_json_member(key, what, "another type", false);
  }
}

template <class T>
T json_member(const Json& object, std::string_view key, std::string_view what) {
  if (!object.is_object() || !object.contains(key)) throw_json_member(key, what, "a value", true);
  return json_member_or<T>(object, key, T{}, what);
}

}  // namespace whittle
