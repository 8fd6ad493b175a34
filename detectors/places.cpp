#include "detectors/places.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/text.hpp"

namespace whittle::detectors {

namespace {

constexpr std::array<std::string_view, 5> kCppExtensions = {"cc", "cpp", "cxx", "c++", "C"};

}  // namespace

std::string folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? "." : std::string(path.substr(0, slash));
}

std::string stem_of(std::string_view path) {
  const std::string name = last_part(path);
  return name.substr(0, name.rfind('.'));
}

std::string extension_of(std::string_view path) {
  const std::string name = last_part(path);
  const std::size_t dot = name.rfind('.');
  return dot == std::string::npos ? std::string() : name.substr(dot + 1);
}

std::string joined(std::string_view folder, std::string_view path) {
  std::vector<std::string> parts;
  for (const std::string& part : split(cat(folder, "/", path), '/')) {
    if (part.empty() || part == ".") continue;
    if (part == ".." && !parts.empty() && parts.back() != "..") {
      parts.pop_back();
    } else {
      parts.push_back(part);
    }
  }
  return parts.empty() ? "." : join(parts, "/");
}

bool is_c(std::string_view path) {
  return extension_of(path) == "c";
}

bool is_cpp(std::string_view path) {
  const std::string extension = extension_of(path);
  return std::find(kCppExtensions.begin(), kCppExtensions.end(), extension) != kCppExtensions.end();
}

std::vector<std::string> c_sources(const plan::SourceTree& tree) {
  std::vector<std::string> found;
  for (const plan::Node& node : tree.nodes()) {
    if (node.kind != plan::NodeKind::file || (!is_c(node.path) && !is_cpp(node.path))) continue;
    if (!is_aside(node.path)) found.push_back(node.path);
  }
  return found;
}

std::string step_folder(const Surroundings& surroundings, std::string_view path) {
  return joined("src", joined(surroundings.app_in_context, path));
}

std::string source_folder(const Surroundings& surroundings) {
  return surroundings.app_in_context == "." ? "${source}" : cat("${source}/", surroundings.app_in_context);
}

std::string from_application(const Surroundings& surroundings, std::string_view path) {
  if (surroundings.app_in_context == ".") return std::string(path);
  std::string up;
  for (const std::string& part : split(surroundings.app_in_context, '/')) {
    if (!part.empty() && part != ".") up += "../";
  }
  return cat(up, path);
}

std::string safe_name(std::string_view text) {
  std::string name;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain =
        byte < 0x80 && (std::isalnum(byte) != 0 || ((c == '.' || c == '_' || c == '-') && !name.empty()));
    if (is_plain) {
      name += c;
    } else if (!name.empty() && name.back() != '-') {
      name += '-';
    }
  }
  while (!name.empty() && std::isalnum(static_cast<unsigned char>(name.back())) == 0) name.pop_back();
  return name.empty() ? "app" : name;
}

Error failure(std::string_view file, int line, std::string why) {
  Error error(Exit::detector_failed, cat("cannot read ", backticked(file)));
  error.at(line > 0 ? cat(file, ":", line) : std::string(file)).cause(std::move(why));
  return error;
}

std::vector<std::string> build_arguments(const plan::Config& config) {
  return config.args ? config.args->values : std::vector<std::string>{};
}

bool accepts_libraries(const plan::Config& config) {
  return config.link && config.link->value == "closure";
}

bool is_wanted(const plan::Config& config, std::string_view name, std::string_view path) {
  if (!config.targets) return true;
  const std::vector<std::string>& wanted = config.targets->values;
  return std::any_of(wanted.begin(), wanted.end(), [&](const std::string& target) {
    return target == name || (path != "." && joined(".", target) == path) || target == cat("./", path);
  });
}

}  // namespace whittle::detectors
