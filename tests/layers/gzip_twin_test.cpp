#include "layers/gzip_twin.hpp"

#include <sys/resource.h>

#include "layers/gzip_sink.hpp"
#include "tests/layers/support.hpp"

using namespace whittle;
using namespace whittle::layers;

namespace {

std::string gzipped(std::string_view text, std::size_t threads = 2, std::size_t piece = 1 << 20) {
  ThreadPool pool(threads);
  StringSink out;
  GzipSink sink(out, pool);
  for (std::size_t at = 0; at < text.size(); at += piece) sink.write(bytes_of(text.substr(at, piece)));
  sink.finish();
  return out.text;
}

std::string lines(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; text.size() < size; ++i) text += cat("line ", i * 7919 % 10007, " of a text\n");
  text.resize(size);
  return text;
}

std::string unzipped(const std::string& bytes) {
  TemporaryFolder around(fs::temp_directory_path());
  write_file(around.path() / "x.gz", bytes);
  return output_of({"gzip", "-dc", around.path() / "x.gz"});
}

long peak_megabytes() {
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

}  // namespace

TEST_CASE("the gzip program gives back what went in, of any size") {
  const std::string text = lines((5 << 20) + 4321);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{(1 << 20) - 1}, std::size_t{1 << 20},
                                 std::size_t{4 << 20}, text.size()}) {
    CHECK((unzipped(gzipped(text.substr(0, size))) == text.substr(0, size)));
  }
  CHECK((unzipped(gzipped(noise(3'000'000))) == noise(3'000'000)));
  CHECK((unzipped(gzipped(std::string(3'000'000, '\0'))) == std::string(3'000'000, '\0')));
}

TEST_CASE("gzip's bytes are the same for any number of threads and any cut of the input") {
  for (const std::size_t size : {std::size_t{4 << 20}, std::size_t{(6 << 20) + 77}}) {
    const std::string text = lines(size);
    const std::string one = gzipped(text, 1);
    CHECK((gzipped(text, 2) == one));
    CHECK((gzipped(text, 8) == one));
    CHECK((gzipped(text, 3, 997) == one));
  }
}

TEST_CASE("gzip is one member without name and time, nearly as small as the program makes it") {
  const std::string text = lines(8 << 20), packed = gzipped(text);
  CHECK(packed.substr(0, 10) == std::string("\x1F\x8B\x08\0\0\0\0\0\0\xFF", 10));
  CHECK(unzipped(packed).size() == text.size());
  TemporaryFolder around(fs::temp_directory_path());
  write_file(around.path() / "text", text);
  const double theirs = static_cast<double>(output_of({"gzip", "-6nc", around.path() / "text"}).size());
  CHECK(static_cast<double>(packed.size()) < 1.01 * theirs);
  // Python's zlib reads a single member and says what is left.
  write_file(around.path() / "text.gz", packed);
  CHECK(output_of({"python3", "-c",
                   "import sys, zlib; d = zlib.decompressobj(31); t = d.decompress(open(sys.argv[1], 'rb').read()); "
                   "print(len(t), d.eof, len(d.unused_data))",
                   around.path() / "text.gz"}) == cat(text.size(), " True 0\n"));
}

TEST_CASE("the bytes of gzip are those that they always were") {
  CHECK(gzip_identity() == "gzip zlib 1.2.13 level 6 blocks 1048576");
  CHECK(digest_of(gzipped(lines(2'500'000))).str() ==
        "sha256:8db30b36f44423816571c802fb94a6cdd09b3429ba307d73ff7f404bfcf5aa32");
}

TEST_CASE("a gzip twin has the same configuration and diff IDs, and validates") {
  Workshop shop;
  write_tree(shop.tree, {{"a", lines(3'000'000)}, {"b", noise(100'000)}, {"c/d", "x"}});
  shop.plan.image.files = {{".", "/srv", ""}};
  const oci::Image plain = shop.assemble();
  shop.plan.layers.gzip_twin = true;
  const oci::Image both = shop.assemble();
  CHECK(oci::validate(shop.store, both.manifest, diff_id_of).empty());
  const oci::Index index = oci::Index::decode(shop.store.read(both.manifest, oci::kMaximumManifest), "the index");
  REQUIRE(index.manifests.size() == 2);
  CHECK(index.manifests[1].digest == plain.manifest.digest);
  CHECK(index.manifests[1].annotations.at("io.github.containers.compression.zstd") == "true");
  CHECK(index.manifests[0].annotations.empty());
  const oci::Manifest twin = oci::Manifest::decode(shop.store.read(index.manifests[0], oci::kMaximumManifest), "m");
  CHECK(twin.config == plain.config);
  REQUIRE(twin.layers.size() == plain.layers.size());
  for (std::size_t i = 0; i < twin.layers.size(); ++i) {
    CHECK(twin.layers[i].media_type == oci::media_type::kLayerGzip);
    CHECK(diff_id_of(shop.store, twin.layers[i]) == plain.layers[i].diff_id);
    CHECK(twin.layers[i].annotations.at("io.whittle.slice") == plain.layers[i].blob.annotations.at("io.whittle.slice"));
    CHECK(twin.layers[i].annotations.size() == 2);
  }
  CHECK(shop.assemble().manifest == both.manifest);
}

TEST_CASE("of an image with a twin the manifest with zstd is read") {
  Workshop shop;
  shop.program("/bin/app", "program");
  shop.plan.layers.gzip_twin = true;
  const oci::Image both = shop.assemble();
  const oci::Image read = oci::load_image(shop.store, both.manifest, *oci::Platform::parse("linux/amd64"));
  for (const oci::Layer& layer : read.layers) CHECK(layer.blob.media_type == oci::media_type::kLayerZstd);
}

TEST_CASE("a twin is not packed again while its layer stays the same, and is when its blob is gone") {
  Workshop shop;
  shop.program("/bin/app", lines(100'000));
  shop.plan.layers.gzip_twin = true;
  const oci::Image first = shop.assemble();
  const auto packed = [&] {
    std::size_t count = 0;
    for (const Event& event : shop.events.events()) {
      const auto* const note = std::get_if<Note>(&event);
      count += note != nullptr && note->text.starts_with("packed ") ? 1 : 0;
    }
    return count;
  };
  CHECK(packed() == first.layers.size());
  CHECK(shop.assemble().manifest == first.manifest);
  CHECK(packed() == first.layers.size());
  shop.plan.layers.level = 7;  // other blobs, equal tars
  shop.assemble();
  CHECK(packed() == first.layers.size());
  const oci::Index index = oci::Index::decode(shop.store.read(first.manifest, oci::kMaximumManifest), "the index");
  const oci::Manifest twin = oci::Manifest::decode(shop.store.read(index.manifests[0], oci::kMaximumManifest), "m");
  shop.store.remove(twin.layers[1].digest);
  shop.plan.layers.level = 3;
  CHECK(shop.assemble().manifest == first.manifest);
  CHECK(packed() == first.layers.size() + 1);
}

TEST_CASE("a twin takes no more memory however large the layer is, and reads what is far beyond a bomb's ratio") {
  Workshop shop;
  write_tree(shop.tree, {{"large", ""}});
  fs::resize_file(shop.tree / "large", 300 << 20);
  shop.plan.image.files = {{".", "/srv", ""}};
  oci::Image image = shop.assemble();
  const long before = peak_megabytes();
  const oci::Descriptor index = add_gzip_twin(image, shop.store, shop.cache, shop.pool, shop.events, {});
  CHECK(peak_megabytes() - before < kAllowance);
  CHECK(oci::validate(shop.store, index, diff_id_of).empty());
}

TEST_CASE("a stopped twin leaves no blob of its own") {
  Workshop shop;
  shop.program("/bin/app", lines(100'000));
  const oci::Image image = shop.assemble();
  const auto blobs = [&] {
    return std::distance(fs::directory_iterator(shop.store.root() / "blobs/sha256"), fs::directory_iterator());
  };
  const auto before = blobs();
  std::stop_source stop;
  stop.request_stop();
  CHECK_THROWS_WITH_AS(add_gzip_twin(image, shop.store, shop.cache, shop.pool, shop.events, stop.get_token()),
                       "stopped while packing a layer with gzip", Error);
  CHECK(blobs() == before);
}
