#include <random>

#include "base/json.hpp"
#include "layers/chunked_check.hpp"
#include "layers/chunker.hpp"
#include "layers/crc64.hpp"
#include "layers/layer_index.hpp"
#include "tests/layers/support.hpp"

using namespace whittle;
using namespace whittle::layers;

namespace {

// Fed as it would be from reads of `piece` bytes.
std::vector<ChunkSpan> chunks_of(std::string_view text, std::size_t piece) {
  Chunker chunker;
  std::vector<ChunkSpan> chunks;
  std::size_t begin = 0, end = 0;
  while (end < text.size()) {
    end = std::min(text.size(), end + piece);
    while (const auto chunk = chunker.next(bytes_of(text.substr(begin, end - begin)), end == text.size())) {
      chunks.push_back(*chunk);
      begin += chunk->size;
    }
  }
  CHECK(begin == text.size());
  return chunks;
}

// The definition, byte by byte: first the runs of zeros, then the rolling sum between them.
std::vector<ChunkSpan> defined_chunks(std::string_view text) {
  std::vector<ChunkSpan> chunks;
  const auto add_data = [&](std::string_view data) {
    std::array<unsigned, 64> window{};
    std::uint32_t first = 64 * 31, second = 64 * 63 * 31;
    std::size_t begin = 0;
    for (std::size_t at = 0; at < data.size(); ++at) {
      const unsigned in = static_cast<unsigned char>(data[at]), out = std::exchange(window[at % 64], in);
      first += in - out;
      second += first - 64 * (out + 31);
      const std::size_t size = at + 1 - begin;
      const bool is_cut = (second & 0x3FFFF) == 0x3FFFF && size >= kChunkMinimum;
      if (!is_cut && size != kChunkMaximum) continue;
      chunks.push_back({size, false});
      begin = at + 1;
    }
    if (begin < data.size()) chunks.push_back({data.size() - begin, false});
  };
  std::size_t data = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_not_of('\0', at), text.size());
    if (end - at >= kZerosMinimum) {
      add_data(text.substr(data, at - data));
      for (; at < end; at += chunks.back().size) chunks.push_back({std::min(kZerosMaximum, end - at), true});
      data = end;
    }
    at = std::max(end, at + 1);
  }
  add_data(text.substr(data));
  return chunks;
}

std::string text_with_zeros(std::uint32_t seed) {
  std::mt19937 random(seed);
  std::string text;
  while (text.size() < 6'000'000) {
    const std::size_t data = random() % 3 == 0 ? random() % 900'000 : random() % 300;
    text += noise(data, random());
    text += std::string(random() % 2 == 0 ? random() % 3000 : 1000 + random() % 50, '\0');
  }
  return text;
}

Json toc_of(const Workshop& shop, const oci::Layer& layer) {
  const std::string blob = read_file(shop.store.path(layer.blob.digest));
  const auto position = IndexPosition::from_footers(std::string_view(blob).substr(blob.size() - 120), blob.size());
  REQUIRE(position);
  return parse_json(unpack_frame(blob.substr(position->toc_offset, position->toc_packed), kMaximumIndex, "a TOC"),
                    "a TOC");
}

oci::Layer write_chunked(Workshop& shop, const RootFilesystem& root, std::size_t threads = 2, int level = 3,
                         LayerForm form = LayerForm::chunked) {
  ThreadPool pool(threads);
  return write_layer({.name = "all", .entries = root}, {.level = level, .form = form}, 0, shop.store, pool, shop.events,
                     {});
}

RootFilesystem sample(Workshop& shop) {
  std::map<std::string, std::string> files = {{"app", noise(3'000'000)},
                                              {"app again", noise(3'000'000)},
                                              {"empty", ""},
                                              {"zeros", std::string(kZerosMaximum + 5000, '\0')},
                                              {"mixed", text_with_zeros(7)},
                                              {"name \"\\\n\x01\u00fc", "x"}};
  for (int i = 0; i < 3000; ++i) files[cat("many/", i % 7, "/", i)] = cat("file ", i);
  write_tree(shop.tree, files);
  fs::create_symlink("app", shop.tree / "link");
  shop.plan.image.files = {{".", "/srv", ""}};
  return shop.compose();
}

}  // namespace

TEST_CASE("chunks are those of their definition, however the content arrives") {
  for (std::uint32_t seed = 0; seed < 6; ++seed) {
    const std::string text = text_with_zeros(seed);
    const std::vector<ChunkSpan> defined = defined_chunks(text);
    CHECK(defined.size() > 10);
    for (const std::size_t piece : {std::size_t{997}, std::size_t{131'072}, text.size()}) {
      CHECK(chunks_of(text, piece) == defined);
    }
  }
}

TEST_CASE("chunks have a maximum, of zeros one byte less") {
  const std::string unbroken(2 * kChunkMaximum + 7, 'x');
  CHECK(chunks_of(unbroken, 100'000) ==
        std::vector<ChunkSpan>{{kChunkMaximum, false}, {kChunkMaximum, false}, {7, false}});
  const std::string zeros(2 * kZerosMaximum + 7, '\0');
  CHECK(chunks_of(zeros, 100'000) == std::vector<ChunkSpan>{{kZerosMaximum, true}, {kZerosMaximum, true}, {7, true}});
  // A run that begins before the maximum is reached keeps its beginning.
  const std::string late = std::string(kChunkMaximum - 10, 'x') + std::string(kZerosMinimum, '\0') + "x";
  CHECK(chunks_of(late, 4096) == defined_chunks(late));
  CHECK(chunks_of(late, 4096).front() == ChunkSpan{kChunkMaximum - 10, false});
  CHECK(chunks_of(std::string(1023, '\0'), 512) == std::vector<ChunkSpan>{{1023, false}});
  CHECK(chunks_of("", 1).empty());
}

TEST_CASE("a checksum is that of the standard, however the bytes come") {
  Crc64 crc;
  crc.update(bytes_of("12345"));
  crc.update(bytes_of("6789"));
  CHECK(crc.value() == 0xB90956C775A41001);
  CHECK(Crc64{}.value() == 0);
  Crc64 whole, parts;
  const std::string text = noise(1000);
  whole.update(bytes_of(text));
  for (std::size_t at = 0; at < text.size(); at += 7) parts.update(bytes_of(std::string_view(text).substr(at, 7)));
  CHECK(whole.value() == parts.value());
}

TEST_CASE("a chunked layer is the same for 1, 2 and 8 threads, and its tar is that of the plain layer") {
  Workshop shop;
  const RootFilesystem root = sample(shop);
  const oci::Layer layer = write_chunked(shop, root);
  for (const std::size_t threads : {1, 8}) {
    const oci::Layer again = write_chunked(shop, root, threads);
    CHECK(again.blob == layer.blob);
    CHECK(again.diff_id == layer.diff_id);
  }
  CHECK(layer.diff_id == shop.write(root).diff_id);
  CHECK(digest_of(read_file(shop.tar_of(layer))) == layer.diff_id.digest);
  CHECK(diff_id_of(shop.store, layer.blob) == layer.diff_id);
}

TEST_CASE("every chunk of the table of contents unpacks alone to what its digest says") {
  Workshop shop;
  const RootFilesystem root = sample(shop);
  for (const int level : {1, 12}) {
    const oci::Layer layer = write_chunked(shop, root, 2, level);
    const std::string blob = read_file(shop.store.path(layer.blob.digest));
    std::vector<Json> chunks;
    const Json toc = toc_of(shop, layer);
    for (const Json& entry : toc.at("entries")) {
      if (entry.contains("offset")) chunks.push_back(entry);
    }
    CHECK(chunks.size() > 3010);
    for (std::size_t i = 0; i < chunks.size(); ++i) {
      const Json& chunk = chunks[i];
      const bool is_last = i + 1 == chunks.size() || chunks[i + 1].at("type") == "reg";
      const Json& end = is_last ? chunk.at("endOffset") : chunks[i + 1].at("offset");
      const auto offset = chunk.at("offset").get<std::uint64_t>(), size = chunk.at("chunkSize").get<std::uint64_t>();
      const std::string plain =
          unpack_frame(std::string_view(blob).substr(offset, end.get<std::uint64_t>() - offset), size, "a chunk");
      CHECK(plain.size() == size);
      CHECK(digest_of(plain).str() == chunk.at("chunkDigest").get<std::string>());
    }
  }
}

TEST_CASE("small layers, and those whose names are not UTF-8, are plain") {
  Workshop shop;
  const auto is_chunked = [&](LayerForm form) {
    return !write_chunked(shop, shop.compose(), 2, 3, form).blob.annotations.empty();
  };
  write_tree(shop.tree, {{"a", noise(kChunkedMinimum - 1000)}});
  shop.plan.image.files = {{"a", "/a", ""}};
  shop.plan.image.certificates = "never";
  CHECK(is_chunked(LayerForm::chunked));
  CHECK_FALSE(is_chunked(LayerForm::plain));
  CHECK_FALSE(is_chunked(LayerForm::automatic));
  write_tree(shop.tree, {{"a", noise(kChunkedMinimum)}});
  CHECK(is_chunked(LayerForm::automatic));
  shop.plan.image.files.push_back({"a", "/latin\xe9", ""});
  CHECK_FALSE(is_chunked(LayerForm::chunked));
}

TEST_CASE("a layer whose table of contents Podman would refuse is plain") {
  Workshop shop;
  RootFilesystem root;
  const std::string target(100'000, 't');
  for (int i = 0; i < 1600; ++i) {
    root[cat("link ", i)] = {.node = Link{target}, .mode = 0777, .origin = "test", .reason = {}};
  }
  const oci::Layer layer = write_chunked(shop, root);
  CHECK(layer.blob.annotations.empty());
  CHECK(layer.blob == shop.write(root).blob);
  root.erase(root.find("link 1000"), root.end());
  CHECK_FALSE(write_chunked(shop, root).blob.annotations.empty());
}

TEST_CASE("the form and its parameters are part of a layer's identity, and of the cache's answer") {
  CHECK(compression_identity({.level = 3, .form = LayerForm::chunked}) ==
        "whittle.layer/v2 zstd 1.5.4 level 3 frames 1048576 rows chunks rollsum 524288 1048576 zeros 1024 1048575");
  CHECK(compression_identity({.level = 3, .form = LayerForm::automatic}) ==
        compression_identity({.level = 3, .form = LayerForm::chunked}) + " from 1048576");
  Workshop shop;
  shop.plan.image.certificates = "never";
  shop.program("/bin/app", noise(2'000'000));
  const oci::Image image = shop.assemble();
  const oci::Image again = shop.assemble();
  CHECK(again.manifest == image.manifest);
  const oci::Manifest manifest =
      oci::Manifest::decode(shop.store.read(image.manifest, oci::kMaximumManifest), "a manifest");
  CHECK_FALSE(manifest.layers.front().annotations.contains(std::string(kTocChecksumKey)));
  CHECK(manifest.layers.back().annotations.contains(std::string(kTocChecksumKey)));
  CHECK_FALSE(manifest.layers.back().annotations.contains(std::string(kStargzTocKey)));
}

TEST_CASE("footers are read back only as they are written") {
  const IndexPosition position{.toc_offset = 108,
                               .toc_packed = 50,
                               .toc_size = 70,
                               .tar_split_offset = 166,
                               .tar_split_packed = 34,
                               .tar_split_size = 90};
  const std::string footers = position.footers();
  REQUIRE(footers.size() == 120);
  CHECK(IndexPosition::from_footers(footers, 320) == position);
  CHECK_FALSE(IndexPosition::from_footers(footers, 321));
  for (std::size_t at = 0; at < footers.size(); ++at) {
    std::string broken = footers;
    broken[at] = static_cast<char>(broken[at] ^ 1);
    // Both footers have the TOC's unpacked size, and only the TOC itself can contradict the tar-split's.
    const bool is_size_of_tar_split = at >= 8 + 48 && at < 8 + 56;
    CHECK(IndexPosition::from_footers(broken, 320).has_value() == is_size_of_tar_split);
  }
}

namespace {

// A layer whose table of contents and tar-split say something else, with digests and footers that fit it again.
oci::Descriptor spoiled(
    Workshop& shop, const oci::Layer& layer, const std::function<void(Json&)>& change_toc,
    const std::function<void(std::string&)>& change_tar_split = [](std::string&) {}) {
  const std::string blob = read_file(shop.store.path(layer.blob.digest));
  IndexPosition position = *IndexPosition::from_footers(std::string_view(blob).substr(blob.size() - 120), blob.size());
  Json toc = toc_of(shop, layer);
  std::string tar_split =
      unpack_frame(blob.substr(position.tar_split_offset, position.tar_split_packed), 1 << 30, "a tar-split");
  change_tar_split(tar_split);
  PackedText tar_split_frame(3), toc_frame(3);
  tar_split_frame.append(tar_split);
  const std::string packed_tar_split = tar_split_frame.finish();
  toc["tarSplitDigest"] = digest_of(packed_tar_split).str();
  change_toc(toc);
  toc_frame.append(canonical_json(toc));
  const std::string packed_toc = toc_frame.finish();
  position.toc_packed = packed_toc.size();
  position.toc_size = toc_frame.plain_size();
  position.tar_split_offset = position.toc_offset + packed_toc.size() + 8;
  position.tar_split_packed = packed_tar_split.size();
  position.tar_split_size = tar_split.size();
  const auto skippable = [](const std::string& frame) {
    std::string size;
    for (int shift = 0; shift < 32; shift += 8) size += static_cast<char>(frame.size() >> shift & 0xFF);
    return cat("\x50\x2a\x4d\x18", size, frame);
  };
  return shop.store.put(cat(blob.substr(0, position.toc_offset - 8), skippable(packed_toc), skippable(packed_tar_split),
                            position.footers()),
                        oci::media_type::kLayerZstd);
}

Json& entry_of(Json& toc, std::string_view name, std::string_view type = "reg") {
  for (Json& entry : toc["entries"]) {
    if (entry["name"] == name && entry["type"] == type) return entry;
  }
  throw std::runtime_error("no such entry");
}

}  // namespace

TEST_CASE("a layer as it was written has no contradictions") {
  Workshop shop;
  const RootFilesystem root = sample(shop);
  for (const LayerForm form : {LayerForm::chunked, LayerForm::plain}) {
    CHECK(check_chunked(shop.store, write_chunked(shop, root, 2, 3, form).blob) == std::vector<std::string>{});
  }
}

TEST_CASE("whatever the table of contents or the tar-split says otherwise than the tar is found") {
  Workshop shop;
  const oci::Layer layer = write_chunked(shop, sample(shop));
  const auto first_problem = [&](const oci::Descriptor& blob) {
    const std::vector<std::string> problems = check_chunked(shop.store, blob);
    return problems.empty() ? "none" : problems.front();
  };
  const auto of_toc = [&](const std::function<void(Json&)>& change) {
    return first_problem(spoiled(shop, layer, change));
  };
  CHECK(of_toc([](Json&) {}) == "none");
  CHECK(of_toc([](Json& toc) { entry_of(toc, "srv/app")["mode"] = 0600; }) ==
        "the mode of `srv/app` is `644`, the table of contents says `600`");
  CHECK(of_toc([](Json& toc) { entry_of(toc, "srv/app")["uid"] = 1; }) ==
        "the uid of `srv/app` is 0, the table of contents says 1");
  CHECK(of_toc([](Json& toc) { entry_of(toc, "srv/link", "symlink")["linkName"] = "/etc"; }) ==
        "the linkName of `srv/link` is `app`, the table of contents says `/etc`");
  CHECK(of_toc([](Json& toc) { entry_of(toc, "srv/empty")["modtime"] = "2020-01-01T00:00:00Z"; }) ==
        "the time of `srv/empty` is `1970-01-01T00:00:00Z`, the table of contents says `2020-01-01T00:00:00Z`");
  CHECK(of_toc([](Json& toc) {
          entry_of(toc, "srv/empty")["xattrs"] = {{"user.a", "YQ=="}};
        }) == "the attributes of `srv/empty` is `{}`, the table of contents says `{\"user.a\":\"YQ==\"}`");
  CHECK(of_toc([](Json& toc) { entry_of(toc, "srv/empty")["name"] = "srv/full"; }) ==
        "the table of contents and the tar-split do not name the same entries");
  CHECK(of_toc([](Json& toc) { toc["entries"].erase(toc["entries"].size() - 1); }) ==
        "the table of contents and the tar-split do not name the same entries");
  CHECK(of_toc([](Json& toc) {
          entry_of(toc, "srv/app")["digest"] = digest_of("x").str();
        }).starts_with("the digest of `srv/app` is"));
  CHECK(of_toc([](Json& toc) {
          entry_of(toc, "srv/mixed")["chunkDigest"] = digest_of("x").str();
        }).starts_with("the digest of the chunk of `srv/mixed` at 0 is"));
  CHECK(of_toc([](Json& toc) { entry_of(toc, "srv/mixed")["chunkType"] = "zeros"; }) ==
        "the chunk of `srv/mixed` at 0 is not of zeros");
  CHECK(of_toc([](Json& toc) {
          entry_of(toc, "srv/mixed")["offset"] = 1;
        }).starts_with("the chunk of `srv/mixed` at 0 "));
  CHECK(of_toc([](Json& toc) { entry_of(toc, "srv/many/1/1")["endOffset"] = std::uint64_t{1} << 60; }) ==
        "the chunk of `srv/many/1/1` at 0 is not inside the layer");
  CHECK(
      of_toc([](Json& toc) { toc["tarSplitDigest"] = digest_of("x").str(); }).starts_with("the tar-split's digest is"));
  CHECK(of_toc([](Json& toc) { toc = Json::array(); }).starts_with("the table of contents"));
  CHECK(of_toc([](Json& toc) { toc["entries"] = {1, 2}; }).starts_with("the table of contents"));

  const auto of_tar_split = [&](const std::function<void(std::string&)>& change) {
    return first_problem(spoiled(
        shop, layer, [](Json&) {}, change));
  };
  CHECK(of_tar_split([](std::string& lines) { lines.resize(lines.rfind("{\"type\"")); }) ==
        "the tar-split does not fit the tar: it ends before the tar does");
  CHECK(of_tar_split([](std::string& lines) {
          const std::size_t at = lines.find("\"size\":3000000,\"payload\":\"") + 27;
          lines[at] = lines[at] == 'A' ? 'B' : 'A';
        }) == "the tar-split does not fit the tar: the checksum of `srv/app` is another");
  CHECK(of_tar_split([](std::string& lines) { lines += "{}\n"; }).starts_with("the tar-split"));
}

TEST_CASE("annotations that do not fit the blob are found") {
  Workshop shop;
  const oci::Layer layer = write_chunked(shop, sample(shop));
  for (const auto& [key, value] : layer.blob.annotations) {
    oci::Descriptor wrong = layer.blob;
    wrong.annotations[key] = "1";
    CHECK(check_chunked(shop.store, wrong) ==
          std::vector<std::string>{cat(key, " is `", value, "`, the annotation says `1`")});
  }
  oci::Descriptor plain = shop.write(shop.compose()).blob;
  plain.annotations = layer.blob.annotations;
  CHECK(check_chunked(shop.store, plain) ==
        std::vector<std::string>{"its annotations promise footers that are not there"});
}

TEST_CASE("the dual form is an index of two manifests over the same blobs") {
  Workshop shop;
  shop.plan.layers.form = "dual";
  CHECK(shop.assemble().manifest.media_type == oci::media_type::kManifest);  // nothing to describe twice
  shop.program("/bin/app", noise(2'000'000));
  const oci::Image image = shop.assemble();
  CHECK(image.manifest.media_type == oci::media_type::kIndex);
  const oci::Index index = oci::Index::decode(shop.store.read(image.manifest, oci::kMaximumManifest), "an index");
  REQUIRE(index.manifests.size() == 2);
  CHECK(index.manifests[0].annotations.empty());
  CHECK(index.manifests[1].annotations == oci::Annotations{{"io.github.containers.compression.zstd", "true"}});
  const auto last_layer = [&](std::size_t number) {
    const std::string text = shop.store.read(index.manifests[number], oci::kMaximumManifest);
    return oci::Manifest::decode(text, "a manifest").layers.back();
  };
  CHECK(last_layer(0).digest == last_layer(1).digest);
  CHECK(last_layer(0).annotations.contains(std::string(kStargzTocKey)));
  CHECK_FALSE(last_layer(0).annotations.contains(std::string(kTocChecksumKey)));
  CHECK(last_layer(1).annotations.contains(std::string(kTocChecksumKey)));
  CHECK_FALSE(last_layer(1).annotations.contains(std::string(kStargzTocKey)));
  CHECK(oci::validate(shop.store, image.manifest, diff_id_of).empty());
  CHECK(check_chunked_layers(shop.store, image.manifest).empty());
  CHECK(oci::load_image(shop.store, image.manifest, *image.manifest.platform).layers.size() == image.layers.size());
}
