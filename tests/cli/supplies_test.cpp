#include "cli/supplies.hpp"

#include <doctest/doctest.h>

#include "base/text.hpp"
#include "cli/supply_record.hpp"

using namespace whittle;
using cli::is_still_missed;
using cli::supplies_for;
using Kind = plan::Supply::Kind;
using Strings = std::vector<std::string>;

namespace {

// "KIND VALUE" of each.
Strings asked(std::string_view said) {
  const Strings names = {"certificates", "time_zones", "name_service", "services", "terminal", "folder"};
  Strings list;
  for (const plan::Supply& supply : supplies_for(said))
    list.emplace_back(trim(cat(names.at(static_cast<std::size_t>(supply.kind)), " ", supply.value)));
  return list;
}

}  // namespace

TEST_CASE("what whittle has is recognised in the words of those who miss it") {
  CHECK(asked("error setting certificate verify locations:  CAfile: /etc/ssl/certs/ca-certificates.crt CApath: none") ==
        Strings{"certificates /etc/ssl/certs/ca-certificates.crt"});
  CHECK(asked("open /etc/pki/tls/certs/ca-bundle.crt: no such file or directory") ==
        Strings{"certificates /etc/pki/tls/certs/ca-bundle.crt"});
  CHECK(asked("Error: no native root CA certificates found!") == Strings{"certificates"});
  CHECK(asked("panic: unknown time zone Europe/Berlin") == Strings{"time_zones"});
  CHECK(asked("cannot open '/usr/share/zoneinfo/Asia/Tokyo'") == Strings{"time_zones"});
  CHECK(asked("/etc/nsswitch.conf: No such file or directory") == Strings{"name_service"});
  CHECK(asked("lookup tcp/ntp: unknown port") == Strings{"services"});
  CHECK(asked("can't open /etc/protocols") == Strings{"services"});
  CHECK(asked("Error opening terminal: unknown.") == Strings{"terminal"});
  CHECK(asked("Error opening terminal: vt220.") == Strings{"terminal vt220"});
  CHECK(asked("tput: cannot find terminfo entry for 'screen'") == Strings{"terminal screen"});
}

TEST_CASE("folders for what programs write are those around a file that has an ending") {
  CHECK(asked("cannot open /var/run/tool.pid: No such file or directory") == Strings{"folder /var/run"});
  CHECK(asked("chdir(\"/var/lib/tool\"): No such file or directory") == Strings{"folder /var/lib/tool"});
  CHECK(asked("/var/log/a/x.log: No such file or directory\n/var/log/b/x.log: No such file or directory\n") ==
        Strings{"folder /var/log/a", "folder /var/log/b"});
}

TEST_CASE("what is not whittle's to give, and what is no complaint, asks for nothing") {
  CHECK(asked("tool: cannot open '/usr/share/tool/table': No such file or directory").empty());
  CHECK(asked("reading /etc/services\nusing /var/lib/tool\n").empty());
  CHECK(asked("/var/lib/../../etc/shadow: No such file or directory").empty());
  CHECK(asked("").empty());
}

TEST_CASE("each is asked for once, in a fixed order, with the line as the reason") {
  const std::string said = "unknown port\n/etc/ssl/cert.pem: not found\nunknown port\n";
  const std::vector<plan::Supply> supplies = supplies_for(said);
  REQUIRE(supplies.size() == 2);
  CHECK(supplies[0].kind == Kind::certificates);
  CHECK(supplies[0].reason == "when it was run it said `/etc/ssl/cert.pem: not found`");
  CHECK(supplies[1].kind == Kind::services);
  CHECK(supplies_for(cat("unknown port ", std::string(1000, 'x')))[0].reason.size() < 260);
  CHECK(supplies_for("unknown port \x1b[31m")[0].reason.find('\x1b') == std::string::npos);
}

TEST_CASE("a supply has helped when nothing complains of it any more") {
  const plan::Supply zones{Kind::time_zones, "", ""}, folder{Kind::folder, "/var/lib/tool", ""};
  CHECK(is_still_missed(zones, "unknown time zone X"));
  CHECK_FALSE(is_still_missed(zones, "unknown port"));
  CHECK(is_still_missed(folder, "/var/lib/tool: Is a directory"));
  CHECK(is_still_missed(folder, "cannot open /var/lib/tool/data"));
  CHECK_FALSE(is_still_missed(folder, "listening, data in /var/lib/tool"));
  CHECK_FALSE(is_still_missed(folder, "cannot open /var/lib/toolbox"));
}

TEST_CASE("files that are said to be missing are named once") {
  CHECK(cli::files_not_found("b: cannot open '/b'\na: /a: No such file or directory\n/a not found\nall well: /c\n") ==
        Strings{"/a", "/b"});
}

TEST_CASE("what was found to help an image is remembered for it") {
  const TemporaryFolder folder{"/tmp"};
  const cli::SupplyRecords records(folder.path() / "supplies");
  const Digest image = digest_of("image");
  CHECK_FALSE(records.find(image));
  const cli::Supplied supplied{{{Kind::folder, "/var/lib/tool", "why"}, {Kind::services, "", "because"}}, "/tmp"};
  records.remember(image, supplied);
  CHECK(records.find(image) == supplied);
  CHECK_FALSE(records.find(digest_of("another")));
  records.remember(image, {});
  REQUIRE(records.find(image));
  CHECK(records.find(image)->empty());
  write_file(folder.path() / "supplies" / image.hex(), "");
  CHECK_FALSE(records.find(image));
}
