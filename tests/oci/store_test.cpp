#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <random>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "oci/layout.hpp"
#include "oci/validate.hpp"

using namespace whittle;
using namespace whittle::oci;

namespace {

struct Store {
  TemporaryFolder around{fs::temp_directory_path()};
  fs::path root = around.path() / "store";
  RecordingEvents events;
  Layout layout{root, Layout::Open::create, events};
  BlobStore& blobs = layout.blobs();
};

// Plain tar layers, so that their digest is their diff ID.
DiffId diff_id_of_tar(const BlobStore& blobs, const Descriptor& layer) {
  HashSink hash;
  copy(*blobs.open(layer), hash);
  return {hash.digest()};
}

Descriptor put_image(BlobStore& blobs, const std::string& content,
                     const Platform& platform = {.architecture = "amd64", .variant = ""}) {
  std::string tar = content;
  tar.resize(2048, '\0');
  const Descriptor layer = blobs.put(tar, media_type::kLayerTar);
  Config config{.platform = platform,
                .created = "",
                .entrypoint = {"/x"},
                .command = {},
                .env = {},
                .user = "",
                .working_directory = "",
                .stop_signal = "",
                .exposed_ports = {},
                .volumes = {},
                .labels = {},
                .diff_ids = {{layer.digest}},
                .history = {}};
  Manifest manifest{.media_type = std::string(media_type::kManifest),
                    .config = blobs.put(config.encode(), media_type::kConfig),
                    .layers = {layer},
                    .annotations = {}};
  return blobs.put(manifest.encode(), media_type::kManifest);
}

Descriptor put_index(BlobStore& blobs, std::vector<Descriptor> manifests) {
  const Index index{
      .media_type = std::string(media_type::kIndex), .manifests = std::move(manifests), .annotations = {}};
  return blobs.put(index.encode(), media_type::kIndex);
}

Descriptor with_platform(Descriptor descriptor, std::string_view platform) {
  descriptor.platform = Platform::parse(platform);
  return descriptor;
}

void overwrite(const fs::path& path, std::string_view text) {
  ::chmod(path.c_str(), 0644);
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

template <class Function>
std::string error_of(Function&& body) {
  try {
    body();
  } catch (const Error& error) {
    return cat(error.message(), error.causes().empty() ? "" : ": " + join(error.causes(), ": "));
  }
  return "none";
}

int output_status(std::vector<std::string> argv, std::string* out = nullptr) {
  SystemProcessRunner runner;
  const CapturedOutput output = run_captured(
      runner,
      {.argv = std::move(argv), .env = {{"PATH", std::getenv("PATH")}, {"HOME", "/nonexistent"}}, .folder = {}});
  if (out != nullptr) *out = output.out;
  INFO(output.error);
  CHECK(output.result.status == 0);
  return output.result.status;
}

}  // namespace

TEST_CASE("a blob that was put is there under its digest") {
  Store store;
  const Descriptor blob = store.blobs.put("hello", "text/plain");
  CHECK(blob.digest == digest_of("hello"));
  CHECK(blob.size == 5);
  CHECK(store.blobs.has(blob.digest, 5));
  CHECK_FALSE(store.blobs.has(blob.digest, 6));
  CHECK_FALSE(store.blobs.has(digest_of("other")));
  CHECK(store.blobs.read(blob, 100) == "hello");
  CHECK(read_file(store.root / "blobs/sha256" / blob.digest.hex()) == "hello");
}

TEST_CASE("a writer that is not committed leaves nothing behind") {
  Store store;
  {
    BlobStore::Writer writer(store.blobs);
    writer.write(bytes_of("half"));
  }
  CHECK(fs::is_empty(store.root / "blobs/sha256"));
  for (const auto& entry : fs::directory_iterator(store.root)) {
    CHECK_FALSE(entry.path().filename().native().starts_with(".tmp-"));
  }
}

TEST_CASE("a blob that is not what was promised is refused and not kept") {
  Store store;
  BlobStore::Writer writer(store.blobs);
  writer.write(bytes_of("hullo"));
  const Descriptor promised{.media_type = "text/plain", .digest = digest_of("hello"), .size = 5};
  CHECK(error_of([&] { writer.commit(promised); }) ==
        cat("the blob ", promised.digest.str(), " is not what was promised"));
  CHECK(fs::is_empty(store.root / "blobs/sha256"));
}

TEST_CASE("a blob that is absent or too large is an error that names it") {
  Store store;
  const Descriptor nothing{.media_type = "", .digest = digest_of("x"), .size = 1};
  CHECK(error_of([&] { store.blobs.read(nothing, 9); }) ==
        cat("the blob ", nothing.digest.str(), " is not in `", store.root.native(), "`"));
  const Descriptor big = store.blobs.put("123456", "t");
  CHECK(error_of([&] { store.blobs.read(big, 5); }) == cat("the blob ", big.digest.str(), " is larger than 5 B"));
}

TEST_CASE("a damaged blob is noticed, counts as absent, and is replaced") {
  Store store;
  const Descriptor blob = store.blobs.put("hello", "t");
  for (const std::string_view damage : {"hullo", "hell", "hello!", ""}) {
    INFO(damage);
    overwrite(store.blobs.path(blob.digest), damage);
    CHECK(error_of([&] {
            store.blobs.read(blob, 99);
          }).starts_with(cat("the blob ", blob.digest.str(), " in `", store.root.native(), "` is damaged: ")));
    CHECK_FALSE(store.blobs.has(blob.digest, 5));
    CHECK(store.blobs.put("hello", "t") == blob);
    CHECK(store.blobs.read(blob, 99) == "hello");
    CHECK(store.blobs.has(blob.digest, 5));
  }
}

TEST_CASE("damage under an untouched modification time is noticed by reading, and remembered") {
  Store store;
  const Descriptor blob = store.blobs.put("hello", "t");
  const fs::path path = store.blobs.path(blob.digest);
  struct stat before {};
  REQUIRE(::stat(path.c_str(), &before) == 0);
  overwrite(path, "hullo");
  const timespec times[2] = {before.st_atim, before.st_mtim};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
  CHECK(store.blobs.has(blob.digest, 5));
  CHECK_THROWS_AS(store.blobs.read(blob, 99), Error);
  CHECK_FALSE(store.blobs.has(blob.digest, 5));
}

TEST_CASE("a blob that another tool wrote is believed once its content was checked") {
  Store store;
  make_folders(store.root / "blobs/sha256");
  write_file(store.blobs.path(digest_of("hello")), "hello");
  write_file(store.blobs.path(digest_of("other")), "hello");
  CHECK(store.blobs.has(digest_of("hello"), 5));
  CHECK_FALSE(store.blobs.has(digest_of("other"), 5));
}

TEST_CASE("a new layout is complete, and opening it again changes nothing") {
  Store store;
  CHECK(read_file(store.root / "oci-layout") == R"({"imageLayoutVersion":"1.0.0"})");
  const std::string index = read_file(store.root / "index.json");
  CHECK(index == R"({"manifests":[],"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2})");
  const Layout again(store.root, Layout::Open::create, store.events);
  CHECK(read_file(store.root / "index.json") == index);
  CHECK(again.entries().empty());
}

TEST_CASE("what is no layout is refused, and a folder with other files is not made into one") {
  const TemporaryFolder folder(fs::temp_directory_path());
  RecordingEvents events;
  const std::string name = cat("`", folder.path().native(), "` is not an OCI image layout: ");
  CHECK(error_of([&] { Layout(folder.path(), Layout::Open::existing, events); }) ==
        name + "it has no file `oci-layout`");
  write_file(folder.path() / "thesis.txt", "precious");
  CHECK(error_of([&] { Layout(folder.path(), Layout::Open::create, events); }) == name + "it holds other files");
  write_file(folder.path() / "oci-layout", R"({"imageLayoutVersion":"2.0.0"})");
  CHECK(error_of([&] { Layout(folder.path(), Layout::Open::existing, events); }) ==
        name + "its version is `2.0.0`, not `1.0.0`");
}

TEST_CASE("a creation that was interrupted is finished") {
  const TemporaryFolder folder(fs::temp_directory_path());
  RecordingEvents events;
  write_file(folder.path() / ".tmp-0123", "x");
  make_folders(folder.path() / "blobs");
  CHECK_NOTHROW(Layout(folder.path(), Layout::Open::create, events));
  fs::remove(folder.path() / "index.json");
  CHECK(Layout(folder.path(), Layout::Open::existing, events).entries().empty());
}

TEST_CASE("a damaged index is an error that names the file") {
  Store store;
  overwrite(store.root / "index.json", R"({"manifests": [)");
  CHECK(error_of([&] {
          store.layout.entries();
        }).starts_with(cat("cannot read ", (store.root / "index.json").native(), " as JSON")));
  overwrite(store.root / "index.json", R"({"manifests": {}})");
  CHECK_THROWS_AS(store.layout.tag("x", put_image(store.blobs, "x")), Error);
  CHECK(read_file(store.root / "index.json") == R"({"manifests": {}})");
  fs::remove(store.root / "index.json");
  CHECK(error_of([&] { store.layout.entries(); }).ends_with("its `index.json` is missing, yet it holds blobs"));
}

TEST_CASE("names point to images, several to one, and move") {
  Store store;
  const Descriptor one = put_image(store.blobs, "one"), two = put_image(store.blobs, "two");
  store.layout.tag("team/app:1", one);
  store.layout.tag("team/app:latest", one);
  CHECK(store.layout.find("team/app:1")->digest == one.digest);
  CHECK(store.layout.find("team/app:latest")->digest == one.digest);
  store.layout.tag("team/app:latest", two);
  CHECK(store.layout.find("team/app:latest")->digest == two.digest);
  CHECK(store.layout.entries().size() == 2);
  CHECK(store.layout.untag("team/app:1"));
  CHECK_FALSE(store.layout.untag("team/app:1"));
  CHECK_FALSE(store.layout.find("team/app:1"));
  store.layout.tag("", one);
  store.layout.tag("", one);
  CHECK(store.layout.entries().size() == 2);
  CHECK_FALSE(store.layout.find(""));
}

TEST_CASE("what other tools wrote into the index survives") {
  Store store;
  const Descriptor one = put_image(store.blobs, "one");
  Json index = parse_json(read_file(store.root / "index.json"), "i");
  Json foreign = {
      {"mediaType", "application/x"}, {"digest", one.digest.str()}, {"size", 1}, {"data", "AAAA"}, {"urls", {"u"}},
      {"annotations", {{"k", "v"}}}};
  index["manifests"].push_back(foreign);
  index["subject"] = {{"x", 1}};
  index["annotations"] = {{"whose", "theirs"}};
  overwrite(store.root / "index.json", index.dump());
  Descriptor named = one;
  named.annotations["more"] = "beside";
  store.layout.tag("app", named);
  const Json after = parse_json(read_file(store.root / "index.json"), "i");
  CHECK(after["subject"] == index["subject"]);
  CHECK(after["annotations"] == index["annotations"]);
  CHECK(after["manifests"][0] == foreign);
  CHECK(after["manifests"][1]["annotations"] ==
        Json({{"more", "beside"}, {"org.opencontainers.image.ref.name", "app"}}));
}

TEST_CASE("an image is found through an index by platform") {
  Store store;
  const Descriptor amd = put_image(store.blobs, "amd"),
                   v6 = put_image(store.blobs, "v6", *Platform::parse("linux/arm/v6")),
                   v7 = put_image(store.blobs, "v7", *Platform::parse("linux/arm/v7"));
  const auto chosen = [&](const Descriptor& root, std::string_view platform) {
    return load_image(store.blobs, root, *Platform::parse(platform)).manifest.digest;
  };
  const Descriptor index = put_index(store.blobs, {with_platform(amd, "linux/amd64"), with_platform(v6, "linux/arm/v6"),
                                                   with_platform(v7, "linux/arm/v7")});
  CHECK(chosen(index, "linux/amd64") == amd.digest);
  CHECK(chosen(index, "linux/arm/v7") == v7.digest);
  CHECK(chosen(index, "linux/arm/v8") == v7.digest);
  CHECK(chosen(index, "linux/arm/v6") == v6.digest);
  CHECK(error_of([&] { chosen(index, "linux/riscv64"); }) ==
        cat("the image ", index.digest.str(), " is not there for linux/riscv64"));
  CHECK(chosen(put_index(store.blobs, {amd}), "linux/arm64") == amd.digest);
  CHECK(chosen(put_index(store.blobs, {v6, amd}), "linux/amd64") == amd.digest);  // platforms from the configs
  CHECK(chosen(put_index(store.blobs, {index}), "linux/amd64") == amd.digest);
  CHECK(chosen(amd, "linux/s390x") == amd.digest);
  CHECK_THROWS_AS(load_image(store.blobs, store.blobs.put("x", "text/plain"), Platform::host()), Error);
}

TEST_CASE("the closure has everything once, and children before parents") {
  Store store;
  const Descriptor a = put_image(store.blobs, "same layer"),
                   b = put_image(store.blobs, "same layer", *Platform::parse("linux/arm64"));
  const Descriptor index = put_index(store.blobs, {a, b});
  const std::vector<Descriptor> all = closure(store.blobs, index);
  CHECK(all.size() == 6);
  CHECK(all.back().digest == index.digest);
  const auto place = [&](const Descriptor& blob) {
    return std::find_if(all.begin(), all.end(), [&](const Descriptor& one) { return one.digest == blob.digest; });
  };
  for (const Descriptor& manifest : {a, b}) {
    const Manifest decoded = Manifest::decode(store.blobs.read(manifest, kMaximumManifest), "m");
    CHECK(place(decoded.config) < place(manifest));
    CHECK(place(decoded.layers[0]) < place(manifest));
  }
}

TEST_CASE("indexes nested without end are refused") {
  Store store;
  Descriptor nested = put_image(store.blobs, "x");
  for (int i = 0; i < 9; ++i) nested = put_index(store.blobs, {nested});
  CHECK_THROWS_AS(closure(store.blobs, nested), Error);
  CHECK_THROWS_AS(load_image(store.blobs, nested, Platform::host()), Error);
  CHECK(validate(store.blobs, nested, diff_id_of_tar).at(0).text == "it is nested too deeply");
}

TEST_CASE("a sound image has no problems") {
  Store store;
  const Descriptor index = put_index(store.blobs, {with_platform(put_image(store.blobs, "x"), "linux/amd64")});
  CHECK(validate(store.blobs, index, diff_id_of_tar).empty());
}

TEST_CASE("every problem of an image is reported") {
  Store store;
  const Descriptor image = put_image(store.blobs, "x"),
                   other = put_image(store.blobs, "y", *Platform::parse("linux/arm64"));
  const Manifest manifest = Manifest::decode(store.blobs.read(image, kMaximumManifest), "m");
  const Descriptor index =
      put_index(store.blobs, {with_platform(image, "linux/amd64"), with_platform(other, "linux/riscv64")});
  overwrite(store.blobs.path(manifest.layers[0].digest), "damaged");
  std::string all;
  for (const Problem& problem : validate(store.blobs, index, diff_id_of_tar))
    all += cat(problem.object, " ", problem.text, "\n");
  CHECK(all.find(cat("layer ", manifest.layers[0].digest.str(), " the blob ", manifest.layers[0].digest.str())) !=
        std::string::npos);
  CHECK(all.find("its platform is `linux/arm64`, the index says `linux/riscv64`") != std::string::npos);
  CHECK(split_lines(all).size() == 2);

  const auto wrong = [](const BlobStore&, const Descriptor&) { return DiffId{digest_of("wrong")}; };
  CHECK(validate(store.blobs, other, wrong).at(0).text.starts_with(cat("its diff ID is ", digest_of("wrong").str())));
  fs::remove(store.blobs.path(other.digest));
  CHECK(validate(store.blobs, other, diff_id_of_tar).at(0).object == cat("manifest ", other.digest.str()));
}

TEST_CASE("several processes tag and write at once and nothing is lost") {
  Store store;
  constexpr int kProcesses = 6, kTags = 12;
  std::vector<pid_t> children;
  for (int child = 0; child < kProcesses; ++child) {
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
      RecordingEvents events;
      Layout layout(store.root, Layout::Open::create, events);
      for (int i = 0; i < kTags; ++i) layout.tag(cat("p", child, ":", i), put_image(layout.blobs(), cat("image ", i)));
      ::_exit(0);
    }
    children.push_back(pid);
  }
  for (const pid_t pid : children) {
    int status = 0;
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    CHECK(status == 0);
  }
  CHECK(store.layout.entries().size() == kProcesses * kTags);
  for (const Layout::Entry& entry : store.layout.entries()) {
    CHECK(validate(store.blobs, entry.descriptor, diff_id_of_tar).empty());
  }
}

TEST_CASE("writers killed at any moment leave a valid store") {
  const TemporaryFolder around(fs::temp_directory_path());
  const fs::path root = around.path() / "store";
  RecordingEvents events;
  const char* const wished = std::getenv("WHITTLE_KILLS");
  const int kills = wished == nullptr ? 60 : std::atoi(wished);
  std::minstd_rand random(7);
  for (int kill = 0; kill < kills; ++kill) {
    if (kill % 10 == 0) remove_tree(root);
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
      for (int i = 0;; ++i) {
        Layout layout(root, Layout::Open::create, events);
        layout.tag(cat("app:", i % 5), put_image(layout.blobs(), cat("image ", kill, ".", i)));
      }
    }
    ::usleep(static_cast<useconds_t>(random() % 6000));
    ::kill(pid, SIGKILL);
    REQUIRE(::waitpid(pid, nullptr, 0) == pid);
    if (!fs::exists(root / "oci-layout")) continue;
    const Layout layout(root, Layout::Open::existing, events);
    for (const Layout::Entry& entry : layout.entries()) {
      const std::vector<Problem> problems = validate(layout.blobs(), entry.descriptor, diff_id_of_tar);
      INFO(kill);
      REQUIRE_MESSAGE(problems.empty(), problems[0].object, problems[0].text);
    }
    if (!fs::exists(root / "blobs/sha256")) continue;
    for (const auto& blob : fs::directory_iterator(root / "blobs/sha256")) {
      REQUIRE(digest_of(read_file(blob.path())).hex() == blob.path().filename());
    }
  }
  Layout layout(root, Layout::Open::create, events);
  layout.tag("after", put_image(layout.blobs(), "after"));
  CHECK(validate(layout.blobs(), *layout.find("after"), diff_id_of_tar).empty());
}

TEST_CASE("what a killed writer left is removed, what a living one writes is not") {
  Store store;
  write_file(store.root / "stale", "x");
  const fs::path stale = store.root / ".tmp-dead";
  fs::rename(store.root / "stale", stale);
  AtomicFile living(store.root);
  // The change time cannot be set, so a fresh file stands for the grace period.
  remove_abandoned(store.root);
  CHECK(fs::exists(stale));
  CHECK(fs::exists(living.temporary_path()));
}

TEST_CASE("skopeo reads an image by a name with slash and tag, and whittle what skopeo wrote") {
  Store store;
  std::string tar = "";
  output_status({"tar", "-cf", "-", "-C", WHITTLE_SOURCE_DIR, "LICENSE"}, &tar);
  const Descriptor layer = store.blobs.put(tar, media_type::kLayerTar);
  Config config{};
  config.platform = Platform::host();
  config.diff_ids = {{layer.digest}};
  const Manifest manifest{.media_type = std::string(media_type::kManifest),
                          .config = store.blobs.put(config.encode(), media_type::kConfig),
                          .layers = {layer},
                          .annotations = {}};
  const Descriptor image = store.blobs.put(manifest.encode(), media_type::kManifest);
  store.layout.tag("localhost/team/app:1.0", image);
  store.layout.tag("app", put_image(store.blobs, "another"));

  std::string out;
  output_status({"skopeo", "inspect", "--raw", cat("oci:", store.root.native(), ":localhost/team/app:1.0")}, &out);
  CHECK(out == manifest.encode());
  const fs::path copied = store.around.path() / "copied";
  output_status({"skopeo", "--insecure-policy", "copy", "--preserve-digests",
                 cat("oci:", store.root.native(), ":localhost/team/app:1.0"),
                 cat("oci:", copied.native(), ":some/where:2")});
  Layout theirs(copied, Layout::Open::existing, store.events);
  REQUIRE(theirs.find("some/where:2"));
  CHECK(theirs.find("some/where:2")->digest == image.digest);
  CHECK(validate(theirs.blobs(), *theirs.find("some/where:2"), diff_id_of_tar).empty());
  // And into a store of ours, beside what is there.
  output_status({"skopeo", "--insecure-policy", "copy", "--preserve-digests",
                 cat("oci:", copied.native(), ":some/where:2"), cat("oci:", store.root.native(), ":from/skopeo:3")});
  CHECK(store.layout.find("from/skopeo:3")->digest == image.digest);
  CHECK(store.layout.find("app"));
}
