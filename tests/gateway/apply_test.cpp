#include <doctest/doctest.h>

#include <fstream>

#include "gateway/audit.hpp"
#include "gateway/upkeep.hpp"
#include "tests/gateway/support.hpp"
#include "tests/support/errors.hpp"

using namespace whittle;
using namespace whittle::gateway;
using whittle::test::error_of;

namespace {

const std::string kBase = noise(40'000, 1);

Bundle first() {
  return {41, {{"sensor", {kBase, noise(9'000, 2)}}, {"web", {kBase, noise(5'000, 3)}}}};
}
Bundle second() {
  return {42, {{"sensor", {kBase, noise(9'100, 4)}}, {"broker", {kBase, noise(3'000, 5)}}}};
}

}  // namespace

TEST_CASE("a first bundle becomes generation 1, and its names appear together") {
  Rig rig;
  Bundle bundle = first();
  const Outcome outcome = rig.apply(bundle);
  CHECK(outcome.generation.number == 1);
  CHECK(bundle.verified == 1);
  CHECK(rig.names() == names_of(bundle));
  CHECK(rig.generations().current() == 1U);
  CHECK(rig.blobs() == bundle.root.blobs.size());
  CHECK(Audit(rig.state->audit()).verify().lines == 1);
}

TEST_CASE("the same bundle again is nothing to do, and reads none of its blobs") {
  Rig rig;
  Bundle bundle = first();
  rig.apply(bundle);
  bundle.carried.given = 0;
  CHECK(rig.apply(bundle).is_unchanged);
  CHECK(bundle.carried.given == 0);
  CHECK(bundle.verified == 1);
  CHECK(rig.generations().numbers().size() == 1);
}

TEST_CASE("an update writes what is new, keeps the former generation, and the third pushes the first out") {
  Rig rig;
  Bundle one = first(), two = second();
  rig.apply(one);
  const Outcome outcome = rig.apply(two);
  CHECK(outcome.staged < kBase.size());
  CHECK(rig.names() == names_of(two));
  CHECK(rig.generations().numbers() == std::vector<std::uint64_t>{1, 2});
  Bundle three(43, {{"sensor", {noise(100, 9)}}});
  rig.apply(three);
  CHECK(rig.generations().numbers() == std::vector<std::uint64_t>{2, 3});
  const oci::BlobStore store(rig.state->store());
  CHECK_FALSE(store.has(digest_of(noise(5'000, 3))));
  CHECK(store.has(digest_of(kBase)));
}

TEST_CASE("what a bundle builds on is looked for before anything is written") {
  Rig rig;
  Bundle two = second().without(first());
  const Error error = error_of([&] { rig.apply(two); });
  CHECK(error.exit() == Exit::refused);
  CHECK(error.details().at(0).find(digest_of(kBase).str()) == 0);
  CHECK(error.details().at(0).find("sensor") != std::string::npos);
  CHECK(error.notes() == std::vector<std::string>{"nothing was changed"});
  CHECK(two.verified == 0);
  CHECK_FALSE(fs::exists(rig.state->store()));
  CHECK_FALSE(fs::exists(rig.state->journal()));

  Bundle one = first();
  rig.apply(one);
  rig.apply(two);
  CHECK(rig.names() == names_of(second()));
}

TEST_CASE("other hardware, another platform and an older epoch are refused, and nothing changes") {
  Rig rig;
  Bundle two = second();
  rig.apply(two);
  const std::string audit = read_file(rig.state->audit()), journal = read_file(rig.state->journal());
  Bundle other = Bundle(50, {{"sensor", {"x"}}});
  SUBCASE("hardware") {
    other.root.compatible = {"acme,gw1", "acme,gw3"};
    CHECK(error_of([&] { rig.apply(other); }).details().at(1).find("acme,gw2") != std::string::npos);
  }
  SUBCASE("platform") {
    other.root.platform = *oci::Platform::parse("linux/s390x");
    CHECK(error_of([&] { rig.apply(other); }).exit() == Exit::refused);
  }
  SUBCASE("older") {
    other = first();
    CHECK(error_of([&] { rig.apply(other); }).message().find("epoch 41 after 42") != std::string::npos);
  }
  SUBCASE("other images with the same epoch") {
    other.root.epoch = 42;
    CHECK(error_of([&] { rig.apply(other); }).exit() == Exit::refused);
  }
  CHECK(read_file(rig.state->audit()) == audit);
  CHECK(read_file(rig.state->journal()) == journal);
  CHECK(rig.names() == names_of(second()));
}

TEST_CASE("a bundle that does not fit is refused with what is short") {
  Rig rig;
  Bundle bundle = first();
  Workshop workshop = rig.workshop();
  workshop.file_system = [](const fs::path&) {
    return FileSystem{.id = 1, .block = 4096, .free_bytes = (16 << 20) + 50'000, .free_inodes = 100};
  };
  const Error bytes = error_of([&] { gateway::apply(workshop, bundle.offer()); });
  CHECK(bytes.exit() == Exit::refused);
  CHECK(bytes.causes().at(0).find("are missing in") != std::string::npos);
  workshop.file_system = [](const fs::path&) {
    return FileSystem{.id = 1, .block = 4096, .free_bytes = 1 << 30, .free_inodes = 3};
  };
  CHECK(error_of([&] { gateway::apply(workshop, bundle.offer()); }).causes().at(0).find("inodes") != std::string::npos);
  CHECK_FALSE(fs::exists(rig.state->store()));
  workshop.file_system = [](const fs::path&) {
    return FileSystem{.id = 1, .block = 4096, .free_bytes = 1 << 30, .free_inodes = 0, .counts_inodes = false};
  };
  gateway::apply(workshop, bundle.offer());
  CHECK(rig.names() == names_of(bundle));
}

TEST_CASE("a stick that is pulled out leaves the old generation, and the next try goes on inside the blob") {
  Rig rig;
  Bundle one = first(), two = second();
  rig.apply(one);
  two.carried.broken_after = 6'000;  // inside the first new layer
  const Error error = error_of([&] { rig.apply(two); });
  CHECK(error.exit() == Exit::transient);
  CHECK(error.causes().size() + 1 > 0);
  CHECK(error.notes().back() == "the apply is incomplete: it stopped at stage; generation 1 is in use, whole");
  CHECK(rig.names() == names_of(one));
  CHECK(read_journal(rig.state->journal())->is_open());

  two.carried.broken_after = ~0ULL;
  const Outcome outcome = rig.apply(two);
  CHECK(outcome.resumed);
  CHECK(outcome.generation.number == 2);
  CHECK(rig.names() == names_of(two));
  std::uint64_t fresh = 0;
  const Bundle update = second().without(first());
  for (const auto& blob : update.root.blobs) fresh += blob.size;
  CHECK(outcome.staged == fresh - 6'000);
}

TEST_CASE("a failed health command brings the former generation back") {
  Rig rig({.health = {"/bin/check"}});
  Bundle one = first(), two = second();
  rig.apply(one);
  rig.answer = [&](const Command& command) {
    CHECK(command.env.at("WHITTLE_GATEWAY_GENERATION") == "2");
    CHECK(rig.names() == names_of(two));  // it sees the new ones
    return FakeRunner::Answer{.status = 3, .error = "no sensor answers\n"};
  };
  const Error error = error_of([&] { rig.apply(two); });
  CHECK(error.exit() == Exit::rolled_back);
  CHECK(error.causes() == std::vector<std::string>{"the health command ended with 3", "no sensor answers"});
  CHECK(error.notes() == std::vector<std::string>{"generation 1 is in use again"});
  CHECK(rig.names() == names_of(one));
  CHECK(rig.generations().current() == 1U);
  CHECK(rig.generations().numbers() == std::vector<std::uint64_t>{1});
  CHECK(rig.blobs() == one.root.blobs.size());
  CHECK(read_journal(rig.state->journal())->ending == Ending::rolled_back);

  rig.answer = [](const Command&) { return FakeRunner::Answer{}; };
  CHECK(rig.apply(two).generation.number == 2);
  CHECK(rig.names() == names_of(two));
}

TEST_CASE("a first generation that is not healthy leaves no names") {
  Rig rig({.health = {"/bin/check"}});
  rig.answer = [](const Command&) { return FakeRunner::Answer{.status = 1}; };
  Bundle one = first();
  CHECK(error_of([&] { rig.apply(one); }).notes().at(0) == "no generation is in use, as before");
  CHECK(rig.names().empty());
  CHECK(rig.blobs() == 0);
  CHECK_FALSE(rig.generations().current());
}

TEST_CASE("an operator goes back and forth, and the epoch stays where it was") {
  Rig rig;
  Bundle one = first(), two = second();
  rig.apply(one);
  CHECK(error_of([&] { roll_back(rig.workshop(), {}); }).exit() == Exit::refused);
  rig.apply(two);
  CHECK(roll_back(rig.workshop(), {}).generation.number == 1);
  CHECK(rig.names() == names_of(one));
  CHECK(rig.generations().numbers() == std::vector<std::uint64_t>{1, 2});
  CHECK(rig.generations().floor()->epoch == 42);
  CHECK(error_of([&] { rig.apply(one); }).exit() == Exit::refused);  // bundle 41 is old, though 1 is in use
  CHECK(roll_back(rig.workshop(), 2).generation.number == 2);
  CHECK(rig.names() == names_of(two));
  CHECK(error_of([&] { roll_back(rig.workshop(), 7); }).exit() == Exit::refused);
  roll_back(rig.workshop(), {});
  CHECK(rig.apply(two).generation.number == 3);  // the bundle of the epoch that was left is taken again
  CHECK(Audit(rig.state->audit()).verify().lines == 6);
}

TEST_CASE("a generation that lost a blob is not gone back to") {
  Rig rig;
  Bundle one = first(), two = second();
  rig.apply(one);
  rig.apply(two);
  const fs::path lost = rig.state->store() / "blobs/sha256" / digest_of(noise(5'000, 3)).hex();
  fs::remove(lost);
  CHECK(error_of([&] { roll_back(rig.workshop(), {}); }).causes().at(0).find("missing") != std::string::npos);
  CHECK(rig.names() == names_of(two));
}

TEST_CASE("another bundle takes the place of one that was interrupted before its commit") {
  Rig rig;
  Bundle one = first(), two = second(), three(43, {{"sensor", {kBase, noise(200, 7)}}});
  rig.apply(one);
  two.carried.broken_after = 6'000;
  CHECK_THROWS_AS(rig.apply(two), Error);
  CHECK(rig.apply(three).generation.images.size() == 1);
  CHECK(rig.names() == names_of(three));
  CHECK(rig.generations().numbers().size() == 2);
  CHECK_FALSE(fs::exists(rig.state->store() / (".partial-" + digest_of(noise(9'100, 4)).hex())));
  roll_back(rig.workshop(), {});
  CHECK(rig.names() == names_of(one));
}

TEST_CASE("a device without room for a former generation keeps one") {
  Rig rig({.retain = 1});
  Bundle one = first(), two = second();
  rig.apply(one);
  rig.apply(two);
  CHECK(rig.generations().numbers() == std::vector<std::uint64_t>{2});
  CHECK(rig.blobs() == two.root.blobs.size());
}

TEST_CASE("zeroed, flipped, short and missing blobs are found, and brought from a bundle") {
  Rig rig;
  Bundle one = first();
  rig.apply(one);
  const auto file = [&](const std::string& content) {
    return rig.state->store() / "blobs/sha256" / digest_of(content).hex();
  };
  // Without a trace in its times, as a failing disk does it.
  const auto damage = [&](const std::string& content, const std::string& becomes) {
    fs::permissions(file(content), fs::perms::owner_all);
    const auto time = fs::last_write_time(file(content));
    std::ofstream(file(content), std::ios::binary) << becomes;
    fs::last_write_time(file(content), time);
  };
  damage(kBase, std::string(kBase.size(), '\0'));
  std::string flipped = noise(9'000, 2);
  flipped[4'000] ^= 1;
  damage(noise(9'000, 2), flipped);
  fs::remove(file(noise(5'000, 3)));
  CHECK(verify(rig.workshop(), false).damage.size() == 1);  // seals tell only what was written to
  const Findings findings = verify(rig.workshop(), true);
  CHECK(findings.damage.size() == 3);

  Bundle part(41, {{"sensor", {kBase, noise(9'000, 2)}}});
  const std::vector<Damage> left = heal(rig.workshop(), part.offer(), findings);
  REQUIRE(left.size() == 1);
  CHECK(left[0].object == cat("blob ", digest_of(noise(5'000, 3)).str()));
  CHECK(heal(rig.workshop(), one.offer(), verify(rig.workshop(), true)).empty());
  CHECK(verify(rig.workshop(), true).damage.empty());
  CHECK(rig.names() == names_of(one));
}

TEST_CASE("a bundle that is here already but for a damaged blob is applied again") {
  Rig rig;
  Bundle one = first();
  rig.apply(one);
  fs::remove(rig.state->store() / "blobs/sha256" / digest_of(kBase).hex());
  const Outcome outcome = rig.apply(one);
  CHECK_FALSE(outcome.is_unchanged);
  CHECK(outcome.staged == kBase.size());
  CHECK(verify(rig.workshop(), true).damage.empty());
}

TEST_CASE("a blob that is rebuilt is written where its pieces are") {
  Rig rig;
  Bundle one = first(), two = second();
  rig.apply(one);
  two.without(one);
  const std::string layer = noise(9'100, 4);
  const oci::Descriptor payload = two.carried.add("patch", "");
  two.carried.blobs.erase(digest_of(layer));
  std::erase_if(two.root.blobs, [&](const auto& blob) { return blob.digest == digest_of(layer); });
  two.root.blobs.push_back({payload.digest, payload.size});
  two.root.rebuilt.push_back({.blob = {digest_of(layer), layer.size()},
                              .payload = payload.digest,
                              .bases = {digest_of(kBase)},
                              .compressor = {},
                              .scratch = 10});
  CHECK(error_of([&] { rig.apply(two); }).exit() == Exit::transient);  // this is no payload
  Workshop workshop = rig.workshop();
  std::string wrong = layer;
  wrong[77] ^= 1;
  const std::string* content = &wrong;
  workshop.rebuild = [&](const bundle::RebuildTask& task, Sink& out, std::stop_token) {
    CHECK(task.payloads.read({.media_type = {}, .digest = task.rebuilt.payload, .size = 5}, 10) == "patch");
    CHECK(task.old.has(task.rebuilt.bases.at(0), kBase.size()));
    CHECK(task.bases[0].size == kBase.size());
    CHECK(fs::is_directory(task.scratch));
    out.write(bytes_of(*content));
  };
  CHECK(error_of([&] { gateway::apply(workshop, two.offer()); }).exit() == Exit::transient);
  CHECK(rig.names() == names_of(first()));
  content = &layer;
  gateway::apply(workshop, two.offer());
  CHECK(rig.names() == names_of(second()));
  CHECK(verify(rig.workshop(), true).damage.empty());
  CHECK_FALSE(fs::exists(rig.state->store() / "blobs/sha256" / payload.digest.hex()));
}

TEST_CASE("a cancelled apply says how to go on") {
  Rig rig;
  Bundle one = first();
  rig.stop.request_stop();
  const Error error = error_of([&] { rig.apply(one); });
  CHECK(error.exit() == Exit::transient);
  CHECK(error.hints().back().find("again") != std::string::npos);
}
