#include <doctest/doctest.h>

#include <fstream>

#include "gateway/audit.hpp"
#include "gateway/journal.hpp"
#include "tests/gateway/support.hpp"
#include "tests/support/errors.hpp"

using namespace whittle;
using namespace whittle::gateway;
using whittle::test::error_of;

TEST_CASE("a device is what it was told to be, also when it is opened again") {
  const TemporaryFolder folder(fs::temp_directory_path());
  const bundle::Trust trust{.set = "line7",
                            .keys = {bundle::SigningKey::generate(bundle::KeyAlgorithm::p256).public_key()}};
  const Device device{.name = "gw-17",
                      .compatible = "acme,gw2",
                      .platform = *oci::Platform::parse("linux/arm/v7"),
                      .adapter = "containerd",
                      .options = {{"namespace", "edge"}},
                      .retain = 3,
                      .reserve = 1000,
                      .health = {"/usr/bin/check", "--all"},
                      .health_seconds = 5};
  StateFolder::create(folder.path() / "s", device, trust);
  const StateFolder state = StateFolder::open(folder.path() / "s");
  CHECK(state.device().platform.str() == "linux/arm/v7");
  CHECK(state.device().options.at("namespace") == "edge");
  CHECK(state.device().health == device.health);
  CHECK(state.device().retain == 3);
  CHECK(state.trust().encode() == trust.encode());

  CHECK(error_of([&] { StateFolder::create(folder.path() / "s", device, trust); }).exit() == Exit::usage);
  CHECK(error_of([&] { StateFolder::open(folder.path()); }).hints().at(0).find("init") != std::string::npos);
  write_file(folder.path() / "s/device.json", std::string(300, '\0'));
  const Error damaged = error_of([&] { StateFolder::open(folder.path() / "s"); });
  CHECK(damaged.exit() == Exit::export_failed);
  CHECK(damaged.message().find("device.json") != std::string::npos);
}

TEST_CASE("a device is changed by one process at a time") {
  Rig rig;
  const FileLock lock = rig.state->lock();
  CHECK(error_of([&] { rig.state->lock(); }).exit() == Exit::transient);
}

TEST_CASE("an unknown adapter or option is named, with what there is") {
  Rig rig;
  CHECK(error_of([&] { Rig other({.adapter = "docker"}); }).hints().at(0).find("containerd") != std::string::npos);
  CHECK(error_of([&] {
          Rig other({.adapter = "k3s", .options = {{"dir", "/x"}}});
        })
            .hints()
            .at(0)
            .find("folder") != std::string::npos);
}

TEST_CASE("a journal is read as it was written") {
  const TemporaryFolder folder(fs::temp_directory_path());
  const fs::path file = folder.path() / "journal.json";
  CHECK_FALSE(read_journal(file));
  for (int step = 0; step <= static_cast<int>(Step::complete); ++step) {
    const Journal journal{.action = Action::rollback,
                          .root = digest_of("x"),
                          .set = "line7",
                          .epoch = 43,
                          .from = 3,
                          .to = 4,
                          .step = static_cast<Step>(step),
                          .ending = Ending::rolled_back,
                          .reason = "a\nb"};
    write_journal(file, journal);
    const auto read = read_journal(file);
    REQUIRE(read);
    CHECK(read->step == journal.step);
    CHECK(read->action == Action::rollback);
    CHECK(read->reason == "a\nb");
    CHECK_FALSE(read->is_open());
  }
}

TEST_CASE("lines of the audit log follow from each other, and a changed one is found") {
  const TemporaryFolder folder(fs::temp_directory_path());
  const fs::path file = folder.path() / "audit.jsonl";
  Audit audit(file);
  CHECK(audit.verify().problem.empty());
  for (int epoch = 1; epoch <= 4; ++epoch) audit.append({{"event", "applied"}, {"epoch", epoch}});
  audit.append({{"event", "applied"}, {"epoch", 4}});  // the same step again
  CHECK(audit.verify().lines == 4);
  CHECK(audit.verify().problem.empty());

  const std::string text = read_file(file);
  SUBCASE("a changed line") {
    std::string changed = text;
    changed.replace(changed.find("\"epoch\":2"), 9, "\"epoch\":7");
    write_file(file, changed);
    CHECK(audit.verify().problem.find("line 3 ") != std::string::npos);
  }
  SUBCASE("a line that is gone") {
    const std::size_t first = text.find('\n') + 1;
    write_file(file, text.substr(0, first) + text.substr(text.find('\n', first) + 1));
    CHECK(audit.verify().problem.find("line 2 ") != std::string::npos);
  }
  SUBCASE("a line that a power cut left unfinished is dropped by the next") {
    write_file(file, text + "{\"event\":\"appl");
    CHECK(audit.verify().lines == 4);
    audit.append({{"event", "applied"}, {"epoch", 5}});
    CHECK(audit.verify().lines == 5);
    CHECK(audit.verify().problem.empty());
  }
}
