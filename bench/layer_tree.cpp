// layer_tree FOLDER STORE THREADS LEVEL [FORM]: a folder → zstd layers in an OCI layout's blobs, by the code that
// `whittle build` uses and nothing else, so that whole processes can be compared with `tar | zstd`.
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/event.hpp"
#include "base/text.hpp"
#include "layers/assembler.hpp"
#include "layers/root_filesystem.hpp"

namespace {

using namespace whittle;

plan::BuildPlan plan_of(const fs::path& folder) {
  plan::BuildPlan plan;
  plan.name = "tree";
  plan.platform = "linux/amd64";
  plan.image.certificates = "never";
  plan.image.timezones.clear();
  plan.image.files = {{.source = folder.filename().native() + "/", .path = "/tree", .mode = ""}};
  return plan;
}

std::uint64_t number(const std::string& word) {
  const std::optional<std::uint64_t> value = parse_number(word);
  if (!value) throw Error(Exit::usage, cat(backticked(word), " is not a number"));
  return *value;
}

void write_layers(const fs::path& folder, const fs::path& store_folder, std::uint64_t threads,
                  const plan::LayerSettings& settings) {
  RecordingEvents events;
  ThreadPool pool(threads);
  oci::BlobStore store(store_folder);
  const TemporaryFolder forgotten(store_folder.parent_path());
  layers::LayerCache cache(forgotten.path());
  plan::BuildPlan plan = plan_of(folder);
  plan.layers = settings;
  layers::RootFilesystem root = layers::compose(plan, {}, {}, folder.parent_path(), {}, events);
  const std::vector<layers::Slice> slices = layers::partition(std::move(root));
  const oci::Image image = layers::assemble(plan, slices, store, cache, pool, events, {});
  for (const oci::Layer& layer : image.layers) std::cout << layer.blob.digest.str() << ' ' << layer.blob.size << '\n';
}

}  // namespace

int main(int count, char** words) {
  const std::vector<std::string> arguments(words + 1, words + count);
  if (arguments.size() != 4 && arguments.size() != 5) {
    std::cerr << "usage: layer_tree FOLDER STORE THREADS LEVEL [auto|plain|chunked]\n";
    return 2;
  }
  try {
    const fs::path folder = fs::canonical(arguments[0]);
    const plan::LayerSettings settings{.level = static_cast<int>(number(arguments[3])),
                                       .form = arguments.size() == 5 ? arguments[4] : "plain"};
    write_layers(folder, arguments[1], number(arguments[2]), settings);
    return 0;
  } catch (const Error& error) {
    std::cerr << "error: " << error.message() << '\n';
    for (const std::string& cause : error.causes()) std::cerr << "  caused by: " << cause << '\n';
    return static_cast<int>(error.exit());
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << '\n';
    return 1;
  }
}
