#include "base/json.hpp"

#include <algorithm>
#include <set>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle {

namespace {

constexpr int kMaximumDepth = 64;

struct Position {
  int line;
  std::size_t column;
};

Position position_of(std::string_view text, std::size_t offset) {
  offset = std::min(offset, text.size());
  const std::string_view before = text.substr(0, offset);
  const std::size_t line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return {line_at(text, offset), offset - line_start + 1};
}

Error json_error(std::string_view text, std::string_view what, std::size_t offset, std::string why, int exit_code) {
  const Position at = position_of(text, offset);
  Error error(static_cast<Exit>(exit_code), cat("cannot read ", what, " as JSON"));
  error.at(cat(what, ":", at.line, ":", at.column)).cause(std::move(why));
  return error;
}

}  // namespace

Json parse_json(std::string_view text, std::string_view what, int exit_code) {
  std::vector<std::set<std::string>> keys;
  std::string refused;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second && refused.empty()) {
      refused = cat("the key ", backticked(parsed.get<std::string>()), " appears twice in one object");
    }
    const bool opens = event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start;
    if (opens && depth >= kMaximumDepth) throw json_error(text, what, 0, "it is nested too deeply", exit_code);
    return true;
  };
  try {
    Json value = Json::parse(text.begin(), text.end(), watch);
    if (!refused.empty()) throw json_error(text, what, 0, refused, exit_code);
    return value;
  } catch (const Json::parse_error& problem) {
    std::string why = problem.what();
    // "[json.exception.parse_error.101] parse error at line 1, column 2: WHY" → WHY
    if (const std::size_t colon = why.find(": "); colon != std::string::npos) why = why.substr(colon + 2);
    const std::size_t offset = problem.byte > 0 ? problem.byte - 1 : 0;
    throw json_error(text, what, offset, printable(why), exit_code);
  } catch (const Json::out_of_range&) {
    // The library tells neither place nor token: a number such as 1e999 is the one thing it throws this for.
    throw json_error(text, what, 0, "a number in it is too large", exit_code);
  }
}

std::string canonical_json(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string pretty_json(const Json& value) {
  return value.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

std::string json_text(const Json& object, std::string_view key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

void throw_json_member(std::string_view key, std::string_view what, const char* wanted, bool missing) {
  throw Error(Exit::usage, missing ? cat(what, " has no ", backticked(key))
                                   : cat(backticked(key), " in ", what, " must be ", wanted));
}

}  // namespace whittle
