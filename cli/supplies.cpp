#include "cli/supplies.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "base/text.hpp"

namespace whittle::cli {

namespace {

using plan::Supply;
using Kind = Supply::Kind;

constexpr std::size_t kMostFiles = 8;
constexpr std::size_t kLongestReason = 200;

bool speaks_of_absence(std::string_view small) {
  for (const std::string_view sign :
       {"no such file", "not found", "cannot open", "can't open", "could not open", "cannot find", "does not exist",
        "unable to open", "failed to open", "cannot access", "could not find"}) {
    if (small.find(sign) != std::string_view::npos) return true;
  }
  return false;
}

// A complaint about something whose path need not be in it.
struct Complaint {
  Kind kind;
  std::string_view words;  // in small letters
};
constexpr std::array kComplaints = {
    Complaint{Kind::certificates, "error setting certificate verify locations"},
    Complaint{Kind::certificates, "error setting certificate file"},
    Complaint{Kind::certificates, "no native root ca certificates found"},
    Complaint{Kind::certificates, "no root certificates"},
    Complaint{Kind::certificates, "no ca certificates"},
    Complaint{Kind::certificates, "no certificates found"},
    Complaint{Kind::certificates, "unable to get local issuer certificate"},
    Complaint{Kind::certificates, "certificate signed by unknown authority"},
    Complaint{Kind::certificates, "could not load platform certs"},
    Complaint{Kind::certificates, "could not load ca certificates"},
    Complaint{Kind::certificates, "failed to load ca certificates"},
    Complaint{Kind::time_zones, "unknown time zone"},
    Complaint{Kind::time_zones, "no time zone found with key"},
    Complaint{Kind::time_zones, "cannot locate zone"},
    Complaint{Kind::time_zones, "failed to find time zone"},
    Complaint{Kind::time_zones, "tzdb: cannot"},
    Complaint{Kind::services, "unknown service"},
    Complaint{Kind::services, "unknown port"},
    Complaint{Kind::services, "servname not supported"},
    Complaint{Kind::services, "unknown protocol"},
    Complaint{Kind::terminal, "error opening terminal"},
    Complaint{Kind::terminal, "terminals database is inaccessible"},
    Complaint{Kind::terminal, "terminal database is inaccessible"},
    Complaint{Kind::terminal, "cannot find terminfo entry"},
    Complaint{Kind::terminal, "could not find terminal"},
    Complaint{Kind::terminal, "terminal entry not found"},
    Complaint{Kind::terminal, "missing or unsuitable terminal"},
};

// A file that is not there, by the beginning of its path.
struct Place {
  Kind kind;
  std::string_view start;
};
constexpr std::array kPlaces = {
    Place{Kind::certificates, "/etc/ssl/"},
    Place{Kind::certificates, "/etc/pki/"},
    Place{Kind::certificates, "/etc/ca-certificates"},
    Place{Kind::certificates, "/usr/share/ca-certificates"},
    Place{Kind::certificates, "/usr/local/share/certs"},
    Place{Kind::time_zones, "/usr/share/zoneinfo"},
    Place{Kind::time_zones, "/usr/lib/zoneinfo"},
    Place{Kind::name_service, "/etc/nsswitch.conf"},
    Place{Kind::name_service, "/etc/hosts"},
    Place{Kind::services, "/etc/services"},
    Place{Kind::services, "/etc/protocols"},
    Place{Kind::terminal, "/usr/share/terminfo"},
    Place{Kind::terminal, "/lib/terminfo"},
    Place{Kind::terminal, "/etc/terminfo"},
    Place{Kind::terminal, "/usr/lib/terminfo"},
};

// Where programs keep what they write, and where nothing of anybody else's is.
constexpr std::array<std::string_view, 7> kStateFolders = {"/run/",       "/var/run/",   "/var/lib/", "/var/log/",
                                                           "/var/cache/", "/var/spool/", "/var/tmp/"};

std::string reason_of(std::string_view line) {
  std::string text = printable(trim(line));
  if (text.size() > kLongestReason) text = cat(text.substr(0, text.rfind(' ', kLongestReason)), " …");
  return cat("when it was run it said ", backticked(text));
}

std::set<std::string> paths_in(std::string_view line) {
  std::set<std::string> paths;
  for (std::size_t at = line.find('/'); at != std::string_view::npos; at = line.find('/', at)) {
    const std::size_t end = std::min(line.find_first_of(" \t:;,'\"`()<>[]", at), line.size());
    const bool begins = at == 0 || std::string_view(" \t:'\"`(<[=").find(line[at - 1]) != std::string_view::npos;
    std::string path(line.substr(at, end - at));
    while (path.size() > 1 && (path.ends_with('/') || path.ends_with('.'))) path.pop_back();
    if (begins && path.size() > 1) paths.insert(std::move(path));
    at = std::max(end, at + 1);
  }
  return paths;
}

// The folder that is missing when `path` is: of a file that is about to be made, the one around it.
std::string folder_for(const std::string& path) {
  const bool is_state = std::any_of(kStateFolders.begin(), kStateFolders.end(),
                                    [&](std::string_view folder) { return cat(path, "/").starts_with(folder); });
  if (!is_state || path.find("/../") != std::string::npos) return {};
  const std::size_t slash = path.rfind('/');
  const bool is_file = path.find('.', slash) != std::string::npos;
  return is_file && slash > 0 ? path.substr(0, slash) : path;
}

// "Error opening terminal: vt220." and "cannot find terminfo entry for 'vt220'".
std::string terminal_in(std::string_view line) {
  for (const std::string_view start : {"terminal: ", "entry for '", "TERM="}) {
    const std::size_t at = line.find(start);
    if (at == std::string_view::npos) continue;
    const std::string_view rest = line.substr(at + start.size());
    std::string name(rest.substr(0, rest.find_first_of(" '.\"\t")));
    if (name != "unknown") return name;
  }
  return {};
}

void look_at(std::string_view line, std::vector<Supply>& found) {
  const std::string small = lower(line);
  const auto want = [&](Kind kind, std::string value = {}) {
    const bool is_known = std::any_of(found.begin(), found.end(), [&](const Supply& one) {
      return one.kind == kind && (kind != Kind::folder || one.value == value);
    });
    if (!is_known) found.push_back({kind, std::move(value), reason_of(line)});
  };
  for (const Complaint& complaint : kComplaints) {
    if (small.find(complaint.words) == std::string::npos) continue;
    std::string value = complaint.kind == Kind::terminal ? terminal_in(line) : "";
    for (const std::string& path : complaint.kind == Kind::certificates ? paths_in(line) : std::set<std::string>{}) {
      if (path.ends_with(".crt") || path.ends_with(".pem")) value = path;
    }
    want(complaint.kind, std::move(value));
    return;
  }
  if (!speaks_of_absence(small)) return;
  for (const std::string& path : paths_in(line)) {
    const auto place =
        std::find_if(kPlaces.begin(), kPlaces.end(), [&](const Place& one) { return path.starts_with(one.start); });
    if (place != kPlaces.end()) {
      const bool is_bundle = place->kind == Kind::certificates && (path.ends_with(".crt") || path.ends_with(".pem"));
      want(place->kind, is_bundle ? path : "");
    } else if (std::string folder = folder_for(path); !folder.empty()) {
      want(Kind::folder, std::move(folder));
    }
  }
}

}  // namespace

std::vector<Supply> supplies_for(std::string_view said) {
  std::vector<Supply> found;
  for (const std::string& line : split_lines(said)) look_at(line, found);
  std::stable_sort(found.begin(), found.end(), [](const Supply& a, const Supply& b) { return a.kind < b.kind; });
  return found;
}

bool is_still_missed(const Supply& supply, std::string_view said) {
  const std::vector<Supply> missed = supplies_for(said);
  if (supply.kind != Kind::folder) {
    return std::any_of(missed.begin(), missed.end(), [&](const Supply& one) { return one.kind == supply.kind; });
  }
  // Whatever else is wrong with the path, an empty folder was not what it wanted.
  for (const std::string& line : split_lines(said)) {
    const std::set<std::string> paths = paths_in(line);
    const bool is_named = std::any_of(paths.begin(), paths.end(), [&](const std::string& path) {
      return cat(path, "/").starts_with(cat(supply.value, "/"));
    });
    const std::string small = lower(line);
    const bool complains = speaks_of_absence(small) || small.find("is a directory") != std::string::npos ||
                           small.find("permission denied") != std::string::npos ||
                           small.find("read-only") != std::string::npos || small.find("error") != std::string::npos;
    if (is_named && complains) return true;
  }
  return false;
}

std::vector<std::string> files_not_found(std::string_view said) {
  std::set<std::string> files;
  for (const std::string& line : split_lines(said)) {
    if (!speaks_of_absence(lower(line))) continue;
    for (const std::string& path : paths_in(line)) {
      if (files.size() < kMostFiles) files.insert(path);
    }
  }
  return {files.begin(), files.end()};
}

std::string description_of(const Supply& supply) {
  switch (supply.kind) {
    case Kind::certificates:
      return "the CA roots";
    case Kind::time_zones:
      return "the time zones";
    case Kind::name_service:
      return "/etc/nsswitch.conf and /etc/hosts";
    case Kind::services:
      return "/etc/services and /etc/protocols";
    case Kind::terminal:
      return "descriptions of terminals";
    case Kind::folder:
      break;
  }
  return cat("the folder ", backticked(supply.value));
}

std::string setting_for(const Supply& supply) {
  if (supply.kind == Kind::certificates) return "certificates = \"always\"";
  if (supply.kind == Kind::time_zones) return "timezones = [\"all\"]";
  return {};
}

}  // namespace whittle::cli
