// HTTP/1.1 messages, read strictly and written byte for byte as told (RFC 9112).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/lab/connection.hpp"

namespace whittle::testing {

struct Question {
  std::string method, target, path, query;          // `target` is `path?query`
  std::multimap<std::string, std::string> headers;  // names in lower case
  std::string body;

  std::string header(const std::string& name) const;  // the first one, or nothing
  // A decoded parameter of the query; the first of its name.
  std::optional<std::string> parameter(std::string_view name) const;
};

// name=value pairs, decoded, in their order.
std::vector<std::pair<std::string, std::string>> parse_form(std::string_view text);

struct Answer {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
  bool closes = false;  // the connection ends with it

  std::string header(std::string_view name) const;
  // Status line and headers, Content-Length included.
  std::string head() const;
};

Answer error_answer(int status, const std::string& code, const std::string& message);

class MessageReader {
 public:
  explicit MessageReader(Connection& connection) : connection_(connection) {}

  // The next request without its body; nothing when there is none, or none that is well formed.
  std::optional<Question> head();
  // Reads the body of `question` into it, at most `most` bytes of it. False: the client went away, or its
  // framing is wrong.
  bool body(Question& question, std::uint64_t most = UINT64_MAX);

 private:
  bool fill();
  std::optional<std::string> line();
  bool take(std::string& into, std::uint64_t size);
  bool chunked_body(std::string& into, std::uint64_t most);

  Connection& connection_;
  std::string buffer_;
};

}  // namespace whittle::testing
