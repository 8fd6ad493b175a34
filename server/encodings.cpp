#include "server/encodings.hpp"

namespace whittle::server {

namespace {

constexpr EncodingName kNames[kEncodings] = {{"identity", ""}, {"gzip", ".gz"}, {"br", ".br"}, {"zstd", ".zst"}};

// `0`, `0.5`, `1.000`; anything else is as good as not wanted.
int parse_quality(Text text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return 0;
  int quality = (text[0] - '0') * 1000;
  if (text.size() > 1 && text[1] != '.') return 0;
  int weight = 100;
  for (const char c : text.from(2)) {
    if (!is_digit(c)) return 0;
    quality += (c - '0') * weight;
    weight /= 10;
  }
  return quality <= 1000 ? quality : 0;
}

int quality_of(Text parameters) {
  while (!parameters.empty()) {
    const Text parameter = take_until(parameters, ';').trimmed();
    if (parameter.size() >= 2 && lower(parameter[0]) == 'q' && parameter[1] == '=') {
      return parse_quality(parameter.from(2));
    }
  }
  return 1000;
}

}  // namespace

const EncodingName& name_of(Encoding encoding) {
  return kNames[static_cast<int>(encoding)];
}

EncodingWishes parse_accept_encoding(Text header) {
  EncodingWishes wishes;
  bool is_named[kEncodings] = {};
  int others = -1;
  while (!header.empty()) {
    Text parameters = take_until(header, ',');
    const Text name = take_until(parameters, ';').trimmed();
    const int quality = quality_of(parameters);
    if (name == "*") others = quality;
    for (int i = 0; i < kEncodings; ++i) {
      const bool is_meant =
          is_same_word(name, kNames[i].name) || (kNames[i].name == "gzip" && is_same_word(name, "x-gzip"));
      if (!is_meant) continue;
      is_named[i] = true;
      wishes.quality[i] = quality;
    }
  }
  for (int i = 0; i < kEncodings; ++i) {
    if (others >= 0 && !is_named[i]) wishes.quality[i] = others;
  }
  // Without being named, the plain form is what everybody takes, and the last choice.
  if (others < 0 && !is_named[0]) wishes.quality[0] = 1;
  return wishes;
}

}  // namespace whittle::server
