#include <random>
#include <set>

#include "tests/layers/support.hpp"

using namespace whittle;
using namespace whittle::layers;

namespace {

// About 25 kB a file, few of them large, as in a language's distribution.
RootFilesystem assets(std::uint32_t seed, int files) {
  std::mt19937 random(seed);
  RootFilesystem root;
  root.emplace("tree", Entry{.node = Folder{}, .group = Entry::Group::asset, .origin = {}, .reason = {}});
  for (int i = 0; i < files; ++i) {
    const std::string folder = cat("tree/", random() % 100);
    root.emplace(folder, Entry{.node = Folder{}, .group = Entry::Group::asset, .origin = {}, .reason = {}});
    const std::uint64_t size = i % 500 == 0 ? random() % 20'000'000 : random() % 50'000;
    root.emplace(cat(folder, "/", random()),
                 Entry{.node = File{.size = size}, .group = Entry::Group::asset, .origin = "files", .reason = {}});
  }
  return root;
}

std::uint64_t content_of(const Slice& slice) {
  std::uint64_t sum = 0;
  for (const auto& [path, entry] : slice.entries) {
    if (const auto* const file = std::get_if<File>(&entry.node)) sum += file->size;
  }
  return sum;
}

// What a slice would be as a layer: its files and their sizes.
std::set<std::string> contents_of(const RootFilesystem& root) {
  std::set<std::string> contents;
  for (const Slice& slice : partition(root)) {
    std::string text;
    for (const auto& [path, entry] : slice.entries) {
      if (const auto* const file = std::get_if<File>(&entry.node)) text += cat(path, "\n", file->size, "\n");
    }
    contents.insert(digest_of(text).hex());
  }
  return contents;
}

std::size_t slices_made_anew(const RootFilesystem& before, const RootFilesystem& after) {
  const std::set<std::string> old = contents_of(before);
  std::size_t count = 0;
  for (const std::string& slice : contents_of(after)) count += old.contains(slice) ? 0 : 1;
  return count;
}

}  // namespace

TEST_CASE("much content is cut into slices of a moderate size, in the order of the paths") {
  const RootFilesystem root = assets(1, 8'000);
  const std::vector<Slice> slices = partition(root);
  CHECK(slices.size() > 6);
  RootFilesystem merged;
  std::string last;
  for (const Slice& slice : slices) {
    if (&slice != &slices.back()) CHECK(content_of(slice) >= kSliceMinimum);
    CHECK(content_of(slice) < 3 * kSliceMinimum + 20'000'000);
    for (const auto& [path, entry] : slice.entries) {
      if (std::holds_alternative<File>(entry.node)) {
        CHECK(path > last);
        last = path;
      }
      merged.emplace(path, entry);
    }
  }
  CHECK(merged.size() == root.size());
  CHECK(slices.front().name == "assets");
  CHECK(slices.at(1).name.starts_with("assets from tree/"));
}

TEST_CASE("models and large files lie before the code, which leaves their layer alone") {
  const auto file = [](std::uint64_t size, unsigned mode = 0644) {
    return Entry{
        .node = File{.size = size}, .mode = mode, .group = Entry::Group::asset, .origin = "files", .reason = {}};
  };
  RootFilesystem root;
  root.emplace("app/main.py", file(2000));
  root.emplace("app/model/iris.TFLITE", file(600));
  root.emplace("app/bundle.js", file(17 << 20));
  root.emplace("app/readings.csv", file(17 << 20));
  root.emplace("app/small.csv", file(8 << 10));
  root.emplace("app/tool", file(17 << 20, 0755));
  root.emplace("app.tflite/notes", file(10));
  root.emplace("lib/weights.onnx",
               Entry{.node = File{.size = 10}, .group = Entry::Group::dependency, .origin = "step"});
  const auto names_of = [](const std::vector<Slice>& slices) {
    std::string text;
    for (const Slice& slice : slices) {
      text += cat(slice.name, ":");
      for (const auto& [path, entry] : slice.entries) text += cat(" ", path);
      text += "\n";
    }
    return text;
  };
  CHECK(names_of(partition(root)) ==
        "dependencies: lib/weights.onnx\n"
        "data: app/model/iris.TFLITE app/readings.csv\n"
        "assets: app.tflite/notes app/bundle.js\n"
        "assets from app/main.py: app/main.py app/small.csv app/tool\n");
  const std::set<std::string> before = contents_of(root);
  std::get<File>(root.at("app/main.py").node).size = 2001;
  std::size_t kept = 0;
  for (const std::string& slice : contents_of(root)) kept += before.contains(slice) ? 1 : 0;
  CHECK(kept == 3);
}

TEST_CASE("a group never has more than a few dozen slices") {
  RootFilesystem root;
  for (int i = 0; i < 3000; ++i) {
    root.emplace(cat("file ", i),
                 Entry{.node = File{.size = 100 << 20}, .group = Entry::Group::asset, .origin = "files", .reason = {}});
  }
  CHECK(partition(root).size() <= 33);
}

TEST_CASE("programs have a layer each while they are few") {
  const auto slices_of = [](int programs) {
    RootFilesystem root;
    for (int i = 0; i < programs; ++i) {
      root.emplace(cat("program ", 100 + i),
                   Entry{.node = File{.size = 1000}, .group = Entry::Group::program, .origin = "step", .reason = {}});
    }
    return partition(root);
  };
  CHECK(slices_of(20).size() == 20);
  CHECK(slices_of(20).front().name == "program program 100");
  CHECK(slices_of(200).size() == 1);
  CHECK(slices_of(200).front().entries.size() == 200);
}

TEST_CASE("a file that comes, goes or grows changes the slice around it and hardly ever another") {
  const RootFilesystem before = assets(2, 20'000);
  std::mt19937 random(3);
  std::size_t made_anew = 0;
  constexpr int kTrials = 60;
  for (int trial = 0; trial < kTrials; ++trial) {
    RootFilesystem after = before;
    const auto chosen = std::next(after.begin(), static_cast<std::ptrdiff_t>(random() % after.size()));
    if (auto* const file = std::get_if<File>(&chosen->second.node); file != nullptr && trial % 3 == 0) {
      file->size += 1 + random() % 10'000;
    } else if (file != nullptr && trial % 3 == 1) {
      after.erase(chosen);
    } else {
      after.emplace(
          cat("tree/", random() % 100, "/new"),
          Entry{
              .node = File{.size = random() % 50'000}, .group = Entry::Group::asset, .origin = "files", .reason = {}});
    }
    const std::size_t count = slices_made_anew(before, after);
    CHECK(count >= 1);
    CHECK(count <= 4);
    made_anew += count;
  }
  CHECK(made_anew < kTrials * 13 / 10);
}
