// What a program expects of any Linux system: accounts, a place for temporary files, certificates, time zones.
#include <algorithm>
#include <array>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "layers/root_builder.hpp"

namespace whittle::layers {

namespace {

constexpr std::string_view kZonesPath = "/usr/share/zoneinfo";
constexpr std::string_view kCertificatesPath = "/etc/ssl/certs/ca-certificates.crt";

Entry base_entry(File file, std::string_view what, std::string reason) {
  return {.node = std::move(file), .mode = 0644, .origin = cat("whittle, ", what), .reason = std::move(reason)};
}

struct Account {
  std::uint32_t user = 0, group = 0;
};

std::optional<std::uint32_t> identifier(std::string_view text) {
  if (text == "root") return 0;
  if (text == "nonroot") return 65532;
  const std::optional<std::uint64_t> number = parse_number(text);
  // The last one is the kernel's "no change".
  if (!number || *number >= 0xFFFFFFFF) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

Account parse_user(const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::optional<std::uint32_t> user = identifier(std::string_view(text).substr(0, colon));
  const std::optional<std::uint32_t> group =
      colon == std::string::npos ? user : identifier(std::string_view(text).substr(colon + 1));
  if (user && group) return {.user = *user, .group = colon == std::string::npos && *user != 65532 ? 0 : *group};
  Error error(Exit::usage, cat("the user ", backticked(text), " is not known in the image"));
  error.cause("a scratch image has the users `root` and `nonroot` (65532) alone");
  throw error.hint("give the user by number, like `user = \"1000:1000\"`");
}

void add_accounts(RootBuilder& root, const plan::ImageSettings& image, const plan::RuntimeNeeds& needs) {
  std::string users = "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n";
  std::string groups = "root:x:0:\nnonroot:x:65532:\n";
  if (!image.user.empty()) {
    const Account account = parse_user(image.user);
    if (account.user != 0 && account.user != 65532) {
      users += cat("user:x:", account.user, ":", account.group, ":user:/:/sbin/nologin\n");
    }
    if (account.group != 0 && account.group != 65532) groups += cat("user:x:", account.group, ":\n");
  }
  const std::string reason =
      needs.name_service.empty() ? "always: programs and runtimes look up the user" : needs.name_service;
  root.add_if_absent("/etc/passwd", base_entry(text_file(users), "accounts", reason));
  root.add_if_absent("/etc/group", base_entry(text_file(groups), "accounts", reason));
}

void add_certificates(RootBuilder& root, const plan::ImageSettings& image, const plan::RuntimeNeeds& needs,
                      const fs::path& host) {
  const bool is_forced = image.certificates == "always";
  if (image.certificates == "never" || (!is_forced && needs.certificates.empty())) return;
  const std::string reason = is_forced ? "certificates = \"always\"" : needs.certificates;
  if (!fs::exists(host)) {
    Error error(Exit::input_unavailable,
                cat("the CA certificates ", backticked(host.native()), " are not on this host"));
    error.detail(cat("needed: ", reason));
    throw error.hint(
        "install them: apt-get install ca-certificates; or set `certificates = \"never\"` in whittle.toml");
  }
  root.add_if_absent(kCertificatesPath, base_entry(hashed_file(host), "CA certificates", reason));
}

bool is_zone(const fs::path& file) {
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) return false;
  FileSource source(file);
  std::array<std::byte, 4> start{};
  return source.read(start) == start.size() && text_of(start) == "TZif";
}

// Names below the folder, without the copies in other notations and what is no zone.
std::vector<std::string> all_zones(const fs::path& folder) {
  constexpr std::array<std::string_view, 4> kLeftOut = {"posix", "right", "localtime", "posixrules"};
  std::vector<std::string> names;
  std::error_code problem;
  fs::recursive_directory_iterator entry(folder, problem);
  for (; !problem && entry != fs::recursive_directory_iterator(); entry.increment(problem)) {
    if (entry.depth() == 0 && std::count(kLeftOut.begin(), kLeftOut.end(), entry->path().filename().native()) > 0) {
      entry.disable_recursion_pending();
      continue;
    }
    if (is_zone(entry->path())) names.push_back(entry->path().lexically_relative(folder).native());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Error no_zones(const fs::path& folder, const std::string& reason) {
  Error error(Exit::input_unavailable, cat("the time zones ", backticked(folder.native()), " are not on this host"));
  error.detail(cat("needed: ", reason));
  error.hint("install them: apt-get install tzdata; or set `timezones = []` in whittle.toml");
  return error;
}

void add_zone(RootBuilder& root, const std::string& name, const std::string& reason, const fs::path& folder) {
  root.add_if_absent(cat(kZonesPath, "/", name), base_entry(hashed_file(folder / name), "time zones", reason));
}

void add_named_zone(RootBuilder& root, const std::string& name, const std::string& reason, const fs::path& folder) {
  const std::optional<fs::path> file = confined(folder, name);
  if (file && is_zone(*file)) return add_zone(root, name, reason, folder);
  const std::vector<std::string> known = all_zones(folder);
  if (known.empty()) throw no_zones(folder, reason);
  Error error(Exit::usage, cat("there is no time zone ", backticked(name)));
  error.detail(cat("needed: ", reason));
  if (const std::optional<std::string> near = nearest(name, known))
    error.hint(cat("did you mean ", backticked(*near), "?"));
  throw error;
}

void add_all_zones(RootBuilder& root, const std::string& reason, const fs::path& folder) {
  const std::vector<std::string> names = all_zones(folder);
  if (names.empty()) throw no_zones(folder, reason);
  for (const std::string& name : names) add_zone(root, name, reason, folder);
}

// TZ may also hold a rule ("CET-1CEST") or a file's path, which need no zoneinfo.
bool names_a_zone(const std::string& value) {
  return !value.empty() && value.find_first_of(",:") == std::string::npos && value.front() != '/' &&
         (value.find('/') != std::string::npos || value.find_first_of("0123456789+-<") == std::string::npos);
}

void add_time_zones(RootBuilder& root, const plan::ImageSettings& image, const plan::RuntimeNeeds& needs,
                    const fs::path& folder) {
  const std::set<std::string> wanted(image.timezones.begin(), image.timezones.end());
  for (const std::string& name : wanted) {
    if (name != "auto" && name != "all") add_named_zone(root, name, "named by `timezones`", folder);
  }
  if (wanted.contains("all")) return add_all_zones(root, "timezones = \"all\"", folder);
  const auto zone = image.env.find("TZ");
  const bool has_zone = zone != image.env.end() && names_a_zone(zone->second);
  if (has_zone && !wanted.empty()) return add_named_zone(root, zone->second, "TZ in the image's environment", folder);
  if (wanted.contains("auto") && wanted.size() == 1 && !needs.time_zones.empty()) {
    add_all_zones(root, needs.time_zones, folder);
  }
}

// The terminals that runtimes give (`run -t`), and the one that was asked for.
std::vector<std::string> terminals_of(const plan::Supply& supply) {
  std::vector<std::string> names = {"xterm", "xterm-256color"};
  if (std::find(names.begin(), names.end(), supply.value) == names.end() && !supply.value.empty())
    names.push_back(supply.value);
  return names;
}

// ncurses files an entry under its first letter (term(5)).
std::optional<fs::path> terminal_file(const std::string& name, const BaseFacts& facts) {
  if (name.find('/') != std::string::npos) return std::nullopt;
  std::error_code ignored;
  for (const fs::path& folder : facts.terminals) {
    fs::path file = folder / name.substr(0, 1) / name;
    if (fs::is_regular_file(file, ignored)) return file;
  }
  return std::nullopt;
}

void add_supply(RootBuilder& root, const plan::Supply& supply, const plan::ImageSettings& image,
                const BaseFacts& facts) {
  using Kind = plan::Supply::Kind;
  const auto text = [&](std::string_view path, std::string content) {
    root.add_if_absent(path, base_entry(text_file(std::move(content)), "name service", supply.reason));
  };
  const auto copy = [&](const std::string& path, const fs::path& file, std::string_view what) {
    std::error_code ignored;
    if (fs::is_regular_file(file, ignored))
      root.add_if_absent(path, base_entry(hashed_file(file), what, supply.reason));
  };
  if (supply.kind == Kind::name_service) {
    text("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n");
    text("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n");
  } else if (supply.kind == Kind::services) {
    copy("/etc/services", facts.services, "services");
    copy("/etc/protocols", facts.protocols, "services");
  } else if (supply.kind == Kind::terminal) {
    for (const std::string& name : terminals_of(supply)) {
      if (const auto file = terminal_file(name, facts))
        copy(cat("/usr/share/terminfo/", name.substr(0, 1), "/", name), *file, "terminals");
    }
  } else if (supply.kind == Kind::certificates && !supply.value.empty() && image.certificates != "never") {
    copy(supply.value, facts.certificates, "CA certificates");
  } else if (supply.kind == Kind::folder) {
    const Account owner = image.user.empty() ? Account{} : parse_user(image.user);
    root.add_if_absent(supply.value, {.node = Folder{},
                                      .mode = 0755,
                                      .uid = owner.user,
                                      .gid = owner.group,
                                      .origin = "whittle, folder",
                                      .reason = supply.reason});
  }
}

// What running the program has shown counts like what its file shows.
plan::RuntimeNeeds with_supplies(plan::RuntimeNeeds needs, const plan::ImageSettings& image) {
  for (const plan::Supply& supply : image.supplies) {
    if (supply.kind == plan::Supply::Kind::certificates && needs.certificates.empty())
      needs.certificates = supply.reason;
    if (supply.kind == plan::Supply::Kind::time_zones && needs.time_zones.empty()) needs.time_zones = supply.reason;
  }
  return needs;
}

}  // namespace

bool BaseFacts::has(const plan::Supply& supply) const {
  std::error_code ignored;
  switch (supply.kind) {
    case plan::Supply::Kind::certificates:
      return fs::exists(certificates, ignored);
    case plan::Supply::Kind::time_zones:
      return fs::is_directory(time_zones, ignored);
    case plan::Supply::Kind::services:
      return fs::exists(services, ignored);
    case plan::Supply::Kind::terminal:
      return terminal_file("xterm", *this).has_value();
    case plan::Supply::Kind::name_service:
    case plan::Supply::Kind::folder:
      break;
  }
  return true;
}

void add_base_facts(RootBuilder& root, const plan::ImageSettings& image, const plan::RuntimeNeeds& seen,
                    const BaseFacts& facts) {
  const plan::RuntimeNeeds needs = with_supplies(seen, image);
  add_accounts(root, image, needs);
  root.add_if_absent("/tmp", {.node = Folder{},
                              .mode = 01777,
                              .origin = "whittle, temporary files",
                              .reason = "always: it costs a few bytes"});
  add_certificates(root, image, needs, facts.certificates);
  add_time_zones(root, image, needs, facts.time_zones);
  for (const plan::Supply& supply : image.supplies) add_supply(root, supply, image, facts);
}

}  // namespace whittle::layers
