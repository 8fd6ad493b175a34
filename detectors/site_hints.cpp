#include "detectors/site_hints.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "base/toml.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

constexpr int kBroken = static_cast<int>(Exit::detector_failed);

std::string unquoted(std::string_view text) {
  text = trim(text);
  const bool is_quoted =
      text.size() >= 2 && (text.front() == '"' || text.front() == '\'') && text.back() == text.front();
  return std::string(is_quoted ? text.substr(1, text.size() - 2) : text);
}

bool is_on(std::string_view value) {
  const std::string text = lower(value);
  return text == "enabled" || text == "true" || text == "yes" || text == "on" || text == "visible";
}

// `key: value` lines, as much of YAML as such files use.
SiteHint read_staticfile(const std::string& text) {
  SiteHint hint{.file = "Staticfile"};
  std::vector<std::string> ignored;
  int number = 0;
  for (const std::string& raw : split_lines(text)) {
    ++number;
    const std::string_view line = trim(std::string_view(raw).substr(0, raw.find(" #")));
    const std::size_t colon = line.find(':');
    if (line.empty() || line.starts_with('#') || line == "---" || colon == std::string_view::npos) continue;
    const std::string key = lower(trim(line.substr(0, colon))), value = unquoted(line.substr(colon + 1));
    if (key == "root") {
      hint.folder = value;
      hint.line = number;
    } else if (key == "pushstate") {
      hint.is_single_page = is_on(value);
    } else if (is_on(value)) {
      ignored.push_back(key);
    }
  }
  if (!ignored.empty()) hint.warning = cat("Staticfile: ", join(ignored, ", "), " is not done");
  return hint;
}

bool covers_everything(const std::string& pattern) {
  return pattern == "/**" || pattern == "**" || pattern == "/*";
}

SiteHint read_static_json(const std::string& text) {
  const Json json = parse_json(text, "static.json", kBroken);
  SiteHint hint{.file = "static.json"};
  hint.folder = json_member_or<std::string>(json, "root", "public_html", "static.json");
  const Json routes = json_member_or<Json>(json, "routes", Json::object(), "static.json");
  for (const auto& [pattern, target] : routes.items()) {
    hint.is_single_page = hint.is_single_page || (covers_everything(pattern) && target.is_string());
  }
  if (json.contains("proxies")) hint.warning = "static.json: proxies are not done";
  return hint;
}

SiteHint read_firebase_json(const std::string& text) {
  const Json json = parse_json(text, "firebase.json", kBroken);
  SiteHint hint{.file = "firebase.json"};
  const Json hosting = json_member_or<Json>(json, "hosting", Json(), "firebase.json");
  if (!hosting.is_object()) return hint;
  hint.folder = json_member_or<std::string>(hosting, "public", "", "firebase.json");
  for (const Json& rewrite : json_member_or<Json>(hosting, "rewrites", Json::array(), "firebase.json")) {
    const bool is_page = rewrite.is_object() && rewrite.contains("destination");
    hint.is_single_page =
        hint.is_single_page ||
        (is_page && covers_everything(json_member_or<std::string>(rewrite, "source", "", "firebase.json")));
  }
  return hint;
}

SiteHint read_netlify_toml(const std::string& text) {
  const TomlDocument document = parse_toml(text, "netlify.toml", kBroken);
  SiteHint hint{.file = "netlify.toml"};
  const Json build = json_member_or<Json>(document.root, "build", Json::object(), "netlify.toml");
  if (build.is_object()) {
    hint.folder = json_member_or<std::string>(build, "publish", "", "netlify.toml");
    hint.builds = !json_member_or<std::string>(build, "command", "", "netlify.toml").empty();
    hint.line = hint.folder.empty() ? 0 : document.line("/build/publish");
  }
  for (const Json& redirect : json_member_or<Json>(document.root, "redirects", Json::array(), "netlify.toml")) {
    if (!redirect.is_object()) continue;
    hint.is_single_page =
        hint.is_single_page || (covers_everything(json_member_or<std::string>(redirect, "from", "", "netlify.toml")) &&
                                json_member_or<int>(redirect, "status", 301, "netlify.toml") == 200);
  }
  return hint;
}

}  // namespace

std::optional<SiteHint> read_site_hint(const plan::SourceTree& tree) {
  struct Reader {
    const char* file;
    SiteHint (*read)(const std::string& text);
  };
  for (const Reader& reader :
       {Reader{"Staticfile", read_staticfile}, Reader{"static.json", read_static_json},
        Reader{"firebase.json", read_firebase_json}, Reader{"netlify.toml", read_netlify_toml}}) {
    const std::optional<std::string> text = tree.read_if_exists(reader.file);
    if (!text) continue;
    SiteHint hint = reader.read(*text);
    hint.folder = hint.folder.empty() ? "" : joined(".", hint.folder);
    if (hint.folder.starts_with("..") || !is_utf8(hint.folder)) {
      throw failure(hint.file, hint.line, "the site's folder is not inside this tree");
    }
    return hint;
  }
  return std::nullopt;
}

bool has_page_for_all(const plan::SourceTree& tree, const std::string& folder) {
  if (tree.has(joined(folder, "200.html"))) return true;
  const std::optional<std::string> redirects = tree.read_if_exists(joined(folder, "_redirects"));
  for (const std::string& line : split_lines(redirects.value_or(""))) {
    std::vector<std::string> words;
    for (std::string& word : split(trim(line), ' ')) {
      if (!word.empty()) words.push_back(std::move(word));
    }
    if (words.size() >= 3 && words[0] == "/*" && words[1].ends_with(".html") && words[2].starts_with("200"))
      return true;
  }
  return false;
}

}  // namespace whittle::detectors
