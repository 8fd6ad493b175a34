#include "bundle/delta.hpp"

#include "base/tar.hpp"
#include "base/zstd_frames.hpp"
#include "bundle/delta_payload.hpp"
#include "tests/bundle/delta_support.hpp"
#include "tests/support/errors.hpp"

using namespace whittle;
using namespace whittle::bundle;
using layers::LayerForm;
using test::error_of;

namespace {

std::string edited(std::string text, std::mt19937& random) {
  for (unsigned edit = 1 + random() % 4; edit > 0; --edit) {
    const std::size_t at = random() % (text.size() + 1), size = random() % 200;
    if (random() % 2 == 0)
      text.insert(at, noise(size, random()));
    else
      text.erase(at, size);
  }
  return text;
}

}  // namespace

TEST_CASE("a small change of a program makes a small payload, and the very blob") {
  DeltaRig rig;
  const Tree old = {{"bin/app", program(150'000, 1)}}, fresh = {{"bin/app", program(150'000, 1, 600'000)}};
  for (const LayerForm form : {LayerForm::plain, LayerForm::chunked}) {
    for (const int level : form == LayerForm::plain ? std::vector{3, 19} : std::vector{3}) {
      const oci::Descriptor target = rig.layer(fresh, form, level);
      const std::uint64_t size = rig.delta_size(target, {rig.layer(old, form, level)});
      MESSAGE(size, " of ", target.size);
      CHECK(size > 0);
      CHECK(size < target.size / 10);
    }
  }
}

TEST_CASE("forms and levels of old and new layers need not be the same") {
  DeltaRig rig;
  const Tree old = {{"bin/app", program(200'000, 2)}}, fresh = {{"bin/app", program(200'000, 2, 800'000)}};
  const oci::Descriptor target = rig.layer(fresh, LayerForm::chunked, 7);
  CHECK(rig.delta_size(target, {rig.layer(old, LayerForm::plain, 3)}) > 0);
  oci::Descriptor unannotated = target;
  unannotated.annotations.clear();
  CHECK(rig.delta_size(unannotated, {rig.layer(old, LayerForm::plain, 3)}) > 0);
}

TEST_CASE("trees with random edits come back to the byte") {
  std::mt19937 random(3);
  DeltaRig rig;
  for (int round = 0; round < 12; ++round) {
    Tree old, fresh;
    for (int i = 0; i < 30; ++i) {
      const std::string path = cat("folder", i % 3, "/file-", random() % 1000, ".", i);
      old[path] = i % 5 == 0 ? std::string() : noise(random() % 30'000, random());
    }
    std::string last = "x";
    for (const auto& [path, text] : old) {
      switch (random() % 6) {
        case 0:
          break;  // gone
        case 1:
          fresh[path] = edited(text, random);
          break;
        case 2:
          fresh["moved/" + path] = text;
          break;
        case 3:
          fresh[path] = last;  // another's content
          break;
        default:
          fresh[path] = text;
      }
      last = text;
    }
    fresh["folder0/new"] = noise(5000, random());
    const LayerForm form = round % 2 == 0 ? LayerForm::plain : LayerForm::chunked;
    const oci::Descriptor target = rig.layer(fresh, form);
    const std::uint64_t size = rig.delta_size(target, {rig.layer(old, form)});
    CHECK(size > 0);
    CHECK(size < target.size / 2);
  }
}

TEST_CASE("of many files that stay, nothing need be said") {
  DeltaRig rig;
  Tree old;
  for (int i = 0; i < 2000; ++i)
    old[cat("lib/package", i % 40, "/module", i, ".py")] = program(50 + i % 90, static_cast<std::uint32_t>(i));
  Tree fresh = old;
  fresh["lib/package7/module7.py"] += "# one line more\n";
  for (const LayerForm form : {LayerForm::plain, LayerForm::chunked}) {
    const std::uint64_t size = rig.delta_size(rig.layer(fresh, form), {rig.layer(old, form)});
    MESSAGE("one of 2,000 files changed: ", size);
    CHECK(size > 0);
    CHECK(size < 2500);
  }
}

TEST_CASE("files are found in whichever base has them, and bases without use are not asked for") {
  DeltaRig rig;
  const oci::Descriptor one = rig.layer({{"one", noise(50'000, 1)}}), two = rig.layer({{"two", noise(60'000, 2)}}),
                        useless = rig.layer({{"else", "x"}});
  const oci::Descriptor target = rig.layer({{"one", noise(50'000, 1)}, {"two", noise(60'000, 2)}});
  const std::optional<MadeDelta> made = rig.make(target, {one, useless, two});
  REQUIRE(made);
  CHECK(made->rebuilt.bases == std::vector<Digest>{one.digest, two.digest});
  CHECK(made->rebuilt.compressor == compressor_version());
  CHECK(made->payload.size < 500);
  rig.apply(*made);
  CHECK(rig.device.has(target.digest));
}

TEST_CASE("a layer that nothing resembles, or that another program compressed, has no delta") {
  DeltaRig rig;
  const oci::Descriptor old = rig.layer({{"app", noise(100'000, 1)}});
  CHECK_FALSE(rig.make(rig.layer({{"app", noise(100'000, 2)}}), {old}));
  CHECK_FALSE(rig.make(rig.layer({{"app", noise(100'000, 1)}, {"x", "y"}}), {}));
  StringSink one_frame;
  FrameSink sink(one_frame, 3, 21);
  sink.write(bytes_of(noise(2 << 20, 1)));
  sink.finish();
  CHECK_FALSE(rig.make(rig.blob(one_frame.text), {old}));
}

TEST_CASE("a layer that is not compressed is rebuilt by any compressor") {
  DeltaRig rig;
  const auto tar = [](std::string_view content) {
    StringSink out;
    TarWriter writer(out);
    StringSource source(content);
    writer.add({.path = "app", .size = content.size(), .link = {}, .attributes = {}}, source);
    writer.finish();
    return out.text;
  };
  const oci::Descriptor old = rig.blob(tar(program(50'000, 1))), fresh = rig.blob(tar(program(50'000, 1, 200'000)));
  const std::optional<MadeDelta> made = rig.make(fresh, {old});
  REQUIRE(made);
  CHECK(made->rebuilt.compressor.empty());
  rig.apply(*made);
  CHECK(rig.device.has(fresh.digest));
}

TEST_CASE("equal input gives equal payloads") {
  DeltaRig rig;
  const oci::Descriptor old = rig.layer({{"app", program(50'000, 1)}}),
                        fresh = rig.layer({{"app", program(50'000, 1, 9)}});
  const Digest once = rig.make(fresh, {old})->payload.digest;
  CHECK(rig.make(fresh, {old})->payload.digest == once);
}

TEST_CASE("another compressor is refused before anything is read or written") {
  DeltaRig rig;
  const oci::Descriptor old = rig.layer({{"app", program(50'000, 1)}}),
                        fresh = rig.layer({{"app", program(50'000, 1, 9)}});
  MadeDelta made = *rig.make(fresh, {old});
  made.rebuilt.compressor = "zstd 9.9.9";
  rig.payloads.remove(made.payload.digest);
  const Error error = error_of([&] { rig.apply(made); });
  CHECK(error.exit() == Exit::refused);
  CHECK(error.details().front().find("zstd 9.9.9") != std::string::npos);
  CHECK_FALSE(rig.device.has(fresh.digest));
}

TEST_CASE("another base, less room or a stop leave nothing") {
  DeltaRig rig;
  const oci::Descriptor old = rig.layer({{"app", program(50'000, 1)}}),
                        fresh = rig.layer({{"app", program(50'000, 1, 9)}});
  const MadeDelta made = *rig.make(fresh, {old});
  const auto refused = [&](const MadeDelta& delta) { return error_of([&] { rig.apply(delta); }).exit(); };
  MadeDelta other = made;
  other.rebuilt.bases = {rig.layer({{"app", "short"}}).digest};
  CHECK(refused(other) == Exit::refused);
  other.rebuilt.bases = {rig.layer({{"app", program(50'000, 2)}}).digest};
  CHECK(refused(other) == Exit::refused);
  other.rebuilt.bases = {};
  CHECK(refused(other) == Exit::refused);
  other = made;
  --other.rebuilt.scratch;
  CHECK(refused(other) == Exit::refused);
  other = made;
  other.rebuilt.blob = {old.digest, old.size};
  CHECK(refused(other) == Exit::refused);

  std::stop_source stop;
  stop.request_stop();
  const std::vector<BlobSize> bases = {{old.digest, old.size}};
  HashSink nowhere;
  const Error stopped = error_of([&] {
    rebuild({.rebuilt = made.rebuilt,
             .payload_size = made.payload.size,
             .bases = bases,
             .payloads = rig.payloads,
             .old = rig.store,
             .scratch = rig.scratch()},
            nowhere, stop.get_token());
  });
  CHECK(stopped.exit() == Exit::transient);
  CHECK_FALSE(rig.device.has(fresh.digest));
  CHECK(fs::is_empty(rig.scratch()));
}

TEST_CASE("a payload that was damaged anywhere is refused, and never makes more than the blob") {
  DeltaRig rig;
  const oci::Descriptor old = rig.layer({{"app", program(20'000, 1)}, {"b", noise(3000, 1)}}, LayerForm::chunked),
                        fresh = rig.layer({{"app", program(20'000, 1, 9)}, {"c", noise(3000, 2)}}, LayerForm::chunked);
  const MadeDelta made = *rig.make(fresh, {old});
  const std::string payload = read_file(rig.payloads.path(made.payload.digest));
  std::mt19937 random(5);
  for (int round = 0; round < 90; ++round) {
    std::string damaged = payload;
    if (round % 3 == 0)
      damaged.resize(random() % damaged.size());
    else
      damaged.replace(random() % damaged.size(), 1, noise(1, random()));
    const oci::Descriptor blob = rig.payloads.put(damaged, kDeltaType);
    MadeDelta other = made;
    other.payload = blob;
    other.rebuilt.payload = blob.digest;
    CAPTURE(round);
    try {
      rig.apply(other);
      // Bits that nothing depends on: the blob is right all the same.
      CHECK(rig.device.has(fresh.digest));
      rig.device.remove(fresh.digest);
    } catch (const Error& error) {
      CHECK(error.exit() == Exit::refused);
      CHECK_FALSE(rig.device.has(fresh.digest));
    }
  }
}

TEST_CASE("heads with numbers beyond all limits are refused") {
  const DeltaHead head{
      .compressor = "zstd",
      .sizes = {1, 2, 3, 4},
      .extents = {{0, LayerPart::texts, 5, 6}, {0, LayerPart::texts, 20, 6}, {2, LayerPart::sizes, 0, 1}},
      .coded = 9,
      .map = {.level = 3, .pieces = {{.count = 1}}}};
  const DeltaHead again = DeltaHead::decode(head.encode());
  CHECK(again.extents == head.extents);
  CHECK(again.sizes == head.sizes);
  CHECK(again.coded == 9);
  DeltaHead other = head;
  other.sizes[3] = 1ULL << 60;
  CHECK(error_of([&] { DeltaHead::decode(other.encode()); }).exit() == Exit::refused);
  other = head;
  other.extents[0].size = 0;
  CHECK(error_of([&] { DeltaHead::decode(other.encode()); }).exit() == Exit::refused);
  other = head;
  other.extents[0].offset = 1ULL << 62;
  CHECK(error_of([&] { DeltaHead::decode(other.encode()); }).exit() == Exit::refused);
  const std::string text = head.encode();
  for (std::size_t size = 0; size < text.size(); ++size) {
    CHECK(error_of([&] { DeltaHead::decode(text.substr(0, size)); }).exit() == Exit::refused);
  }
}
