#include "plan/config_keys.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/files.hpp"
#include "base/text.hpp"

namespace whittle::plan {

namespace {

bool holds_only(std::string_view text, std::string_view punctuation) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](unsigned char c) {
    return std::isalnum(c) != 0 || punctuation.find(static_cast<char>(c)) != std::string_view::npos;
  });
}

bool holds_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

template <std::size_t Count>
std::string one_of(std::string_view value, const std::array<std::string_view, Count>& choices) {
  std::string list;
  for (const std::string_view choice : choices) {
    if (value == choice) return {};
    list += cat(list.empty() ? "" : ", ", backticked(choice));
  }
  return cat("must be one of ", list);
}

std::string check_any(std::string_view) {
  return {};
}

std::string check_word(std::string_view value) {
  return holds_only(value, "_-") ? "" : "must be a word of letters, digits, `_` and `-`";
}

// distribution-spec: path components of lower-case letters and digits, joined by `.`, `_`, `__` or `-`.
bool is_name_component(std::string_view part) {
  const auto is_plain = [](unsigned char c) { return std::islower(c) != 0 || std::isdigit(c) != 0; };
  if (part.empty() || !is_plain(static_cast<unsigned char>(part.front()))) return false;
  if (!is_plain(static_cast<unsigned char>(part.back()))) return false;
  if (part.find("..") != std::string_view::npos || part.find("___") != std::string_view::npos) return false;
  return std::all_of(part.begin(), part.end(),
                     [&](unsigned char c) { return is_plain(c) || c == '.' || c == '_' || c == '-'; });
}

std::string check_name(std::string_view value) {
  const std::vector<std::string> parts = split(value, '/');
  for (const std::string& part : parts) {
    const std::size_t colon = part.find(':');
    const bool is_host = parts.size() > 1 && &part == parts.data() && colon != std::string::npos;
    const bool is_good = is_host ? is_name_component(part.substr(0, colon)) && holds_digits(part.substr(colon + 1))
                                 : is_name_component(part);
    if (!is_good) return "must be a repository name in lower case, like `edge/sensor`, without a tag";
  }
  return value.size() <= 255 ? "" : "must be at most 255 characters";
}

std::string check_toolchain(std::string_view value) {
  return one_of<4>(value, {"auto", "zig", "musl", "host"});
}

std::string check_link(std::string_view value) {
  return one_of<2>(value, {"static", "closure"});
}

std::string check_duration(std::string_view value) {
  return parse_duration(value) ? "" : "must be a time, like `90s`, `10m` or `2h`";
}

std::string check_certificates(std::string_view value) {
  return one_of<3>(value, {"auto", "always", "never"});
}

std::string check_python(std::string_view value) {
  return one_of<2>(value, {"imported", "full"});
}

std::string check_java_module(std::string_view value) {
  return !value.empty() && holds_only(value, "._") ? "" : "must be a module of the JDK, like `java.sql`";
}

std::string check_form(std::string_view value) {
  return one_of<4>(value, {"auto", "plain", "chunked", "dual"});
}

std::string check_strict_versions(std::string_view value) {
  return one_of<2>(value, {"always", "never"});
}

std::string check_sandbox(std::string_view value) {
  return one_of<3>(value, {"auto", "required", "off"});
}

std::string check_single_page(std::string_view value) {
  return one_of<3>(value, {"auto", "always", "never"});
}

std::string check_gzip_twin(std::string_view value) {
  return one_of<2>(value, {"always", "never"});
}

std::string check_compression(std::string_view value) {
  const std::size_t colon = value.find(':');
  if (value.substr(0, colon) == "zstd") {
    const auto level =
        colon == std::string_view::npos ? std::optional<std::uint64_t>(3) : parse_number(value.substr(colon + 1));
    if (level && *level >= 1 && *level <= 19) return {};
  }
  return "must be `zstd:LEVEL` with a level of 1 to 19";
}

std::string check_user(std::string_view value) {
  for (const std::string& part : split(value, ':')) {
    if (!holds_only(part, "._-")) return "must be `UID` or `UID:GID`, like `65532:65532`";
  }
  return std::count(value.begin(), value.end(), ':') <= 1 ? "" : "must be `UID` or `UID:GID`, like `65532:65532`";
}

std::string check_signal(std::string_view value) {
  const bool is_name = value.starts_with("SIG") && holds_only(value.substr(3), "+-");
  return is_name || holds_digits(value) ? "" : "must be a signal, like `SIGTERM`";
}

std::string check_port(std::string_view value) {
  const std::size_t slash = value.find('/');
  const std::optional<std::uint64_t> number = parse_number(value.substr(0, slash));
  const std::string_view protocol = slash == std::string_view::npos ? "tcp" : value.substr(slash + 1);
  const bool is_known = protocol == "tcp" || protocol == "udp" || protocol == "sctp";
  return number && *number >= 1 && *number <= 65535 && is_known ? "" : "must be a port, like `8080/tcp`";
}

std::string check_time_zone(std::string_view value) {
  const bool is_inside = confined("/", value).has_value() && value.find("..") == std::string_view::npos;
  return is_inside && holds_only(value, "/_+-") ? "" : "must be `auto`, `all` or a zone, like `Asia/Shanghai`";
}

std::string check_size(std::string_view value) {
  return parse_size(value) ? "" : "must be a size, like `15MB`";
}

std::string check_variable(std::string_view value) {
  const bool is_good = !value.empty() && value.find_first_of(std::string_view("=\0", 2)) == std::string_view::npos;
  return is_good ? "" : "must be the name of an environment variable";
}

std::string check_filled(std::string_view value) {
  return value.empty() || value.find('\0') != std::string_view::npos ? "must not be empty" : "";
}

constexpr std::array<TextKey, 20> kTextKeys = {{
    {"", "name", "WHITTLE_NAME", &Config::name, check_name},
    {"build", "detector", "WHITTLE_DETECTOR", &Config::detector, check_word},
    {"build", "toolchain", "WHITTLE_TOOLCHAIN", &Config::toolchain, check_toolchain},
    {"build", "link", "WHITTLE_LINK", &Config::link, check_link},
    {"build", "strict-versions", "WHITTLE_STRICT_VERSIONS", &Config::strict_versions, check_strict_versions},
    {"build", "sandbox", "WHITTLE_SANDBOX", &Config::sandbox, check_sandbox},
    {"build", "timeout", "WHITTLE_TIMEOUT", &Config::timeout, check_duration},
    {"image", "default", "WHITTLE_DEFAULT", &Config::default_process, check_filled},
    {"image", "user", "WHITTLE_USER", &Config::user, check_user},
    {"image", "workdir", "WHITTLE_WORKDIR", &Config::workdir, check_image_path},
    {"image", "stop-signal", "WHITTLE_STOP_SIGNAL", &Config::stop_signal, check_signal},
    {"image", "certificates", "WHITTLE_CERTIFICATES", &Config::certificates, check_certificates},
    {"image", "python", "WHITTLE_PYTHON", &Config::python, check_python},
    {"site", "folder", "WHITTLE_SITE_FOLDER", &Config::site_folder, check_source_path},
    {"site", "single-page", "WHITTLE_SITE_SINGLE_PAGE", &Config::single_page, check_single_page},
    {"layers", "compression", "WHITTLE_COMPRESSION", &Config::compression, check_compression},
    {"layers", "form", "WHITTLE_FORM", &Config::form, check_form},
    {"layers", "gzip-twin", "WHITTLE_GZIP_TWIN", &Config::gzip_twin, check_gzip_twin},
    {"budget", "compressed", "WHITTLE_BUDGET_COMPRESSED", &Config::budget_compressed, check_size},
    {"budget", "installed", "WHITTLE_BUDGET_INSTALLED", &Config::budget_installed, check_size},
}};

constexpr std::array<ListKey, 7> kListKeys = {{
    {"build", "targets", "WHITTLE_TARGETS", ',', false, &Config::targets, check_filled},
    {"build", "args", "WHITTLE_ARGS", ' ', false, &Config::args, check_any},
    {"build", "network", "", ',', false, &Config::network, check_filled},
    {"image", "ports", "WHITTLE_PORTS", ',', false, &Config::ports, check_port},
    {"image", "timezones", "WHITTLE_TIMEZONES", ',', true, &Config::timezones, check_time_zone},
    {"image", "java-modules", "WHITTLE_JAVA_MODULES", ',', false, &Config::java_modules, check_java_module},
    {"image", "ignore", "", ',', false, &Config::ignore, check_filled},
}};

constexpr std::array<MapKey, 3> kMapKeys = {{
    {"build", "env", &Config::build_env, check_variable},
    {"image", "env", &Config::image_env, check_variable},
    {"image", "labels", &Config::labels, check_filled},
}};

}  // namespace

std::span<const TextKey> text_keys() {
  return kTextKeys;
}

std::span<const ListKey> list_keys() {
  return kListKeys;
}

std::span<const MapKey> map_keys() {
  return kMapKeys;
}

std::optional<std::chrono::seconds> parse_duration(std::string_view text) {
  constexpr std::uint64_t kLongest = 1'000'000;
  if (text.empty()) return std::nullopt;
  const std::optional<std::uint64_t> number = parse_number(text.substr(0, text.size() - 1));
  if (!number || *number == 0 || *number > kLongest) return std::nullopt;
  switch (text.back()) {
    case 's':
      return std::chrono::seconds(*number);
    case 'm':
      return std::chrono::minutes(*number);
    case 'h':
      return std::chrono::hours(*number);
    default:
      return std::nullopt;
  }
}

std::string check_source_path(std::string_view value) {
  while (value.size() > 1 && value.ends_with('/')) value.remove_suffix(1);
  return value == "." || confined("/", value) ? "" : "must be a path inside the source tree";
}

std::string check_image_path(std::string_view value) {
  const std::vector<std::string> parts = split(value, '/');
  const bool climbs = std::find(parts.begin(), parts.end(), "..") != parts.end();
  const bool is_good = value.starts_with('/') && !climbs && value.find('\0') == std::string_view::npos;
  return is_good ? "" : "must be an absolute path without `..`";
}

std::string check_mode(std::string_view value) {
  const bool is_octal = value.find_first_not_of("01234567") == std::string_view::npos;
  const bool is_good = is_octal && (value.size() == 3 || (value.size() == 4 && value[0] <= '7'));
  return is_good ? "" : "must be an octal mode, like `0644`";
}

std::string check_home_path(std::string_view value) {
  return confined("/", value) ? "" : "must be a path below the step's home, like `.npmrc`";
}

std::string check_secret_name(std::string_view value) {
  return check_process_name(value);
}

std::string check_variable_name(std::string_view value) {
  return check_variable(value);
}

std::string check_process_name(std::string_view value) {
  const bool is_good =
      holds_only(value, "._-") && value.size() <= 63 && std::isalnum(static_cast<unsigned char>(value.front())) != 0;
  return is_good ? "" : "must be a name of letters, digits, `.`, `_` and `-`";
}

}  // namespace whittle::plan
