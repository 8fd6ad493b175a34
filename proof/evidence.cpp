#include "proof/evidence.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "base/text.hpp"
#include "proof/text_scan.hpp"

namespace whittle::proof {

namespace {

enum class Sign {
  certificates,
  time_zone_folder,
  time_zone_by_name,  // by itself enough
  time_zones_embedded,
  zone_area,
  name_service,
  name_service_switch,
  glibc,
  shared_library,
  no_dynamic_loading,
  certificate_file,
};

struct Rule {
  std::string_view text;
  Sign sign;
  bool whole = false;  // the text stands alone between zero bytes
};

// Function names of Go programs stand in their line tables, also in stripped ones, and only functions
// that can be reached are linked.
constexpr std::array kRules = {
    Rule{"crypto/x509.loadSystemRoots", Sign::certificates, true},
    Rule{"/etc/ssl/certs/ca-certificates.crt", Sign::certificates},
    Rule{"/etc/pki/tls/certs/ca-bundle.crt", Sign::certificates},
    Rule{"/etc/ssl/cert.pem", Sign::certificates},
    Rule{"SSL_CERT_FILE", Sign::certificates},
    Rule{"time.LoadLocation", Sign::time_zone_by_name, true},
    Rule{"time/tzdata.loadFromEmbeddedTZData", Sign::time_zones_embedded, true},
    Rule{"tzdata.zi", Sign::time_zone_by_name},
    Rule{"/usr/share/zoneinfo", Sign::time_zone_folder},
    Rule{"Africa/", Sign::zone_area},
    Rule{"America/", Sign::zone_area},
    Rule{"Antarctica/", Sign::zone_area},
    Rule{"Asia/", Sign::zone_area},
    Rule{"Atlantic/", Sign::zone_area},
    Rule{"Australia/", Sign::zone_area},
    Rule{"Europe/", Sign::zone_area},
    Rule{"Indian/", Sign::zone_area},
    Rule{"Pacific/", Sign::zone_area},
    Rule{"/etc/nsswitch.conf", Sign::name_service_switch},
    Rule{"/etc/passwd", Sign::name_service},
    Rule{"/etc/group", Sign::name_service},
    Rule{"/etc/hosts", Sign::name_service},
    Rule{"glibc-ld.so.cache", Sign::glibc},
    Rule{".so", Sign::shared_library},
    Rule{"Dynamic loading not supported", Sign::no_dynamic_loading, true},
    Rule{"/cert.pem", Sign::certificate_file},
};

// A program that brings the whole database has some six hundred names in it, one that asks for zones a few.
constexpr std::size_t kNamesOfADatabase = 100;

bool is_zone_name(std::string_view run, std::string_view area) {
  const std::size_t at = run.find(area);
  const std::string_view rest = run.substr(at + area.size());
  return !rest.empty() && rest[0] >= 'A' && rest[0] <= 'Z';
}

// `libfoo.so`, `libfoo.so.6`, `plugins/%s.so`: what a program would hand to dlopen.
bool is_library_name(std::string_view run) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_%./+-";
  if (run.size() > 100 || run.find_first_not_of(kAllowed) != std::string_view::npos) return false;
  const std::size_t suffix = run.rfind(".so");
  if (suffix == 0 || run.find_first_not_of(".0123456789", suffix + 3) != std::string_view::npos) return false;
  const bool is_path = run.find('/') != std::string_view::npos || run.find('%') != std::string_view::npos;
  return run.starts_with("lib") || is_path;
}

// Every static program of glibc names some of these, OpenSSL the last.
bool is_named_by_c_library(std::string_view run) {
  constexpr std::array<std::string_view, 5> kNames = {"libc.so", "libidn2.so", "libnss_", "libgcc_s.so", "ld-"};
  return run == "lib%s.so" || run.starts_with("/etc/ld.so") || run.starts_with("/lib") ||
         std::any_of(kNames.begin(), kNames.end(), [&](std::string_view name) { return run.starts_with(name); });
}

struct Collected {
  std::string certificates, zone_folder, zone_by_name, name_service, name_service_switch, library, no_loading, openssl;
  bool zones_embedded = false, is_glibc = false;
  std::set<std::string, std::less<>> zones;

  static void keep_first(std::string& place, std::string_view text) {
    if (place.empty()) place = text;
  }

  void add(const TextMatch& match) {
    const Rule& rule = kRules[match.pattern];
    if (rule.whole && !match.is_whole) return;
    switch (rule.sign) {
      case Sign::certificates:
        return keep_first(certificates, rule.text);
      case Sign::time_zone_folder:
        return keep_first(zone_folder, rule.text);
      case Sign::time_zone_by_name:
        return keep_first(zone_by_name, rule.text);
      case Sign::time_zones_embedded:
        zones_embedded = true;
        return;
      case Sign::zone_area:
        if (zones.size() < kNamesOfADatabase && is_zone_name(match.run, rule.text)) zones.emplace(match.run);
        return;
      case Sign::name_service:
        return keep_first(name_service, rule.text);
      case Sign::name_service_switch:
        return keep_first(name_service_switch, rule.text);
      case Sign::glibc:
        is_glibc = true;
        return;
      case Sign::shared_library:
        if (match.ends_at_zero && is_library_name(match.run) && !is_named_by_c_library(match.run)) {
          keep_first(library, match.run);
        }
        return;
      case Sign::no_dynamic_loading:
        return keep_first(no_loading, rule.text);
      case Sign::certificate_file:
        if (match.ends_at_zero && match.run.front() == '/' && match.run.ends_with(rule.text)) {
          keep_first(openssl, match.run.substr(0, match.run.size() - rule.text.size()));
        }
        return;
    }
  }
};

std::string time_zone_evidence(const Collected& seen, bool is_go) {
  if (seen.zones_embedded) return {};
  if (!seen.zone_by_name.empty()) return seen.zone_by_name;
  if (is_go || seen.zone_folder.empty()) return {};
  if (seen.zones.empty() || seen.zones.size() >= kNamesOfADatabase) return {};
  return *seen.zones.begin();
}

}  // namespace

Evidence find_evidence(const fs::path& file, const ElfFile& elf) {
  std::array<std::string_view, kRules.size()> patterns;
  std::transform(kRules.begin(), kRules.end(), patterns.begin(), [](const Rule& rule) { return rule.text; });
  Collected seen;
  scan_texts(file, elf.loaded, patterns, [&](const TextMatch& match) { seen.add(match); });

  Evidence evidence;
  evidence.certificates = seen.certificates;
  evidence.time_zones = time_zone_evidence(seen, elf.is_go);
  evidence.name_service = seen.name_service_switch.empty() ? seen.name_service : seen.name_service_switch;
  evidence.is_static_glibc = seen.is_glibc && !elf.interpreter;
  if (evidence.is_static_glibc) evidence.name_service_switch = seen.name_service_switch;
  if (!elf.is_go) evidence.loads_libraries = seen.library.empty() ? seen.no_loading : seen.library;
  if (!seen.certificates.empty() && !elf.is_go && !seen.openssl.starts_with("/etc/ssl")) {
    evidence.openssl_folder = seen.openssl;
  }
  return evidence;
}

}  // namespace whittle::proof
