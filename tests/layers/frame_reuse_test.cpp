#include <fcntl.h>
#include <sys/stat.h>

#include "tests/layers/support.hpp"

using namespace whittle;
using namespace whittle::layers;

namespace {

struct Project : Workshop {
  Project() {
    plan.image.files = {{".", "/srv", ""}};
    std::map<std::string, std::string> files;
    for (std::uint32_t i = 0; i < 200; ++i) files[cat("small/", i)] = noise(3000 + i, i + 1);
    files["large"] = noise(5'000'000, 300) + std::string(100'000, 'x');
    write_tree(tree, files);
  }

  fs::path remembered() const { return around.path() / "cache"; }
};

// The last note about chunks that were copied: "N of M".
std::string copied(const Workshop& shop) {
  std::string last = "none";
  for (const Event& event : shop.events.events()) {
    const auto* const note = std::get_if<Note>(&event);
    const std::size_t end = note == nullptr ? std::string::npos : note->text.find(" chunks copied");
    if (end != std::string::npos) last = note->text.substr(0, end).substr(note->text.rfind(": ", end) + 2);
  }
  return last;
}

// What the present tree comes to when nothing was ever built.
Digest made_from_nothing(const Project& project) {
  Project other;
  remove_tree(other.tree);
  fs::copy(project.tree, other.tree, fs::copy_options::recursive);
  other.plan = project.plan;
  const oci::Image image = other.assemble();
  CHECK(copied(other) == "none");
  return image.manifest.digest;
}

}  // namespace

TEST_CASE("the chunks that did not change are copied, and the bytes are those of a layer made from nothing") {
  Project project;
  project.assemble();
  CHECK(copied(project) == "none");
  write_tree(project.tree, {{"small/77", noise(3000, 400)}, {"added", noise(4000, 401)}});
  std::string large = read_file(project.tree / "large");
  large.insert(2'500'000, "in the middle");
  write_tree(project.tree, {{"large", large}});

  const oci::Image image = project.assemble();
  const std::string note = copied(project);
  const std::size_t of = note.find(" of ");
  REQUIRE(of != std::string::npos);
  const std::uint64_t count = *parse_number(note.substr(0, of)), all = *parse_number(note.substr(of + 4));
  CHECK(count >= 199 + 2);  // the small files, and what lies before and behind the change
  CHECK(count <= all - 3);
  CHECK(image.manifest.digest == made_from_nothing(project));
  CHECK(oci::validate(project.store, image.manifest, diff_id_of).empty());
}

TEST_CASE("a file that was only touched is read, and copied whole") {
  Project project;
  const oci::Image first = project.assemble();
  for (const auto& entry : fs::recursive_directory_iterator(project.tree)) {
    if (entry.is_regular_file()) fs::last_write_time(entry.path(), fs::file_time_type::clock::now());
  }
  CHECK(project.assemble().manifest.digest == first.manifest.digest);
  const std::string note = copied(project);
  CHECK(note.substr(0, note.find(" of ")) == note.substr(note.find(" of ") + 4));
}

TEST_CASE("frames of another level, or of a damaged layer, are not copied") {
  Project project;
  const oci::Image first = project.assemble();
  project.plan.layers.level = 5;
  project.assemble();
  CHECK(copied(project) == "none");

  project.plan.layers.level = 3;
  const fs::path blob = project.store.path(first.layers.at(1).blob.digest);
  std::string bytes = read_file(blob);
  bytes[1000] ^= 1;
  write_file(blob, bytes);
  write_tree(project.tree, {{"small/0", "changed"}});
  const oci::Image image = project.assemble();
  CHECK(copied(project) == "none");
  CHECK(image.manifest.digest == made_from_nothing(project));
}

TEST_CASE("a frame that rotted, unnoticed by the blob's time, is not copied") {
  Project project;
  const oci::Image first = project.assemble();
  const fs::path blob = project.store.path(first.layers.at(1).blob.digest);
  struct stat before {};
  REQUIRE(::stat(blob.c_str(), &before) == 0);
  std::string bytes = read_file(blob);
  for (std::size_t at = 2000; at < bytes.size() / 2; at += 500) bytes[at] ^= 1;
  std::ofstream(blob, std::ios::binary) << bytes;
  const timespec times[2] = {before.st_atim, before.st_mtim};
  REQUIRE(::utimensat(AT_FDCWD, blob.c_str(), times, 0) == 0);
  write_tree(project.tree, {{"small/0", "changed"}});
  const oci::Image image = project.assemble();
  CHECK(copied(project) != "none");  // what is still intact
  CHECK(image.manifest.digest == made_from_nothing(project));
}

TEST_CASE("a record of frames that is damaged, cut short or of another layer changes nothing") {
  Project project;
  project.assemble();
  std::vector<fs::path> records;
  for (const auto& entry : fs::directory_iterator(project.remembered())) {
    if (entry.path().filename().native().starts_with("frames-")) records.push_back(entry.path());
  }
  REQUIRE(records.size() == 1);
  const std::string record = read_file(records[0]);
  for (const std::size_t size : {std::size_t{0}, std::size_t{50}, record.size() - 56, record.size()}) {
    std::string damaged = record.substr(0, size);
    if (size == record.size()) damaged[100] ^= 4;
    write_file(records[0], damaged);
    write_tree(project.tree, {{"small/0", cat("changed ", size)}});
    CHECK(project.assemble().manifest.digest == made_from_nothing(project));
    CHECK(copied(project) == "none");
  }
}

TEST_CASE("a record of frames is read as it was written") {
  const FrameRecord record{
      .blob = digest_of("blob"),
      .blob_size = 0x123456789A,
      .frames = {{.offset = 0x1122334455,
                  .packed_size = 7,
                  .plain_size = 9,
                  .digest = digest_of("a"),
                  .checksum = 0x8877665544332211},
                 {.offset = 1, .packed_size = 0xFFFFFFFF, .plain_size = 1 << 20, .digest = digest_of("b")}}};
  const std::optional<FrameRecord> again = FrameRecord::decode(record.encode());
  REQUIRE(again);
  CHECK(again->blob == record.blob);
  CHECK(again->blob_size == record.blob_size);
  REQUIRE(again->frames.size() == 2);
  CHECK(again->frames[0].offset == 0x1122334455);
  CHECK(again->frames[1].packed_size == 0xFFFFFFFF);
  CHECK(again->frames[1].plain_size == 1 << 20);
  CHECK(again->frames[1].digest == digest_of("b"));
  CHECK(again->frames[0].checksum == 0x8877665544332211);
}
