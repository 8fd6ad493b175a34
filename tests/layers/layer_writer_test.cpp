#include "layers/layer_writer.hpp"

#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <random>

#include "base/archive.hpp"
#include "layers/frame_writer.hpp"
#include "tests/layers/support.hpp"

using namespace whittle;
using namespace whittle::layers;

namespace {

Entry text_entry(std::string text, unsigned mode = 0644) {
  const std::uint64_t size = text.size();
  const Digest digest = digest_of(text);
  return {.node = File{.text = std::move(text), .size = size, .digest = digest},
          .mode = mode,
          .origin = "test",
          .reason = {}};
}

std::string packed(std::string_view text, int level, std::size_t threads, std::size_t piece) {
  ThreadPool pool(threads);
  StringSink plain, out;
  FrameWriter writer(plain, out, level, pool);
  for (std::size_t at = 0; at < text.size(); at += piece) writer.write(bytes_of(text.substr(at, piece)));
  writer.finish();
  CHECK(plain.text == text);
  return out.text;
}

std::string mixed(std::size_t size) {
  std::string text = noise(size / 3);
  while (text.size() < size) text += cat("line ", text.size() % 977, " of something that repeats itself\n");
  text.resize(size);
  return text;
}

// A tree with everything that decides bytes: sizes around the frame's, equal files, links, odd names.
std::map<std::string, std::string> varied_tree() {
  std::map<std::string, std::string> files = {{"empty", ""},
                                              {"also empty", ""},
                                              {"equal/a", "same"},
                                              {"equal/b", "same"},
                                              {"equal/c", "diff"},
                                              {"big", mixed(3'000'000)},
                                              {"big again", mixed(3'000'000)},
                                              {"frame", noise(kFrameSize)},
                                              {"name\nline", "x"},
                                              {"latin\xe9", "y"}};
  for (int i = 0; i < 200; ++i) files[cat("many/", i % 7, "/", i)] = mixed(static_cast<std::size_t>(i * 37 % 5000));
  return files;
}

}  // namespace

TEST_CASE("frames have the same bytes for any number of threads and any cut of the input") {
  const std::string text = mixed(3 * kFrameSize + 12345);
  for (const int level : {1, 3, 7, 19}) {
    const std::string sample = level == 19 ? text.substr(0, kFrameSize + 777) : text;
    const std::string one = packed(sample, level, 1, sample.size());
    CHECK(packed(sample, level, 8, sample.size()) == one);
    CHECK(packed(sample, level, 3, 100'003) == one);
    if (level == 3) CHECK(packed(sample, level, 2, 977) == one);
  }
}

TEST_CASE("the frames of a small text are the bytes that they always were") {
  CHECK(frame_identity(3) == "zstd 1.5.4 level 3 frames 1048576 rows");
  CHECK(digest_of(packed(mixed(2'500'000), 3, 2, 4096)).str() ==
        "sha256:a63bc6a489a67faf4eb4bf333e4e1320c3034e4c459daeeea98da11a13685117");
  CHECK(digest_of(packed(mixed(2'500'000), 9, 2, 4096)).str() ==
        "sha256:f8f88cc8d18635ed7474bca8e87b754d48a9c7fde11d5a7c0df9e98e5429bdb6");
}

TEST_CASE("nothing in gives nothing out, and an error of the output comes out") {
  CHECK(packed("", 3, 2, 1).empty());
  struct Full : Sink {
    void write(Bytes) override { throw Error(Exit::export_failed, "no room"); }
  } full;
  StringSink plain;
  ThreadPool pool(4);
  const std::string text = noise(1 << 20);
  CHECK_THROWS_WITH_AS(
      {
        FrameWriter writer(plain, full, 3, pool);
        for (int i = 0; i < 64; ++i) writer.write(bytes_of(text));
        writer.finish();
      },
      "no room", Error);
  // Destroyed in the middle: it waits for its frames and no more.
  FrameWriter abandoned(plain, full, 3, pool);
  abandoned.write(bytes_of(text));
}

TEST_CASE("a layer is the same for 1 and 8 threads, and zstd and GNU tar read it") {
  Workshop shop;
  write_tree(shop.tree, varied_tree());
  shop.plan.image.files = {{".", "/srv", ""}};
  const RootFilesystem root = shop.compose();
  const oci::Layer layer = shop.write(root);
  for (const std::size_t threads : {1, 8}) {
    ThreadPool pool(threads);
    const oci::Layer again = write_layer({.name = "all", .entries = root}, {}, 0, shop.store, pool, shop.events, {});
    CHECK(again.blob == layer.blob);
    CHECK(again.diff_id == layer.diff_id);
  }
  const fs::path tar = shop.tar_of(layer);
  CHECK(digest_of(read_file(tar)) == layer.diff_id.digest);
  CHECK(diff_id_of(shop.store, layer.blob) == layer.diff_id);

  const fs::path out = shop.around.path() / "out";
  make_folders(out);
  output_of({"tar", "-xf", tar, "-C", out, "--no-same-owner"});
  for (const auto& [path, content] : varied_tree()) CHECK(read_file(out / "srv" / path) == content);
  CHECK(fs::equivalent(out / "srv/equal/a", out / "srv/equal/b"));
  CHECK_FALSE(fs::equivalent(out / "srv/empty", out / "srv/also empty"));
  CHECK(fs::equivalent(out / "srv/big", out / "srv/big again"));
}

TEST_CASE("a layer does not depend on where, when and by whom its tree was made") {
  Workshop one, two;
  write_tree(one.tree, varied_tree());
  std::vector<std::pair<std::string, std::string>> shuffled;
  for (const auto& file : varied_tree()) shuffled.push_back(file);
  std::shuffle(shuffled.begin(), shuffled.end(), std::minstd_rand(3));
  for (const auto& [path, content] : shuffled) write_tree(two.tree, {{path, content}});
  for (const auto& file : fs::recursive_directory_iterator(two.tree)) {
    fs::permissions(file.path(), file.is_directory() ? fs::perms::owner_all : fs::perms::owner_read);
    fs::last_write_time(file.path(), fs::file_time_type{} + std::chrono::hours(1));
  }
  for (Workshop* const shop : {&one, &two}) shop->plan.image.files = {{".", "/srv", ""}};
  CHECK(one.assemble().manifest.digest == two.assemble().manifest.digest);
}

TEST_CASE("equal files become hard links to the first path, unless owner or mode differ") {
  Workshop shop;
  RootFilesystem root = {
      {"a", text_entry("same")}, {"b", text_entry("same")}, {"c", text_entry("same", 0755)}, {"d", text_entry("diff")}};
  root["e"] = text_entry("same");
  root["e"].uid = 7;
  const std::string listing = output_of({"tar", "-tvf", shop.tar_of(shop.write(root)), "--numeric-owner"});
  CHECK(split_lines(listing).size() == 5);
  CHECK(listing.find("b link to a") != std::string::npos);
  CHECK(listing.find("c link to") == std::string::npos);
  CHECK(listing.find("e link to") == std::string::npos);
}

TEST_CASE("a slice of folders alone is a layer") {
  Workshop shop;
  const oci::Layer layer = shop.write({{"tmp", {.mode = 01777, .origin = "x", .reason = {}}}});
  CHECK(output_of({"tar", "-tvf", shop.tar_of(layer)}).starts_with("drwxrwxrwt"));
  CHECK(read_file(shop.tar_of(layer)).size() == 512 + 1024);
}

TEST_CASE("a file that changes while it is read is an error that names it") {
  Workshop shop;
  write_tree(shop.tree, {{"data", std::string(5'000, 'x')}, {"other", std::string(5'000, 'y')}});
  shop.plan.image.files = {{".", "/", ""}};
  const std::string name = (shop.tree / "data").native();
  const auto failure = [&](const RootFilesystem& root) { return error_of([&] { shop.write(root); }); };
  const RootFilesystem root = shop.compose();
  fs::resize_file(shop.tree / "data", 10);
  CHECK(failure(root) == cat("cannot write the layer `all`: `", name,
                             "` changed while it was read; it had 5000 bytes and ended after 10"));
  fs::resize_file(shop.tree / "data", 6000);
  CHECK(failure(root) ==
        cat("cannot write the layer `all`: `", name, "` changed while it was read; it had 5000 bytes and has 6000"));
  std::ofstream(shop.tree / "data") << std::string(5'000, 'z');
  fs::last_write_time(shop.tree / "data", fs::file_time_type{});
  CHECK(failure(root) ==
        cat("cannot write the layer `all`: `", name, "` changed while it was read; it was written to"));
  fs::remove(shop.tree / "data");
  CHECK(failure(root) ==
        cat("cannot write the layer `all`: `", name, "` changed while it was read; it is not there any more"));
  fs::create_symlink("other", shop.tree / "data");
  CHECK(failure(root) ==
        cat("cannot write the layer `all`: `", name, "` changed while it was read; it is not there any more"));
}

TEST_CASE("a stopped layer leaves nothing in the store") {
  Workshop shop;
  std::stop_source stop;
  stop.request_stop();
  CHECK_THROWS_AS(write_layer({.name = "x", .entries = {{"a", text_entry("a")}}}, {}, 0, shop.store, shop.pool,
                              shop.events, stop.get_token()),
                  Error);
  CHECK(fs::is_empty(shop.store.root() / "blobs/sha256"));
}

TEST_CASE("memory stays flat, however large a file is") {
  Workshop shop;
  const auto peak = [] {
    struct rusage usage {};
    ::getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss / 1024;
  };
  write_tree(shop.tree, {{"small", noise(1 << 20)}});
  shop.plan.image.files = {{".", "/", ""}};
  shop.write(shop.compose());
  const long before = peak();
  fs::resize_file(shop.tree / "small", 512 << 20);
  shop.write(shop.compose());
  CHECK(peak() - before < kAllowance);
}

TEST_CASE("a full disk is exit 60, and the store stays valid") {
  REQUIRE_MESSAGE(::geteuid() == 0, "only root can mount a small disk");
  Workshop shop;
  const fs::path disk = shop.around.path() / "disk";
  make_folders(disk);
  REQUIRE(::mount("whittle-test", disk.c_str(), "tmpfs", 0, "size=2m") == 0);
  {
    oci::Layout layout(disk / "store", oci::Layout::Open::create, shop.events);
    write_tree(shop.tree, {{"small", noise(100'000)}});
    shop.plan.image.files = {{".", "/", ""}};
    const auto assemble_there = [&] {
      return assemble(shop.plan, partition(shop.compose()), layout.blobs(), shop.cache, shop.pool, shop.events, {});
    };
    const oci::Image kept = assemble_there();
    layout.tag("kept", kept.manifest);
    write_tree(shop.tree, {{"large", noise(6'000'000)}});
    try {
      assemble_there();
      CHECK_MESSAGE(false, "the disk was not full");
    } catch (const Error& error) {
      CHECK(error.exit() == Exit::export_failed);
      CHECK(error.causes().back() == "no space left on device");
    }
    CHECK(oci::validate(layout.blobs(), *layout.find("kept"), diff_id_of).empty());
    CHECK(fs::space(disk).available > 1'500'000);
    for (const auto& entry : fs::directory_iterator(disk / "store")) {
      CHECK_FALSE(entry.path().filename().native().starts_with(".tmp-"));
    }
  }
  CHECK(::umount2(disk.c_str(), MNT_DETACH) == 0);
}
