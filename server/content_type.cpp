#include "server/content_type.hpp"

namespace whittle::server {

namespace {

struct Row {
  Text extension, type;
};

// Of https://www.iana.org/assignments/media-types, what browsers and feeds ask for; the most frequent first.
constexpr Row kTypes[] = {
    {"html", "text/html; charset=utf-8"},
    {"js", "text/javascript; charset=utf-8"},
    {"css", "text/css; charset=utf-8"},
    {"svg", "image/svg+xml"},
    {"png", "image/png"},
    {"jpg", "image/jpeg"},
    {"webp", "image/webp"},
    {"woff2", "font/woff2"},
    {"json", "application/json"},
    {"ico", "image/x-icon"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"htm", "text/html; charset=utf-8"},
    {"xhtml", "application/xhtml+xml"},
    {"txt", "text/plain; charset=utf-8"},
    {"map", "application/json"},
    {"wasm", "application/wasm"},
    {"webmanifest", "application/manifest+json"},
    {"xml", "text/xml; charset=utf-8"},
    {"md", "text/markdown; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"ics", "text/calendar; charset=utf-8"},
    {"vtt", "text/vtt; charset=utf-8"},
    {"vcf", "text/vcard; charset=utf-8"},
    {"xsl", "text/xml; charset=utf-8"},
    {"rss", "application/rss+xml"},
    {"atom", "application/atom+xml"},
    {"jsonld", "application/ld+json"},
    {"geojson", "application/geo+json"},
    {"topojson", "application/json"},
    {"yaml", "application/yaml"},
    {"yml", "application/yaml"},
    {"toml", "application/toml"},
    {"jpeg", "image/jpeg"},
    {"gif", "image/gif"},
    {"avif", "image/avif"},
    {"apng", "image/apng"},
    {"bmp", "image/bmp"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"jxl", "image/jxl"},
    {"heic", "image/heic"},
    {"woff", "font/woff"},
    {"ttf", "font/ttf"},
    {"otf", "font/otf"},
    {"eot", "application/vnd.ms-fontobject"},
    {"mp4", "video/mp4"},
    {"m4v", "video/mp4"},
    {"webm", "video/webm"},
    {"ogv", "video/ogg"},
    {"mov", "video/quicktime"},
    {"mpd", "application/dash+xml"},
    {"m3u8", "application/vnd.apple.mpegurl"},
    {"ts", "video/mp2t"},
    {"mp3", "audio/mpeg"},
    {"m4a", "audio/mp4"},
    {"aac", "audio/aac"},
    {"ogg", "audio/ogg"},
    {"oga", "audio/ogg"},
    {"opus", "audio/ogg"},
    {"wav", "audio/wav"},
    {"flac", "audio/flac"},
    {"weba", "audio/webm"},
    {"pdf", "application/pdf"},
    {"epub", "application/epub+zip"},
    {"rtf", "application/rtf"},
    {"doc", "application/msword"},
    {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {"xls", "application/vnd.ms-excel"},
    {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    {"ppt", "application/vnd.ms-powerpoint"},
    {"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
    {"odt", "application/vnd.oasis.opendocument.text"},
    {"zip", "application/zip"},
    {"gz", "application/gzip"},
    {"zst", "application/zstd"},
    {"tar", "application/x-tar"},
    {"xz", "application/x-xz"},
    {"bz2", "application/x-bzip2"},
    {"7z", "application/x-7z-compressed"},
    {"jar", "application/java-archive"},
    {"apk", "application/vnd.android.package-archive"},
    {"dmg", "application/x-apple-diskimage"},
    {"glb", "model/gltf-binary"},
    {"gltf", "model/gltf+json"},
    {"stl", "model/stl"},
    {"ply", "application/octet-stream"},
    {"pmtiles", "application/vnd.pmtiles"},
    {"mvt", "application/vnd.mapbox-vector-tile"},
    {"sig", "application/pgp-signature"},
    {"asc", "text/plain; charset=utf-8"},
    {"log", "text/plain; charset=utf-8"},
    {"sh", "text/plain; charset=utf-8"},
    {"conf", "text/plain; charset=utf-8"},
    {"swf", "application/x-shockwave-flash"},
    {"cjs", "text/javascript; charset=utf-8"},
    {"usdz", "model/vnd.usdz+zip"},
    {"sqlite", "application/vnd.sqlite3"},
    {"kml", "application/vnd.google-earth.kml+xml"},
    {"gpx", "application/gpx+xml"},
};

// Where bundlers put what they have named, and seldom anything else.
constexpr Text kBundleFolders[] = {"assets", "static", "chunks",    "_astro", "_nuxt",
                                   "build",  "entry",  "immutable", "nodes"};
constexpr Text kCode[] = {"js", "mjs", "css", "wasm", "map", "woff2", "woff"};
// Between the digest and the extension: `main.3f2a1b9c.chunk.js`, `app-3f2a1b9c.js.map`.
constexpr Text kMiddles[] = {".js", ".css", ".chunk", ".min", ".bundle"};

Text extension_of(Text name) {
  const size_t dot = name.find_last('.');
  return dot == Text::kNone || dot == 0 ? Text() : name.from(dot + 1);
}

struct Letters {
  int digits = 0, small = 0, large = 0, hexadecimal = 0, others = 0;
};

Letters letters_of(Text text) {
  Letters letters;
  for (const char c : text) {
    letters.digits += is_digit(c) ? 1 : 0;
    letters.large += is_letter(c) && lower(c) != c ? 1 : 0;
    letters.small += is_letter(c) && lower(c) == c ? 1 : 0;
    letters.hexadecimal += is_digit(c) || (c >= 'a' && c <= 'f') ? 1 : 0;
    letters.others += !is_letter(c) && !is_digit(c) && c != '_' && c != '-' ? 1 : 0;
  }
  return letters;
}

// `3f2a1b9c`: digits and letters of which no word is made.
bool is_hexadecimal_digest(Text token) {
  const Letters letters = letters_of(token);
  return token.size() >= 8 && letters.hexadecimal == static_cast<int>(token.size()) && letters.digits > 0 &&
         letters.small > 0;
}

// `BXk3x2Qd`, `DiwrgTda`, `K7XYZ2AB`: eight letters that look thrown.
bool is_dense_digest(Text token) {
  const Letters letters = letters_of(token);
  if (token.size() != 8 || letters.others > 0) return false;
  const int large_inside = letters.large - letters_of(token.first(1)).large;
  const bool is_mixed = letters.small > 0 && large_inside > 0;
  const bool is_base32 = letters.small == 0 && letters.large > 0 && letters.digits > 0;
  const bool has_digit_inside = letters.small > 0 && letters.digits > 0 && !is_digit(token[7]);
  return is_mixed || is_base32 || has_digit_inside;
}

bool is_in_bundle(Text path) {
  const Text folders = path.first(path.find_last('/') == Text::kNone ? 0 : path.find_last('/'));
  Text rest = folders;
  while (!rest.empty()) {
    const Text part = take_until(rest, '/');
    for (const Text& known : kBundleFolders) {
      if (part == known) return true;
    }
  }
  return false;
}

bool is_code(Text extension) {
  for (const Text& known : kCode) {
    if (extension == known) return true;
  }
  return false;
}

}  // namespace

ContentType content_type_of(Text path) {
  const Text extension = extension_of(file_name(path));
  for (const Row& row : kTypes) {
    if (is_same_word(extension, row.extension)) {
      return {.name = row.type, .is_page = row.type.starts_with("text/html")};
    }
  }
  return {.name = "application/octet-stream"};
}

bool is_named_by_content(Text path) {
  if (path.starts_with("_app/immutable/") || path.starts_with("_next/static/")) return true;
  const Text name = file_name(path), extension = extension_of(name);
  if (extension.empty() || content_type_of(path).is_page) return false;
  Text stem = name.first(name.size() - extension.size() - 1);
  for (const Text& middle : kMiddles) {
    if (stem.ends_with(middle)) stem = stem.first(stem.size() - middle.size());
  }
  const bool may_be_dense = is_code(extension) && is_in_bundle(path);
  // A dense digest may itself hold `-` and `_`, and then stands at a fixed place from the end.
  if (may_be_dense && stem.size() > 9 && (stem[stem.size() - 9] == '-' || stem[stem.size() - 9] == '.') &&
      is_dense_digest(stem.from(stem.size() - 8))) {
    return true;
  }
  size_t begin = stem.size();
  while (begin > 0 && stem[begin - 1] != '.' && stem[begin - 1] != '-' && stem[begin - 1] != '_') --begin;
  return is_hexadecimal_digest(stem.from(begin));
}

}  // namespace whittle::server
