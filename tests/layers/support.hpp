// What the tests of `layers/` share: trees on disk, a store, and programs that read layers.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "layers/assembler.hpp"
#include "layers/image_reader.hpp"
#include "oci/layout.hpp"
#include "oci/validate.hpp"

namespace whittle::layers {

// Megabytes that a test may grow by. Sanitizers keep what was freed.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr long kAllowance = 400;
#else
inline constexpr long kAllowance = 32;
#endif

inline std::string output_of(std::vector<std::string> argv) {
  SystemProcessRunner runner;
  const CapturedOutput output = run_captured(
      runner,
      {.argv = std::move(argv), .env = {{"PATH", std::getenv("PATH")}, {"LC_ALL", "C"}, {"TZ", "UTC"}}, .folder = {}});
  INFO(output.error);
  REQUIRE(output.result.status == 0);
  return output.out;
}

inline void write_tree(const fs::path& root, const std::map<std::string, std::string>& files) {
  make_folders(root);
  for (const auto& [path, content] : files) {
    make_folders((root / path).parent_path());
    std::ofstream(root / path, std::ios::binary) << content;
  }
}

// Text that does not compress, always the same.
inline std::string noise(std::size_t size, std::uint32_t seed = 1) {
  std::string text(size, '\0');
  for (char& c : text) {
    seed = seed * 1664525U + 1013904223U;
    c = static_cast<char>(seed >> 24);
  }
  return text;
}

template <class Function>
std::string error_of(Function&& body) {
  try {
    body();
  } catch (const Error& error) {
    std::string text = error.message();
    for (const std::string& cause : error.causes()) text += ": " + cause;
    for (const std::string& detail : error.details()) text += "; " + detail;
    return text;
  }
  return "none";
}

struct Workshop {
  TemporaryFolder around{fs::temp_directory_path()};
  fs::path tree = around.path() / "tree";
  RecordingEvents events;
  oci::Layout layout{around.path() / "store", oci::Layout::Open::create, events};
  oci::BlobStore& store = layout.blobs();
  LayerCache cache{around.path() / "cache"};
  ThreadPool pool{2};
  BaseFacts facts{.certificates = around.path() / "roots.crt", .time_zones = "/usr/share/zoneinfo"};
  plan::BuildPlan plan;
  plan::RuntimeNeeds needs;
  std::vector<plan::Artifact> artifacts;

  Workshop() {
    make_folders(tree);
    write_file(facts.certificates, "a root\n");
    plan.name = "app";
    plan.platform = "linux/amd64";
    plan.image.entrypoint = {"/bin/app"};
  }

  plan::Artifact& program(const std::string& installed, const std::string& content) {
    const fs::path file = around.path() / cat("built-", artifacts.size());
    write_file(file, content, 0755);
    artifacts.push_back({.file = file,
                         .installed = installed,
                         .origin = cat("step compile ", fs::path(installed).filename().native()),
                         .digest = digest_of(content),
                         .size = content.size()});
    return artifacts.back();
  }

  RootFilesystem compose() { return layers::compose(plan, artifacts, needs, tree, facts, events); }
  oci::Image assemble() {
    const RootFilesystem root = compose();
    return layers::assemble(plan, partition(root), store, cache, pool, events, {});
  }
  oci::Layer write(const RootFilesystem& entries, int level = 3) {
    return write_layer({.name = "all", .entries = entries}, {.level = level}, 0, store, pool, events, {});
  }
  // The tar stream of a layer, as the `zstd` program unpacks it.
  fs::path tar_of(const oci::Layer& layer) {
    const fs::path tar = around.path() / cat(layer.blob.digest.hex(), ".tar");
    output_of({"zstd", "-dqf", store.path(layer.blob.digest), "-o", tar});
    return tar;
  }
  std::vector<std::string> warnings() const {
    std::vector<std::string> texts;
    for (const Event& event : events.events()) {
      const auto* const note = std::get_if<Note>(&event);
      if (note != nullptr && note->level == Note::Level::warning) texts.push_back(note->text);
    }
    return texts;
  }
};

}  // namespace whittle::layers
