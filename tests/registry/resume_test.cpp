#include <doctest/doctest.h>

#include <algorithm>

#include "base/error.hpp"
#include "oci/partial_blob.hpp"
#include "registry/blob_download.hpp"
#include "tests/registry/push_rig.hpp"

using namespace whittle;
using namespace whittle::registry;
using whittle::testing::FakeRegistry;
using whittle::testing::Fault;
using whittle::testing::make_image;
using whittle::testing::noise;
using whittle::testing::PushRig;
using whittle::testing::SeenRequest;
using whittle::testing::TestImage;

namespace {

constexpr std::size_t kSize = 3'000'000;

// An image of one large layer in the registry, and an empty store to pull it to.
struct PullRig : PushRig {
  explicit PullRig(FakeRegistry& from) : registry(from) {
    push(image.manifest, registry.host() + "/app:1");
    registry.forget_requests();
  }
  FakeRegistry& registry;
  TestImage image = make_image(store, {noise(kSize, 1)});
  oci::BlobStore back{scratch / "back"};
  const oci::Descriptor& layer = image.layers[0];

  void pull() {
    registry::pull(oci::Reference::parse(registry.host() + "/app:1"),
                   {.platform = {.os = "linux", .architecture = "amd64", .variant = ""}}, back, *transport, options(),
                   pool, events, {});
    CHECK(back.read(layer, 1 << 30) == store.read(layer, 1 << 30));
    CHECK(leftovers().empty());
  }
  Error failed() {
    return test::error_of([&] { pull(); });
  }
  std::vector<std::string> leftovers() const {
    std::vector<std::string> names;
    for (const fs::directory_entry& entry : fs::directory_iterator(back.root())) {
      if (entry.path().filename() != "blobs") names.push_back(entry.path().filename());
    }
    return names;
  }
  fs::path partial() const { return back.root() / (".partial-" + layer.digest.hex()); }
  void leave_partial(std::string_view content) {
    make_folders(back.root());
    write_file(partial(), content, 0600);
  }
  std::vector<SeenRequest> of_layer() const {
    std::vector<SeenRequest> seen = registry.requests();
    std::erase_if(
        seen, [&](const SeenRequest& request) { return request.path.find(layer.digest.str()) == std::string::npos; });
    return seen;
  }
  std::string content() const { return store.read(layer, 1 << 30); }
};

HttpResponse partial_answer(std::string range, std::string body) {
  return {.status = 206, .headers = {{"content-range", std::move(range)}}, .body = std::move(body)};
}

// From a registry that answers as scripted.
void download(const oci::Descriptor& blob, oci::BlobStore& into, whittle::testing::ScriptedTransport& transport,
              EventSink& events) {
  whittle::testing::FakeClock clock;
  Session session(oci::Reference::parse("r.example/app:1"), Session::Access::pull, transport, {.clock = &clock}, events,
                  {});
  BlobDownload(session, blob, into, events).run();
}

}  // namespace

TEST_CASE("a download that breaks off goes on where it was, however often that happens") {
  for (const Fault::Kind kind : {Fault::Kind::reset, Fault::Kind::truncate}) {
    FakeRegistry registry;
    PullRig rig(registry);
    registry.inject({.method = "GET", .part = rig.layer.digest.str(), .times = 12, .kind = kind, .at = 200'000});
    rig.pull();
    // A reset takes with it what has arrived and was not read yet.
    CHECK(registry.sent_bytes() < kSize + (kind == Fault::Kind::truncate ? kSize / 10 : 12 * 200'000));
  }
}

TEST_CASE("the next process goes on with what an earlier one has left") {
  FakeRegistry registry;
  PullRig rig(registry);
  registry.inject({.method = "GET", .part = rig.layer.digest.str(), .kind = Fault::Kind::truncate, .at = 2'000'000});
  registry.inject({.method = "GET", .part = rig.layer.digest.str(), .status = 503, .times = 6});
  CHECK(rig.failed().exit() == Exit::transient);
  CHECK(fs::file_size(rig.partial()) == 2'000'000);
  registry.end_faults();
  registry.forget_requests();
  rig.pull();
  REQUIRE(rig.of_layer().size() == 1);
  CHECK(rig.of_layer()[0].header("range") == "bytes=2000000-");
}

TEST_CASE("what is here whole is not asked for") {
  FakeRegistry registry;
  PullRig rig(registry);
  rig.leave_partial(rig.content());
  rig.pull();
  CHECK(rig.of_layer().empty());
}

TEST_CASE("what was left damaged or too long is fetched anew, once") {
  FakeRegistry registry;
  for (const std::string& left : {std::string(1'000'000, '\0'), noise(kSize * 2, 5)}) {
    PullRig rig(registry);
    rig.leave_partial(left);
    rig.pull();
    CHECK(rig.of_layer().size() <= 2);
    CHECK_FALSE(rig.of_layer().back().has("range"));
  }
}

TEST_CASE("a server that knows no ranges is read past what is here") {
  PushRig rig;
  const std::string content = noise(300'000, 1);
  const oci::Descriptor blob{.media_type = "x", .digest = digest_of(content), .size = content.size()};
  for (const bool is_honest : {true, false}) {
    oci::BlobStore back(rig.scratch / (is_honest ? "a" : "b"));
    make_folders(back.root());
    write_file(back.root() / (".partial-" + blob.digest.hex()), content.substr(0, 100'000));
    whittle::testing::ScriptedTransport transport;
    if (!is_honest) {
      // Another part, another total, no range at all: none of it is taken.
      transport.then(partial_answer("bytes 0-99999/300000", content.substr(0, 100'000)));
    }
    transport.then(HttpResponse{.status = 200, .body = content});
    download(blob, back, transport, rig.events);
    CHECK(back.read(blob, 1 << 20) == content);
    CHECK(transport.is_used_up());
  }
}

TEST_CASE("a range that the server cannot give makes the download begin anew") {
  PushRig rig;
  const std::string content = noise(300'000, 1);
  const oci::Descriptor blob{.media_type = "x", .digest = digest_of(content), .size = content.size()};
  for (const Outcome& answer : {Outcome(HttpResponse{.status = 416}),
                                Outcome(partial_answer("bytes 100000-199999/200000", content.substr(0, 100'000)))}) {
    const whittle::testing::Scratch scratch;
    oci::BlobStore back(scratch.path());
    write_file(back.root() / (".partial-" + blob.digest.hex()), content.substr(0, 100'000));
    whittle::testing::ScriptedTransport transport;
    transport.then(1, answer);
    transport.then(HttpResponse{.status = 200, .body = content});
    download(blob, back, transport, rig.events);
    CHECK(back.read(blob, 1 << 20) == content);
    const Headers& headers = transport.sent[1].headers;
    CHECK(std::none_of(headers.begin(), headers.end(), [](const auto& header) { return header.first == "Range"; }));
  }
}

TEST_CASE("a blob that arrives damaged is fetched once more, and then refused") {
  FakeRegistry registry;
  PullRig rig(registry);
  registry.inject({.method = "GET", .part = rig.layer.digest.str(), .kind = Fault::Kind::corrupt, .at = 1'234'567});
  rig.pull();
  CHECK(rig.of_layer().size() == 2);

  PullRig other(registry);
  registry.corrupt(other.layer.digest.str());
  const Error error = other.failed();
  CHECK(error.exit() == Exit::registry_content);
  CHECK(error.message() == cat("`", registry.host(), "` sent something else than layer sha256:",
                               other.layer.digest.hex().substr(0, 12), "…"));
  CHECK(error.notes() == std::vector<std::string>{"nothing of it was kept"});
  CHECK(other.of_layer().size() == 2);
  CHECK(other.leftovers().empty());
}

TEST_CASE("a manifest that arrives damaged is fetched once more, and then refused") {
  FakeRegistry registry;
  PullRig rig(registry);
  registry.inject({.method = "GET", .part = "/manifests/", .kind = Fault::Kind::corrupt, .at = 30});
  rig.pull();
  PullRig other(registry);
  registry.corrupt(other.image.manifest.digest.str());
  CHECK(other.failed().exit() == Exit::registry_content);
  CHECK(registry.count("GET", "/manifests/") == 3);
}

TEST_CASE("two processes that fetch the same blob do not disturb each other") {
  const whittle::testing::Scratch scratch;
  oci::BlobStore store(scratch.path());
  const std::string content = noise(1'000, 1);
  const oci::Descriptor blob{.media_type = "x", .digest = digest_of(content), .size = content.size()};
  oci::PartialBlob one(store, blob);
  one.write(bytes_of(content).first(500));
  oci::PartialBlob two(store, blob);
  CHECK(two.size() == 0);
  two.write(bytes_of(content));
  two.commit();
  one.write(bytes_of(content).subspan(500));
  CHECK(one.is_whole());
  one.commit();
  CHECK(store.has(blob.digest, blob.size));
}

TEST_CASE("what nobody came back for is removed after a week") {
  const whittle::testing::Scratch scratch;
  const oci::BlobStore store(scratch.path());
  write_file(scratch / ".partial-old", "x");
  write_file(scratch / ".partial-new", "x");
  fs::last_write_time(scratch / ".partial-old", fs::file_time_type::clock::now() - std::chrono::hours(8 * 24));
  for (int i = 0; i < 70; ++i) write_file(scratch / cat(".partial-", i), "x");
  oci::PartialBlob::remove_old(store);
  CHECK_FALSE(fs::exists(scratch / ".partial-old"));
  CHECK(std::distance(fs::directory_iterator(scratch.path()), fs::directory_iterator()) == 64);
}
