#include "builder/host_libraries.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "builder/debian_packages.hpp"

namespace whittle::builder {

namespace {

std::optional<fs::path> host_library(std::string_view name, std::string_view suffix, std::string_view platform) {
  if (name.find('/') != std::string_view::npos) return std::nullopt;
  for (const fs::path& folder : library_folders(platform)) {
    std::error_code ignored;
    fs::path file = folder / cat("lib", name, suffix);
    if (fs::is_regular_file(file, ignored)) return file;
  }
  return std::nullopt;
}

}  // namespace

std::string multiarch_tuple(std::string_view platform) {
  const std::string_view architecture = platform.substr(platform.find('/') + 1);
  if (architecture == "amd64") return "x86_64-linux-gnu";
  if (architecture == "arm64") return "aarch64-linux-gnu";
  if (architecture.starts_with("arm")) return "arm-linux-gnueabihf";
  return cat(architecture, "-linux-gnu");
}

std::vector<fs::path> library_folders(std::string_view platform) {
  const std::string tuple = multiarch_tuple(platform);
  return {"/usr/local/lib", fs::path("/usr/lib") / tuple, fs::path("/lib") / tuple, "/usr/lib64", "/usr/lib", "/lib"};
}

std::optional<fs::path> host_archive(std::string_view name, std::string_view platform) {
  return host_library(name, ".a", platform);
}

std::optional<fs::path> host_shared_library(std::string_view name, std::string_view platform) {
  return host_library(name, ".so", platform);
}

bool host_has_library(std::string_view name, std::string_view platform) {
  std::vector<std::string> names = names_of_library(name);
  const std::string small = lower(name);
  names.insert(names.end(), {std::string(name), small, small.starts_with("lib") ? small.substr(3) : small});
  return std::any_of(names.begin(), names.end(), [&](const std::string& one) {
    return host_archive(one, platform) || host_shared_library(one, platform);
  });
}

std::string host_module_with(std::string_view name, std::string_view text, std::string_view platform) {
  std::vector<fs::path> folders = library_folders(platform);
  folders.emplace_back("/usr/share");
  const std::string wanted = cat("-l", name, " ");
  for (const fs::path& folder : folders) {
    std::error_code problem;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder / "pkgconfig", problem)) {
      const std::string module = entry.path().stem().native();
      const std::string library = module.starts_with("lib") ? module.substr(3) : module;
      const bool is_spoken_of = library != name && (text.find(cat("-l", library, " ")) != std::string_view::npos ||
                                                    text.find(cat("lib", library, ".a")) != std::string_view::npos);
      if (!is_spoken_of || entry.path().extension() != ".pc") continue;
      for (const std::string& line : split_lines(read_file_if_exists(entry.path(), 1 << 20).value_or(""))) {
        if (line.starts_with("Libs") && cat(line, " ").find(wanted) != std::string::npos) return module;
      }
    }
  }
  return {};
}

bool host_has_header(std::string_view name, std::string_view platform) {
  std::error_code ignored;
  for (const fs::path& folder : {fs::path("/usr/local/include"), fs::path("/usr/include") / multiarch_tuple(platform),
                                 fs::path("/usr/include")}) {
    if (fs::is_regular_file(folder / name, ignored)) return true;
  }
  return false;
}

}  // namespace whittle::builder
