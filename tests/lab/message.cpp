#include "tests/lab/message.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/json.hpp"
#include "base/text.hpp"

namespace whittle::testing {

namespace {

constexpr std::size_t kLongestLine = 64 * 1024;

std::optional<std::uint64_t> parse_hexadecimal(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = text[i] == '%' && i + 2 < text.size() ? parse_hexadecimal(text.substr(i + 1, 2)) : std::nullopt;
    if (byte) {
      out += static_cast<char>(*byte);
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

// Two lengths, or a length and a coding, are how requests are smuggled past a proxy.
bool is_framing_clear(const Question& question) {
  const bool is_chunked = question.headers.count("transfer-encoding") > 0;
  return question.headers.count("content-length") + (is_chunked ? 1 : 0) <= 1 && question.headers.count("host") == 1;
}

const char* phrase(int status) {
  return status < 200 ? "Continue" : status < 300 ? "Good" : status < 400 ? "Elsewhere" : "Refused";
}

}  // namespace

std::string Question::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

std::optional<std::string> Question::parameter(std::string_view name) const {
  for (auto& [key, value] : parse_form(query)) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::vector<std::pair<std::string, std::string>> parse_form(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> pairs;
  if (text.empty()) return pairs;
  for (const std::string& pair : split(text, '&')) {
    const std::size_t equals = std::min(pair.find('='), pair.size());
    pairs.emplace_back(decoded(pair.substr(0, equals)), decoded(pair.substr(std::min(equals + 1, pair.size()))));
  }
  return pairs;
}

std::string Answer::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (lower(key) == lower(name)) return value;
  }
  return {};
}

std::string Answer::head() const {
  std::string text = cat("HTTP/1.1 ", status, " ", phrase(status), "\r\n");
  for (const auto& [name, value] : headers) text += cat(name, ": ", value, "\r\n");
  if (header("Content-Length").empty() && status != 204) text += cat("Content-Length: ", body.size(), "\r\n");
  if (closes) text += "Connection: close\r\n";
  return text + "\r\n";
}

Answer error_answer(int status, const std::string& code, const std::string& message) {
  return {.status = status,
          .headers = {{"Content-Type", "application/json"}},
          .body = canonical_json(Json{{"errors", {{{"code", code}, {"message", message}}}}})};
}

bool MessageReader::fill() {
  std::array<char, 64 * 1024> room;
  const std::size_t got = connection_.receive(room.data(), room.size());
  buffer_.append(room.data(), got);
  return got > 0;
}

std::optional<std::string> MessageReader::line() {
  std::size_t end = buffer_.find("\r\n");
  while (end == std::string::npos) {
    if (buffer_.size() > kLongestLine || !fill()) return std::nullopt;
    end = buffer_.find("\r\n");
  }
  std::string text = buffer_.substr(0, end);
  buffer_.erase(0, end + 2);
  return text;
}

std::optional<Question> MessageReader::head() {
  const auto first = line();
  if (!first) return std::nullopt;
  const std::vector<std::string> words = split(*first, ' ');
  if (words.size() != 3 || words[2] != "HTTP/1.1" || !words[1].starts_with('/')) return std::nullopt;
  const std::size_t mark = words[1].find('?');
  Question question{.method = words[0],
                    .target = words[1],
                    .path = decoded(words[1].substr(0, mark)),
                    .query = mark == std::string::npos ? "" : words[1].substr(mark + 1)};
  for (auto text = line(); text && !text->empty(); text = line()) {
    const std::size_t colon = text->find(':');
    if (colon == std::string::npos || colon == 0) return std::nullopt;
    question.headers.emplace(lower(text->substr(0, colon)), trim(text->substr(colon + 1)));
  }
  return is_framing_clear(question) ? std::optional(std::move(question)) : std::nullopt;
}

bool MessageReader::body(Question& question, std::uint64_t most) {
  if (question.header("transfer-encoding") == "chunked") return chunked_body(question.body, most);
  const std::string length = question.header("content-length");
  const auto size = length.empty() ? std::optional<std::uint64_t>(0) : parse_number(length);
  return size && take(question.body, std::min(*size, most));
}

bool MessageReader::take(std::string& into, std::uint64_t size) {
  while (size > 0) {
    if (buffer_.empty() && !fill()) return false;
    const std::size_t now = std::min<std::uint64_t>(size, buffer_.size());
    into.append(buffer_, 0, now);
    buffer_.erase(0, now);
    size -= now;
  }
  return true;
}

bool MessageReader::chunked_body(std::string& into, std::uint64_t most) {
  while (into.size() < most) {
    const auto size_line = line();
    const auto size = size_line ? parse_hexadecimal(size_line->substr(0, size_line->find(';'))) : std::nullopt;
    if (!size || !take(into, std::min(*size, most - into.size()))) return false;
    if (into.size() == most) return true;
    const auto end = line();
    if (!end || !end->empty()) return false;
    if (*size == 0) return true;
  }
  return true;
}

}  // namespace whittle::testing
