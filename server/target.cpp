#include "server/target.hpp"

namespace whittle::server {

namespace {

constexpr Text kSchemes[] = {"http://", "https://"};

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// `http://host/path` is a way to write `/path`. RFC 9112, 3.2.2.
bool strip_origin(Text& target) {
  for (const Text& scheme : kSchemes) {
    if (target.size() < scheme.size() || !is_same_word(target.first(scheme.size()), scheme)) continue;
    target = target.from(scheme.size());
    size_t end = 0;
    while (end < target.size() && target[end] != '/' && target[end] != '?') ++end;
    if (end == 0 || target.first(end).has('@') || target.first(end).has('\\')) return false;
    target = target.from(end);
    return true;
  }
  return !target.empty() && target[0] == '/';
}

// One part of a path, decoded. Encoded slashes are refused: who forwards requests may read them as slashes.
int decode_part(Text part, Buffer<kLongestPath>& out) {
  for (size_t at = 0; at < part.size(); ++at) {
    char c = part[at];
    if (c == '%') {
      const int high = at + 2 < part.size() ? hex_digit(part[at + 1]) : -1;
      const int low = at + 2 < part.size() ? hex_digit(part[at + 2]) : -1;
      if (high < 0 || low < 0) return 400;
      c = static_cast<char>(high << 4 | low);
      at += 2;
    }
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || c == '/' || c == '\\') return 400;
    out.add(c);
  }
  return 0;
}

int check_part(Text part) {
  if (part == "." || part == "..") return 400;
  return part[0] == '.' && !(part == ".well-known") ? 404 : 0;
}

}  // namespace

int parse_target(Text target, Target& result) {
  result.path.clear();
  result.query = Text();
  if (!strip_origin(target) || target.has('#')) return 400;
  if (const size_t mark = target.find('?'); mark != Text::kNone) {
    result.query = target.from(mark);
    target = target.first(mark);
  }
  result.names_folder = target.empty() || target.ends_with("/");
  int worst = 0;
  while (!target.empty()) {
    const Text part = take_until(target, '/');
    if (part.empty()) continue;
    if (result.path.size() > 0) result.path.add('/');
    const size_t begin = result.path.size();
    if (const int status = decode_part(part, result.path)) return status;
    if (result.path.overflown()) return 414;
    const int status = check_part(result.path.text().from(begin));
    if (status == 400) return status;
    worst = status != 0 ? status : worst;
  }
  return worst;
}

}  // namespace whittle::server
