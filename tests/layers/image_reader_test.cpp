#include "layers/image_reader.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "base/tar.hpp"
#include "tests/layers/support.hpp"

using namespace whittle;
using namespace whittle::layers;

namespace {

using Kind = TarHeader::Kind;

std::string file(std::string path, std::string_view content = "", unsigned mode = 0644) {
  std::string bytes =
      tar_header({.path = std::move(path), .size = content.size(), .mode = mode, .link = {}, .attributes = {}});
  return cat(bytes, content, std::string(tar_padding(content.size()), '\0'));
}
std::string folder(std::string path, unsigned mode = 0755) {
  return tar_header({.path = std::move(path), .kind = Kind::folder, .mode = mode, .link = {}, .attributes = {}});
}
std::string symbolic(std::string path, std::string target) {
  return tar_header({.path = std::move(path),
                     .kind = Kind::symbolic_link,
                     .mode = 0777,
                     .link = std::move(target),
                     .attributes = {}});
}
std::string hard(std::string path, std::string target) {
  return tar_header({.path = std::move(path), .kind = Kind::hard_link, .link = std::move(target), .attributes = {}});
}
std::string device(std::string path) {
  std::string block = file(std::move(path));
  block[156] = '3';
  block.replace(148, 8, 8, ' ');
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  char digits[8];
  std::snprintf(digits, sizeof digits, "%06o", sum);
  return block.replace(148, 7, digits, 7);
}

struct Reading : Workshop {
  fs::path target = around.path() / "target";
  fs::path outside = around.path() / "outside";
  Reading() {
    make_folders(target);
    write_tree(outside, {{"precious", "unharmed"}});
  }

  oci::Image image_of(const std::vector<std::string>& tars) {
    oci::Image image;
    for (const std::string& tar : tars) {
      const std::string bytes = tar + std::string(1024, '\0');
      image.layers.push_back({.blob = store.put(bytes, oci::media_type::kLayerTar), .diff_id = {digest_of(bytes)}});
    }
    return image;
  }
  std::string listing(const std::vector<std::string>& tars) {
    std::vector<std::string> lines;
    for (const auto& [path, one] : list_files(store, image_of(tars))) lines.push_back(cat(path, "@", one.layer));
    return join(lines, " ");
  }
  // What is on disk after unpacking must be what the listing says.
  std::string unpacked(const std::vector<std::string>& tars) {
    const oci::Image image = image_of(tars);
    remove_tree(target);
    make_folders(target);
    unpack(store, image, target, false, events, {});
    std::vector<std::string> paths;
    for (const auto& entry : fs::recursive_directory_iterator(target)) {
      paths.push_back(entry.path().lexically_relative(target).native());
    }
    std::sort(paths.begin(), paths.end());
    std::vector<std::string> listed;
    for (const auto& [path, one] : list_files(store, image)) listed.push_back(path);
    CHECK(join(paths, " ") == join(listed, " "));
    return join(paths, " ");
  }
  std::string refusal(const std::vector<std::string>& tars) {
    std::string text = error_of([&] { unpack(store, image_of(tars), target, false, events, {}); });
    CHECK(read_file(outside / "precious") == "unharmed");
    CHECK(std::distance(fs::directory_iterator(outside), fs::directory_iterator()) == 1);
    return text;
  }
};

}  // namespace

TEST_CASE("what was assembled is read back, listed and unpacked") {
  Reading shop;
  write_tree(shop.tree, {{"a", "1"}, {"b", "1"}, {"deep/er/c", std::string(3'000'000, 'c')}});
  fs::create_symlink("../a", shop.tree / "deep/link");
  shop.program("/bin/app", "program");
  shop.plan.image.files = {{".", "/srv", ""}};
  const oci::Image image = shop.assemble();
  const auto files = list_files(shop.store, image);
  for (const auto& [path, entry] : shop.compose()) {
    REQUIRE(files.contains(path));
    CHECK(files.at(path).entry.mode == entry.mode);
  }
  CHECK(files.at("bin/app").layer == 2);
  CHECK(files.at("srv/b").entry.kind == ArchiveEntry::Kind::hard_link);
  unpack(shop.store, image, shop.target, ::geteuid() == 0, shop.events, {});
  CHECK(read_file(shop.target / "srv/deep/er/c").size() == 3'000'000);
  CHECK(read_file(shop.target / "srv/deep/link") == "1");
  CHECK(fs::equivalent(shop.target / "srv/a", shop.target / "srv/b"));
  CHECK((fs::status(shop.target / "tmp").permissions() & fs::perms::mask) == static_cast<fs::perms>(01777));
  CHECK((fs::status(shop.target / "bin/app").permissions() & fs::perms::mask) == static_cast<fs::perms>(0755));
}

TEST_CASE("gzip and plain layers are read too") {
  Reading shop;
  const std::string tar = cat(file("a", "content"), std::string(1024, '\0'));
  write_file(shop.around.path() / "layer", tar);
  const std::string zipped = output_of({"gzip", "-nc", shop.around.path() / "layer"});
  const oci::Descriptor blob = shop.store.put(zipped, oci::media_type::kLayerGzip);
  CHECK(diff_id_of(shop.store, blob).digest == digest_of(tar));
  CHECK(
      list_files(shop.store, {.manifest = {}, .config = {}, .layers = {{.blob = blob, .diff_id = {}}}}).contains("a"));
}

TEST_CASE("upper layers replace and remove what lower ones have") {
  Reading shop;
  const std::string lower = cat(folder("d"), file("d/a", "1"), file("d/b", "2"), folder("d/sub"), file("d/sub/c"),
                                file("keep"), file("turn"));
  CHECK(shop.listing({lower, file("d/a", "new")}) == "d@0 d/a@1 d/b@0 d/sub@0 d/sub/c@0 keep@0 turn@0");
  CHECK(shop.unpacked({lower, file("d/.wh.a")}) == "d d/b d/sub d/sub/c keep turn");
  CHECK(shop.unpacked({lower, file(".wh.d")}) == "keep turn");
  CHECK(shop.unpacked({lower, cat(folder("d"), file("d/.wh..wh..opq"), file("d/new"))}) == "d d/new keep turn");
  CHECK(shop.unpacked({lower, cat(folder("d"), file("d/new"), file("d/.wh..wh..opq"))}) == "d d/new keep turn");
  CHECK(shop.unpacked({lower, cat(file("d/a", "x"), file("d/.wh.a"))}) == "d d/a d/b d/sub d/sub/c keep turn");
  CHECK(shop.unpacked({lower, file(".wh..wh..opq")}) == "");
  CHECK(shop.unpacked({lower, file("d", "a file now")}) == "d keep turn");
  CHECK(shop.unpacked({lower, cat(folder("turn"), file("turn/x"))}) == "d d/a d/b d/sub d/sub/c keep turn turn/x");
  CHECK(shop.unpacked({lower, file(".wh.nothing")}) == "d d/a d/b d/sub d/sub/c keep turn");
}

TEST_CASE("a path twice in one layer is the last one") {
  Reading shop;
  CHECK(shop.unpacked({cat(file("a", "first"), file("a", "second"), folder("b"), folder("b"), file("b/x"),
                           hard("a", "a"))}) == "a b b/x");
  CHECK(read_file(shop.target / "a") == "second");
}

TEST_CASE("entries that leave the root are refused, by the lister too") {
  Reading shop;
  for (const std::string& tar : {file("../outside/new"), file("/etc/new"), file("a/../../outside/new"), folder(".."),
                                 hard("mine", "../outside/precious"), hard("mine", "/etc/passwd")}) {
    const std::string text = shop.refusal({tar});
    CHECK(text.starts_with("refused to read the layer sha256:"));
    CHECK(text.find("it leaves the root") != std::string::npos);
    CHECK_THROWS_AS(shop.listing({tar}), Error);
  }
}

TEST_CASE("nothing is written, linked or removed through a symbolic link") {
  Reading shop;
  const std::string link = symbolic("out", shop.outside);
  const std::string relative = symbolic("out", "../outside");
  for (const std::string& way : {link, relative}) {
    CHECK(shop.refusal({cat(way, file("out/new", "x"))}).find("it leads through a link or a file") !=
          std::string::npos);
    CHECK(shop.refusal({way, file("out/new", "x")}).find("it leads through a link or a file") != std::string::npos);
    CHECK(shop.refusal({way, file("out/.wh.precious")}).find("it leads through a link or a file") != std::string::npos);
    CHECK(shop.refusal({cat(way, folder("out/below"))}).find("it leads through a link or a file") != std::string::npos);
    CHECK(shop.refusal({cat(way, hard("mine", "out/precious"))}).find("it leads through a link or a file") !=
          std::string::npos);
  }
  // A chain of links, the advisory's favourite.
  CHECK(shop.refusal({cat(symbolic("a", "."), symbolic("a/b", ".."), file("a/b/new"))}) != "none");
  // Opaque marks act in the folder itself, never in what a link of its name leads to.
  CHECK(shop.refusal({link, file("out/.wh..wh..opq")}) != "none");
}

TEST_CASE("the root is not a layer's to replace, nor to link") {
  Reading shop;
  for (const std::string path : {".", "./", "./."}) {
    for (const std::string& tar : {symbolic(path, shop.outside), symbolic(path, "../outside"), file(path, "x"),
                                   hard(path, "keep"), device(path)}) {
      shop.refusal({file("keep", "x"), tar, file("new", "y")});
      CHECK_FALSE(fs::is_symlink(fs::symlink_status(shop.target)));
      CHECK(fs::is_directory(shop.target));
      remove_tree(shop.target);
      make_folders(shop.target);
    }
  }
  CHECK(shop.refusal({hard("mine", ".")}) != "none");
}

TEST_CASE("a hard link does not mean a file of the working folder") {
  Reading shop;
  const fs::path before = fs::current_path();
  fs::current_path(shop.outside);
  const std::string text = shop.refusal({hard("mine", "precious")});
  fs::current_path(before);
  CHECK(text.find("cannot link `mine` to `precious`") != std::string::npos);
}

TEST_CASE("modes and owners are not set through a link that took a folder's place") {
  Reading shop;
  const auto mode = [&] { return fs::status(shop.outside).permissions(); };
  fs::permissions(shop.outside, fs::perms::owner_all);
  for (const std::string& link : {symbolic("d", shop.outside), symbolic("d", "../outside")}) {
    shop.refusal({folder("d", 0777), link});
    shop.refusal({cat(folder("d", 0777), link)});
    shop.refusal({cat(folder("d", 0777), folder("d/sub", 0777)), cat(file(".wh.d"), link)});
    shop.refusal({cat(link, folder("d", 0777)), link});
    CHECK(mode() == fs::perms::owner_all);
    remove_tree(shop.target);
    make_folders(shop.target);
  }
}

TEST_CASE("a folder or file in the place of a link replaces the link") {
  Reading shop;
  CHECK(shop.refusal({cat(symbolic("out", shop.outside), folder("out"), file("out/new", "x"))}) == "none");
  CHECK(fs::is_directory(fs::symlink_status(shop.target / "out")));
  CHECK(shop.refusal({cat(symbolic("f", (shop.outside / "precious").native()), file("f", "x"))}) == "none");
  CHECK(read_file(shop.target / "f") == "x");
}

TEST_CASE("removals that name no file are refused") {
  Reading shop;
  for (const std::string path : {".wh.", ".wh..", ".wh...", "a/.wh...", ".wh..wh.plnk"}) {
    CHECK(shop.refusal({file(path)}).find("it removes no name that could be there") != std::string::npos);
  }
}

TEST_CASE("devices are left out with a note, set-user-ID bits are dropped") {
  Reading shop;
  CHECK(shop.refusal({cat(device("null"), file("su", "x", 04755), folder("sticky", 01777))}) == "none");
  CHECK_FALSE(fs::exists(shop.target / "null"));
  struct stat status {};
  REQUIRE(::stat((shop.target / "su").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0755);
  bool noted = false;
  for (const Event& event : shop.events.events()) {
    const auto* const note = std::get_if<Note>(&event);
    noted = noted || (note != nullptr && note->text == "`/null` is left out: it is a device, a pipe or a socket");
  }
  CHECK(noted);
}

TEST_CASE("a hard link without its file is refused") {
  Reading shop;
  CHECK(shop.refusal({hard("a", "nothing")}).find("cannot link `a` to `nothing`") != std::string::npos);
}

TEST_CASE("a layer that claims more than it has, or is damaged, is refused") {
  Reading shop;
  const std::string huge = tar_header({.path = "f", .size = 1ULL << 40, .link = {}, .attributes = {}});
  CHECK(shop.refusal({huge}).find("it holds more than") != std::string::npos);
  const std::string cut = tar_header({.path = "f", .size = 1ULL << 20, .link = {}, .attributes = {}});
  CHECK(shop.refusal({cut}).find("truncated tar archive") != std::string::npos);
  const oci::Image image = shop.image_of({file("a", "x")});
  write_file(shop.store.path(image.layers[0].blob.digest), cat(file("a", "y"), std::string(1024, '\0')));
  CHECK_THROWS_WITH_AS(
      list_files(shop.store, image),
      cat("the blob ", image.layers[0].blob.digest.str(), " in `", shop.store.root().native(), "` is damaged").c_str(),
      Error);
}

TEST_CASE("a file of zeros that was sparse is unpacked with holes, byte for byte") {
  Reading shop;
  std::string content(100 << 20, '\0');
  content.replace(0, 5, "begin");
  content.replace((50 << 20) + 77, 6, "middle");
  content.replace(content.size() - 3, 3, "end");
  write_tree(shop.tree, {{"disk", content}});
  shop.plan.image.files = {{".", "/", ""}};
  for (const std::string form : {"plain", "chunked"}) {
    shop.plan.layers.form = form;
    const oci::Image image = shop.assemble();
    CHECK(oci::validate(shop.store, image.manifest, diff_id_of).empty());
    remove_tree(shop.target);
    make_folders(shop.target);
    unpack(shop.store, image, shop.target, false, shop.events, {});
    CHECK((read_file(shop.target / "disk", 1 << 30) == content));
    struct stat status {};
    REQUIRE(::stat((shop.target / "disk").c_str(), &status) == 0);
    CHECK(status.st_blocks * 512 < 4 << 20);
  }
}

TEST_CASE("folders without write permission can be filled, and end up without it") {
  Reading shop;
  CHECK(shop.refusal({cat(folder("locked", 0555), file("locked/a", "x"), folder("locked/in", 0500),
                          file("locked/in/b"))}) == "none");
  CHECK((fs::status(shop.target / "locked").permissions() & fs::perms::mask) == static_cast<fs::perms>(0555));
  CHECK(read_file(shop.target / "locked/a") == "x");
}
