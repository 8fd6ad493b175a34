#include "server/request.hpp"

namespace whittle::server {

namespace {

bool is_token(Text text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (!is_digit(c) && !is_letter(c) && !Text("!#$%&'*+-.^_`|~").has(c)) return false;
  }
  return true;
}

// No control characters; a tab is a blank.
bool is_field_value(Text text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\t') || byte == 0x7f) return false;
  }
  return true;
}

bool is_visible_ascii(Text text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7f) return false;
  }
  return !text.empty();
}

// Host is what a URL may have between `//` and the path, without user and path.
bool is_host(Text text) {
  for (const char c : text) {
    if (!is_digit(c) && !is_letter(c) && !Text("-._~!$&'()*+,;=%:[]").has(c)) return false;
  }
  return true;
}

int parse_version(Text version, Request& request) {
  if (version.size() != 8 || !version.starts_with("HTTP/") || !is_digit(version[5]) || version[6] != '.' ||
      !is_digit(version[7])) {
    return 400;
  }
  if (version[5] != '1') return 505;
  request.minor_version = version[7] == '0' ? 0 : 1;
  request.keeps_alive = request.minor_version > 0;
  return 0;
}

int parse_request_line(Text line, Request& request) {
  const Text method = take_until(line, ' ');
  if (!is_token(method)) return 400;
  if (method == "GET") request.method = Request::Method::get;
  if (method == "HEAD") request.method = Request::Method::head;
  request.target = take_until(line, ' ');
  if (request.target.size() > kLongestTarget) return 414;
  if (!is_visible_ascii(request.target)) return 400;
  return parse_version(line, request);
}

// What decides where a request ends. Only what has one reading passes.
struct Framing {
  int hosts = 0;
  bool has_length = false, has_coding = false;
  long long length = 0;

  int add_length(Text value) {
    long long number = 0;
    if (!read_number(value, number) || (has_length && number != length)) return 400;
    has_length = true;
    length = number;
    return 0;
  }

  int verdict(const Request& request) const {
    if (hosts > 1 || (hosts == 0 && request.minor_version > 0)) return 400;
    if (has_coding && (has_length || request.minor_version == 0)) return 400;
    return 0;
  }
};

void read_connection(Text value, Request& request) {
  while (!value.empty()) {
    const Text option = take_until(value, ',').trimmed();
    if (is_same_word(option, "close")) {
      request.keeps_alive = false;
      return;
    }
    if (is_same_word(option, "keep-alive")) request.keeps_alive = true;
  }
}

// Those that may be given once only; a second one means that somebody disagrees about the first.
bool set_once(Text& place, Text value) {
  if (place.data() != nullptr) return false;
  place = value;
  return true;
}

int read_field(Text name, Text value, Request& request, Framing& framing) {
  struct Row {
    Text name;
    Text Request::*member;
  };
  static constexpr Row kRows[] = {
      {"range", &Request::range},
      {"if-range", &Request::if_range},
      {"if-match", &Request::if_match},
      {"if-none-match", &Request::if_none_match},
      {"if-modified-since", &Request::if_modified_since},
      {"if-unmodified-since", &Request::if_unmodified_since},
      {"accept-encoding", &Request::accept_encoding},
      {"sec-fetch-mode", &Request::fetch_mode},
  };
  if (is_same_word(name, "host")) {
    ++framing.hosts;
    return is_host(value) ? 0 : 400;
  }
  if (is_same_word(name, "content-length")) return framing.add_length(value);
  if (is_same_word(name, "transfer-encoding")) {
    framing.has_coding = true;
    return is_same_word(value, "chunked") ? 0 : 400;
  }
  if (is_same_word(name, "connection")) read_connection(value, request);
  // Lists may come in several fields (RFC 9110, 5.3), and Go's clients send one for each type. The first is enough to
  // tell a person by.
  if (is_same_word(name, "accept")) {
    set_once(request.accept, value);
    return 0;
  }
  for (const Row& row : kRows) {
    if (is_same_word(name, row.name)) return set_once(request.*row.member, value) ? 0 : 400;
  }
  return 0;
}

}  // namespace

size_t head_size(Text received) {
  for (size_t at = received.find('\n'); at != Text::kNone; at = received.find('\n', at + 1)) {
    if (at + 2 < received.size() && received[at + 1] == '\r' && received[at + 2] == '\n') return at + 3;
    if (at + 1 < received.size() && received[at + 1] == '\n') return at + 2;  // refused, but it ends here
  }
  return 0;
}

int parse_request(Text head, Request& request) {
  request = Request();
  Framing framing;
  bool is_first = true;
  while (!head.empty()) {
    const size_t end = head.find('\n');
    if (end == Text::kNone || end == 0 || head[end - 1] != '\r') return 400;
    const Text line = head.first(end - 1);
    head = head.from(end + 1);
    if (is_first) {
      if (const int status = parse_request_line(line, request)) return status;
      is_first = false;
      continue;
    }
    if (line.empty()) {
      if (!head.empty()) return 400;
      if (const int status = framing.verdict(request)) return status;
      request.has_body = framing.has_coding || framing.length > 0;
      return 0;
    }
    const size_t colon = line.find(':');
    if (colon == Text::kNone) return 400;
    const Text name = line.first(colon), value = line.from(colon + 1).trimmed();
    if (!is_token(name) || !is_field_value(value)) return 400;
    if (const int status = read_field(name, value, request, framing)) return status;
  }
  return 400;
}

}  // namespace whittle::server
