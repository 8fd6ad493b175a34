#include "bundle/document.hpp"

#include "base/text.hpp"

namespace whittle::bundle {

namespace {

constexpr std::size_t kLongestText = 4096;
constexpr std::uint64_t kFormat = 1;

std::string text_from(const Json& value, std::string_view what) {
  if (!value.is_string()) refuse(what, "a text is expected where something else is");
  auto text = value.get<std::string>();
  if (text.size() > kLongestText) refuse(what, "a text in it is too long");
  return text;
}

}  // namespace

Error with_exit(Exit exit, const Error& error) {
  Error changed(exit, error.message());
  if (!error.where().empty()) changed.at(error.where());
  for (const std::string& line : error.details()) changed.detail(line);
  for (const std::string& cause : error.causes()) changed.cause(cause);
  for (const std::string& hint : error.hints()) changed.hint(hint);
  for (const std::string& note : error.notes()) changed.note(note);
  return changed;
}

void refuse(std::string_view what, std::string_view why) {
  throw Error(Exit::refused, cat("cannot use ", what)).cause(std::string(why));
}

Json document_of(std::string_view json, std::uint64_t limit, std::string_view what) {
  if (json.size() > limit) refuse(what, cat("it is larger than ", human_size(limit)));
  Json document = failing_as(Exit::refused, [&] { return parse_json(json, what); });
  if (!document.is_object()) refuse(what, "it is no JSON object");
  const std::uint64_t format = number_in(document, "format", what);
  if (format != kFormat) refuse(what, cat("it has format ", format, ", and this program knows format ", kFormat));
  return document;
}

std::string text_in(const Json& object, const char* key, std::string_view what) {
  const auto found = object.find(key);
  return found == object.end() ? std::string() : text_from(*found, what);
}

std::uint64_t number_in(const Json& object, const char* key, std::string_view what) {
  const auto found = object.find(key);
  if (found == object.end()) return 0;
  if (!found->is_number_unsigned() || found->get<std::uint64_t>() > INT64_MAX) {
    refuse(what, cat(backticked(key), " must be a number from 0"));
  }
  return found->get<std::uint64_t>();
}

bool flag_in(const Json& object, const char* key, std::string_view what) {
  const auto found = object.find(key);
  if (found == object.end()) return false;
  if (!found->is_boolean()) refuse(what, cat(backticked(key), " must be true or false"));
  return found->get<bool>();
}

Digest digest_from(const Json& text, std::string_view what) {
  const std::string value = text_from(text, what);
  const std::optional<Digest> digest = Digest::parse(value);
  if (!digest) refuse(what, cat(backticked(value), " is not a SHA-256 digest"));
  return *digest;
}

Digest digest_in(const Json& object, const char* key, std::string_view what) {
  const auto found = object.find(key);
  if (found == object.end()) refuse(what, cat(backticked(key), " is missing"));
  return digest_from(*found, what);
}

const Json& list_in(const Json& object, const char* key, std::size_t most, std::string_view what) {
  static const Json kNothing = Json::array();
  const auto found = object.find(key);
  if (found == object.end()) return kNothing;
  if (!found->is_array()) refuse(what, cat(backticked(key), " must be a list"));
  if (found->size() > most) refuse(what, cat(backticked(key), " has more than ", most, " entries"));
  return *found;
}

std::vector<std::string> texts_in(const Json& object, const char* key, std::size_t most, std::string_view what) {
  std::vector<std::string> texts;
  for (const Json& text : list_in(object, key, most, what)) texts.push_back(text_from(text, what));
  return texts;
}

}  // namespace whittle::bundle
