#include "layers/site.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "base/zstd_frames.hpp"
#include "layers/gzip_sink.hpp"
#include "layers/root_builder.hpp"

using namespace whittle;
using namespace whittle::layers;

namespace {

const std::string kPage(5000, 'x');

Entry file(std::string text) {
  return {.node = text_file(std::move(text)), .group = Entry::Group::asset, .origin = "files", .reason = {}};
}

RootFilesystem site(const std::map<std::string, std::string>& files) {
  RootBuilder builder;
  builder.add("/etc/passwd", file(""));
  for (const auto& [path, text] : files) builder.add("/srv/" + path, file(text));
  return builder.take();
}

struct Completion {
  TemporaryFolder cache{fs::temp_directory_path(), "site-"};
  ThreadPool pool{2};
  RootFilesystem operator()(RootFilesystem root) {
    complete_site(root, "/srv", cache.path() / "sites", pool);
    return root;
  }
};

const File& file_at(const RootFilesystem& root, const std::string& path) {
  return std::get<File>(root.at(path).node);
}

std::string digests_of(const RootFilesystem& root) {
  return file_at(root, "etc/site.digests").text;
}

}  // namespace

TEST_CASE("texts have smaller forms beside them, in a layer of their own") {
  Completion complete;
  const RootFilesystem root = complete(site({{"index.html", kPage}, {"a/b.css", kPage}}));
  const Entry& gzip = root.at("srv/a/b.css.gz");
  CHECK(gzip.group == Entry::Group::derived);
  CHECK(gzip.mode == 0644);
  CHECK(gzip.origin == "whittle, of /srv/a/b.css");
  CHECK(read_file(file_at(root, "srv/a/b.css.gz").content) == gzipped(bytes_of(kPage)));
  CHECK(unpack_frame(read_file(file_at(root, "srv/index.html.zst").content), 1 << 20, "the form") == kPage);
}

TEST_CASE("what would not be worth its place has no forms") {
  Completion complete;
  std::string noise;
  for (unsigned state = 1; noise.size() < 5000; state = state * 1664525U + 1013904223U)
    noise += static_cast<char>(state >> 24U);
  const RootFilesystem root = complete(site({{"small.html", "<p>x</p>"}, {"photo.jpg", kPage}, {"noise.txt", noise}}));
  for (const char* path : {"srv/small.html.gz", "srv/photo.jpg.gz", "srv/noise.txt.gz", "srv/noise.txt.zst"}) {
    CAPTURE(path);
    CHECK_FALSE(root.contains(path));
  }
}

TEST_CASE("forms that the project brings are left alone") {
  Completion complete;
  const RootFilesystem root = complete(site({{"a.js", kPage}, {"a.js.gz", "its own"}}));
  CHECK(file_at(root, "srv/a.js.gz").text == "its own");
  CHECK_FALSE(root.contains("srv/a.js.zst"));
}

TEST_CASE("digests are of every file of the site, sorted by path") {
  Completion complete;
  const RootFilesystem root = complete(site({{"b.txt", "b"}, {"a/c.txt", "c"}, {"a.txt", "a"}, {"line\nend", ""}}));
  const auto line = [](std::string_view text, const char* path) {
    return digest_of(text).hex().substr(0, 32) + " " + path + "\n";
  };
  CHECK(digests_of(root) == line("a", "a.txt") + line("c", "a/c.txt") + line("b", "b.txt"));
}

TEST_CASE("forms come from the cache the second time, with the same bytes") {
  Completion complete;
  const RootFilesystem first = complete(site({{"index.html", kPage}}));
  const FileStamp stamp = file_at(first, "srv/index.html.gz").stamp;
  const RootFilesystem second = complete(site({{"other.html", kPage}}));
  CHECK(file_at(second, "srv/other.html.gz").stamp == stamp);
  Completion elsewhere;
  CHECK(file_at(elsewhere(site({{"index.html", kPage}})), "srv/index.html.zst").digest ==
        file_at(first, "srv/index.html.zst").digest);
}
