#include "base/yaml.hpp"

#include <yaml.h>

#include <charconv>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle {

namespace {

constexpr std::string_view kCoreTag = "tag:yaml.org,2002:";

// One event of the parser, freed with its owner.
class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { ::yaml_event_delete(&event_); }
  yaml_event_t* operator->() { return &event_; }
  yaml_event_t& operator*() { return event_; }

 private:
  yaml_event_t event_{};
};

std::string_view view(const yaml_char_t* text) {
  return text == nullptr ? std::string_view() : reinterpret_cast<const char*>(text);
}

std::optional<bool> truth(std::string_view text) {
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  return std::nullopt;
}

bool is_nothing(std::string_view text) {
  return text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL";
}

bool is_all(std::string_view text, std::string_view characters) {
  return !text.empty() && text.find_first_not_of(characters) == std::string_view::npos;
}

std::optional<Json> integer(std::string_view text) {
  int base = 10;
  std::string_view digits = text;
  if (text.starts_with("0o")) base = 8;
  if (text.starts_with("0x")) base = 16;
  if (base != 10) digits.remove_prefix(2);
  if (base == 10 && (text.starts_with('+') || text.starts_with('-'))) digits.remove_prefix(1);
  constexpr std::string_view kDigits = "0123456789abcdefABCDEF";
  if (!is_all(digits, kDigits.substr(0, base == 16 ? kDigits.size() : static_cast<std::size_t>(base)))) {
    return std::nullopt;
  }
  std::int64_t number = 0;
  const std::string signed_digits = cat(text.starts_with('-') ? "-" : "", digits);
  const char* const end = signed_digits.data() + signed_digits.size();
  const auto [stop, problem] = std::from_chars(signed_digits.data(), end, number, base);
  if (problem != std::errc() || stop != end) return std::nullopt;
  return Json(number);
}

std::optional<Json> real(std::string_view text) {
  std::string_view rest = text;
  if (rest.starts_with('+') || rest.starts_with('-')) rest.remove_prefix(1);
  const bool begins_well = !rest.empty() && (std::isdigit(static_cast<unsigned char>(rest[0])) != 0 || rest[0] == '.');
  if (!begins_well || !is_all(rest, "0123456789.eE+-")) return std::nullopt;
  double number = 0;
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc() || stop != text.data() + text.size() || !std::isfinite(number)) return std::nullopt;
  return Json(number);
}

// What a plain scalar means in the core schema.
Json resolved(std::string_view text) {
  if (is_nothing(text)) return nullptr;
  if (const auto value = truth(text)) return *value;
  if (auto value = integer(text)) return std::move(*value);
  if (auto value = real(text)) return std::move(*value);
  return std::string(text);
}

class Reader {
 public:
  Reader(std::string_view text, std::string_view what, int exit_code)
      : what_(what), exit_(static_cast<Exit>(exit_code)) {
    if (text.size() > kLongestYaml) throw wrong(0, 0, cat("it has more than ", human_size(kLongestYaml)));
    if (!is_utf8(text)) throw wrong(0, 0, "it is not UTF-8");
    if (::yaml_parser_initialize(&parser_) == 0) throw Error(Exit::bug, "there is not enough memory");
    ::yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    ::yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() { ::yaml_parser_delete(&parser_); }

  YamlDocument read() {
    Event first;
    next(first);  // the stream
    Event start;
    next(start);
    if (start->type == YAML_STREAM_END_EVENT) {
      document_.root = nullptr;
      return std::move(document_);
    }
    Event root;
    next(root);
    document_.root = value(root, "", 0);
    Event end;
    next(end);  // of the document
    Event more;
    next(more);
    if (more->type != YAML_STREAM_END_EVENT) throw wrong(*more, "there is more than one document in it");
    return std::move(document_);
  }

 private:
  struct Anchored {
    Json value;
    std::size_t values = 0;
  };

  Error wrong(std::size_t line, std::size_t column, std::string why) const {
    Error error(exit_, cat("cannot read ", what_, " as YAML"));
    error.at(cat(what_, ":", line + 1, ":", column + 1)).cause(printable(why));
    return error;
  }
  Error wrong(const yaml_event_t& event, std::string why) const {
    return wrong(event.start_mark.line, event.start_mark.column, std::move(why));
  }

  void next(Event& event) {
    if (::yaml_parser_parse(&parser_, &*event) != 0) return;
    const char* const problem = parser_.problem == nullptr ? "it cannot be read" : parser_.problem;
    throw wrong(parser_.problem_mark.line, parser_.problem_mark.column, problem);
  }

  void count(const yaml_event_t& event, std::size_t values = 1) {
    values_ += values;
    if (values_ > kMostYamlValues) throw wrong(event, cat("it has more than ", kMostYamlValues, " values"));
  }

  Json value(Event& event, const std::string& pointer, int depth) {
    if (depth > kDeepestYaml) throw wrong(*event, cat("it is nested over ", kDeepestYaml, " levels"));
    document_.lines.emplace(pointer, static_cast<int>(event->start_mark.line) + 1);
    const std::size_t before = values_;
    switch (event->type) {
      case YAML_ALIAS_EVENT:
        return alias(*event);
      case YAML_SCALAR_EVENT:
        count(*event);
        return keep(event->data.scalar.anchor, scalar(*event), before);
      case YAML_SEQUENCE_START_EVENT:
        check_tag(*event, event->data.sequence_start.tag, "seq");
        count(*event);
        return keep(event->data.sequence_start.anchor, sequence(pointer, depth), before);
      case YAML_MAPPING_START_EVENT:
        check_tag(*event, event->data.mapping_start.tag, "map");
        count(*event);
        return keep(event->data.mapping_start.anchor, mapping(pointer, depth), before);
      default:
        break;
    }
    throw wrong(*event, "a value is missing");
  }

  Json keep(const yaml_char_t* anchor, Json made, std::size_t before) {
    if (anchor != nullptr) anchors_[std::string(view(anchor))] = {made, values_ - before};
    return made;
  }

  Json alias(const yaml_event_t& event) {
    const auto found = anchors_.find(std::string(view(event.data.alias.anchor)));
    if (found == anchors_.end()) throw wrong(event, "an alias stands for nothing that is complete before it");
    count(event, found->second.values);
    return found->second.value;
  }

  void check_tag(const yaml_event_t& event, const yaml_char_t* tag, std::string_view expected) const {
    const std::string_view text = view(tag);
    if (text.empty() || text == "!" || text == cat(kCoreTag, expected)) return;
    throw wrong(event, cat("the tag `", text, "` is not known"));
  }

  Json scalar(const yaml_event_t& event) const {
    const auto& data = event.data.scalar;
    const std::string text(reinterpret_cast<const char*>(data.value), data.length);
    const std::string_view tag = view(data.tag);
    if (tag.empty() && data.plain_implicit != 0) return resolved(text);
    if (tag.empty() || tag == "!" || tag == cat(kCoreTag, "str")) return text;
    Json made = resolved(text);
    const bool is_fitting = (tag == cat(kCoreTag, "int") && made.is_number_integer()) ||
                            (tag == cat(kCoreTag, "float") && made.is_number()) ||
                            (tag == cat(kCoreTag, "bool") && made.is_boolean()) ||
                            (tag == cat(kCoreTag, "null") && made.is_null());
    if (!is_fitting) throw wrong(event, cat("the value does not fit the tag `", tag, "`, or the tag is not known"));
    return made;
  }

  Json sequence(const std::string& pointer, int depth) {
    Json list = Json::array();
    for (;;) {
      Event event;
      next(event);
      if (event->type == YAML_SEQUENCE_END_EVENT) return list;
      list.push_back(value(event, cat(pointer, "/", list.size()), depth + 1));
    }
  }

  Json mapping(const std::string& pointer, int depth) {
    Json object = Json::object();
    for (;;) {
      Event event;
      next(event);
      if (event->type == YAML_MAPPING_END_EVENT) return object;
      if (event->type != YAML_SCALAR_EVENT) throw wrong(*event, "a key must be a text");
      const std::string key(reinterpret_cast<const char*>(event->data.scalar.value), event->data.scalar.length);
      const std::string below = cat(pointer, "/", escaped_pointer(key));
      if (object.contains(key)) throw wrong(*event, cat("the key ", backticked(key), " is there twice"));
      // The key's own line, not the value's.
      document_.lines.emplace(below, static_cast<int>(event->start_mark.line) + 1);
      Event content;
      next(content);
      object[key] = value(content, below, depth + 1);
    }
  }

  std::string_view what_;
  Exit exit_;
  yaml_parser_t parser_{};
  YamlDocument document_;
  std::map<std::string, Anchored> anchors_;
  std::size_t values_ = 0;
};

// What YAML 1.1 takes for a truth and 1.2 for a text.
bool is_old_truth(const std::string& text) {
  const std::string small = lower(text);
  return small == "y" || small == "n" || small == "yes" || small == "no" || small == "on" || small == "off";
}

bool is_plain(const std::string& text) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./@:+-";
  if (!is_all(text, kPlain) || text.front() == '-' || text.front() == ':' || text.front() == '@') return false;
  if (text.back() == ':' || is_old_truth(text)) return false;
  // Digits and colons are a number to the base of 60 in YAML 1.1, and digits with lines a date.
  const bool looks_like_number =
      is_all(text, "0123456789:.-+_eExXoO") && text.find_first_of("0123456789") != std::string::npos;
  return resolved(text).is_string() && !looks_like_number;
}

std::string scalar_text(const OrderedJson& value) {
  if (!value.is_string()) return value.dump();
  const std::string text = value.get<std::string>();
  // JSON's texts are YAML's double-quoted ones.
  return is_plain(text) ? text : OrderedJson(text).dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

bool is_block(const OrderedJson& value) {
  return value.is_structured() && !value.empty();
}

void write(const OrderedJson& value, const std::string& indent, std::string& out);

// What follows `key:` or `-`.
void write_below(const OrderedJson& value, const std::string& indent, bool is_in_list, std::string& out) {
  if (!is_block(value)) {
    out += cat(" ", value.is_object() ? "{}" : value.is_array() ? "[]" : scalar_text(value), "\n");
  } else if (is_in_list) {
    // The first line stands beside the dash.
    std::string block;
    write(value, indent + "  ", block);
    out += cat(" ", block.substr(indent.size() + 2));
  } else {
    out += "\n";
    write(value, value.is_array() ? indent : indent + "  ", out);
  }
}

void write(const OrderedJson& value, const std::string& indent, std::string& out) {
  if (!is_block(value)) {
    out += indent;
    out += cat(value.is_object() ? "{}" : value.is_array() ? "[]" : scalar_text(value), "\n");
  } else if (value.is_array()) {
    for (const OrderedJson& item : value) {
      out += cat(indent, "-");
      write_below(item, indent, true, out);
    }
  } else {
    for (const auto& [key, item] : value.items()) {
      out += cat(indent, scalar_text(OrderedJson(key)), ":");
      write_below(item, indent, false, out);
    }
  }
}

}  // namespace

YamlDocument parse_yaml(std::string_view text, std::string_view what, int exit_code) {
  return Reader(text, what, exit_code).read();
}

std::string yaml_text(const OrderedJson& value) {
  std::string out;
  write(value, "", out);
  return out;
}

}  // namespace whittle
