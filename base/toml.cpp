#include "base/toml.hpp"

#include <toml++/toml.h>
#include <sstream>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle {

namespace {

template <class Value>
std::string streamed(const Value& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

Json converted(const toml::node& node, const std::string& pointer, TomlDocument& document) {
  document.lines.emplace(pointer, static_cast<int>(node.source().begin.line));
  if (const toml::table* table = node.as_table()) {
    Json object = Json::object();
    for (const auto& [key, value] : *table) {
      const std::string below = cat(pointer, "/", escaped_pointer(key.str()));
      // The key's own line, not the value's: a table that is only headed by its children has none.
      document.lines.emplace(below, static_cast<int>(key.source().begin.line));
      object[std::string(key.str())] = converted(value, below, document);
    }
    return object;
  }
  if (const toml::array* array = node.as_array()) {
    Json list = Json::array();
    for (const toml::node& value : *array) {
      list.push_back(converted(value, cat(pointer, "/", list.size()), document));
    }
    return list;
  }
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return number->get();
  if (const auto* number = node.as_floating_point()) return number->get();
  if (const auto* truth = node.as_boolean()) return truth->get();
  if (const auto* date = node.as_date()) return streamed(date->get());
  if (const auto* time = node.as_time()) return streamed(time->get());
  if (const auto* moment = node.as_date_time()) return streamed(moment->get());
  return nullptr;
}

}  // namespace

TomlDocument parse_toml(std::string_view text, std::string_view what, int exit_code) {
  try {
    const toml::table table = toml::parse(text);
    TomlDocument document;
    document.root = converted(table, "", document);
    return document;
  } catch (const toml::parse_error& problem) {
    const auto line = problem.source().begin.line, column = problem.source().begin.column;
    Error error(static_cast<Exit>(exit_code), cat("cannot read ", what, " as TOML"));
    error.at(cat(what, ":", line, ":", column)).cause(printable(problem.description()));
    throw error;
  }
}

}  // namespace whittle
