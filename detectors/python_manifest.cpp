#include "detectors/python_manifest.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <span>

#include "base/error.hpp"
#include "base/text.hpp"
#include "base/toml.hpp"
#include "detectors/places.hpp"
#include "plan/versions.hpp"

namespace whittle::detectors {

namespace {

// Build systems whose business is compiling.
constexpr std::array<std::string_view, 6> kCompilers = {"maturin",         "scikit_build_core", "setuptools_rust",
                                                        "setuptools-rust", "mesonpy",           "skbuild"};

Json table_at(const Json& object, const char* key) {
  if (!object.is_object() || !object.contains(key) || !object[key].is_object()) return Json::object();
  return object[key];
}

PythonRequirement requirement_at(std::string_view text, const std::string& file, int line) {
  try {
    return parse_python_requirement(text);
  } catch (const Error& error) {
    throw failure(file, line, error.causes().back());
  }
}

class Pyproject {
 public:
  Pyproject(const TomlDocument& document, PythonManifest& manifest) : document_(document), manifest_(manifest) {}

  void read() {
    const Json& root = document_.root;
    read_build_system(table_at(root, "build-system"));
    if (root.contains("project")) read_project(table_at(root, "project"));
    const Json tool = table_at(root, "tool");
    if (tool.contains("poetry")) read_poetry(table_at(tool, "poetry"));
    manifest_.is_application = manifest_.is_application || root.contains("build-system");
  }

 private:
  std::string place(const std::string& pointer) const { return cat("pyproject.toml:", document_.line(pointer)); }

  void read_build_system(const Json& system) {
    std::string all = json_text(system, "build-backend");
    for (const Json& one : system.value("requires", Json::array())) {
      if (one.is_string()) all += cat(" ", one.get<std::string>());
    }
    for (const std::string_view compiler : kCompilers) {
      if (all.find(compiler) != std::string::npos) {
        manifest_.compiled_by = cat(compiler, " (", place("/build-system"), ")");
      }
    }
  }

  void read_project(const Json& project) {
    manifest_.is_application = true;
    manifest_.file = "pyproject.toml";
    manifest_.name = {json_text(project, "name"), place("/project/name")};
    manifest_.version = json_text(project, "version");
    if (const std::string wanted = json_text(project, "requires-python"); !wanted.empty()) {
      manifest_.constraint = {wanted, place("/project/requires-python")};
    }
    const Json dependencies = project.value("dependencies", Json::array());
    for (std::size_t i = 0; dependencies.is_array() && i < dependencies.size(); ++i) {
      if (!dependencies[i].is_string()) continue;
      manifest_.dependencies.push_back(requirement_at(dependencies[i].get<std::string>(), "pyproject.toml",
                                                      document_.line(cat("/project/dependencies/", i))));
    }
    manifest_.dependencies_file = "pyproject.toml";
    read_scripts(table_at(project, "scripts"), "/project/scripts/");
  }

  void read_scripts(const Json& scripts, const std::string& pointer) {
    for (const auto& [name, value] : scripts.items()) {
      const std::string target = value.is_string() ? value.get<std::string>() : json_text(value, "reference");
      if (target.empty()) continue;
      manifest_.scripts.push_back({name, std::string(trim(target.substr(0, target.find('[')))), place(pointer + name)});
    }
  }

  void read_poetry(const Json& poetry) {
    manifest_.is_application = true;
    manifest_.file = "pyproject.toml";
    if (manifest_.name.value.empty()) manifest_.name = {json_text(poetry, "name"), place("/tool/poetry/name")};
    if (manifest_.version.empty()) manifest_.version = json_text(poetry, "version");
    const Json dependencies = table_at(poetry, "dependencies");
    for (const auto& [name, value] : dependencies.items()) {
      const std::string pointer = cat("/tool/poetry/dependencies/", name);
      if (lower(name) == "python") {
        if (manifest_.constraint.value.empty() && value.is_string()) {
          manifest_.constraint = {pep440_of_poetry(value.get<std::string>()), place(pointer)};
        }
        continue;
      }
      const bool is_optional = value.is_object() && value.contains("optional") && value["optional"] == true;
      if (!is_optional) add_poetry_dependency(name, value, document_.line(pointer));
    }
    if (!dependencies.empty()) manifest_.dependencies_file = "pyproject.toml";
    read_scripts(table_at(poetry, "scripts"), "/tool/poetry/scripts/");
  }

  void add_poetry_dependency(const std::string& name, const Json& value, int line) {
    const Json& first = value.is_array() && !value.empty() ? value[0] : value;
    PythonRequirement requirement = requirement_at(name, "pyproject.toml", line);
    requirement.specifier =
        pep440_of_poetry(first.is_string() ? first.get<std::string>() : json_text(first, "version"));
    requirement.marker = json_text(first, "markers");
    requirement.url = json_text(first, "url");
    if (first.is_object()) {
      for (const Json& extra : first.value("extras", Json::array())) {
        if (extra.is_string()) requirement.extras.insert(python_name(extra.get<std::string>()));
      }
    }
    const auto known = std::find_if(manifest_.dependencies.begin(), manifest_.dependencies.end(),
                                    [&](const PythonRequirement& one) { return one.name == requirement.name; });
    if (known == manifest_.dependencies.end()) manifest_.dependencies.push_back(std::move(requirement));
  }

  const TomlDocument& document_;
  PythonManifest& manifest_;
};

// Sections of `key = value` where a value goes on in indented lines.
struct IniValue {
  std::vector<std::string> lines;
  int line = 0;
};

std::map<std::string, IniValue> parse_ini(std::string_view text) {
  std::map<std::string, IniValue> values;
  std::string section;
  IniValue* open = nullptr;
  int number = 0;
  for (const std::string& raw : split_lines(text)) {
    ++number;
    const std::string_view line = trim(raw);
    if (line.empty() || line.starts_with('#') || line.starts_with(';')) continue;
    const bool is_indented = raw.front() == ' ' || raw.front() == '\t';
    if (is_indented && open != nullptr) {
      open->lines.emplace_back(line);
      continue;
    }
    if (line.starts_with('[')) {
      section = line.substr(1, line.find(']') - 1);
      open = nullptr;
      continue;
    }
    const std::size_t equals = line.find_first_of("=:");
    if (equals == std::string_view::npos) continue;
    open = &values[cat(section, "/", trim(line.substr(0, equals)))];
    open->line = number;
    if (const std::string_view value = trim(line.substr(equals + 1)); !value.empty()) open->lines.emplace_back(value);
  }
  return values;
}

void add_script(PythonManifest& manifest, std::string_view text, std::string source) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) return;
  manifest.scripts.push_back(
      {std::string(trim(text.substr(0, equals))), std::string(trim(text.substr(equals + 1))), std::move(source)});
}

void read_setup_cfg(const std::string& text, PythonManifest& manifest) {
  std::map<std::string, IniValue> values = parse_ini(text);
  const auto first = [&](const char* key) {
    const auto found = values.find(key);
    return found == values.end() || found->second.lines.empty() ? std::string() : found->second.lines.front();
  };
  if (!values.contains("metadata/name") && !values.contains("options/packages")) return;
  manifest.is_application = true;
  manifest.file = "setup.cfg";
  if (manifest.name.value.empty())
    manifest.name = {first("metadata/name"), cat("setup.cfg:", values["metadata/name"].line)};
  if (manifest.version.empty() && first("metadata/version").find(':') == std::string::npos)
    manifest.version = first("metadata/version");
  if (manifest.constraint.value.empty() && !first("options/python_requires").empty()) {
    manifest.constraint = {first("options/python_requires"), cat("setup.cfg:", values["options/python_requires"].line)};
  }
  const IniValue& required = values["options/install_requires"];
  for (const std::string& line : required.lines)
    manifest.dependencies.push_back(requirement_at(line, "setup.cfg", required.line));
  if (!required.lines.empty()) manifest.dependencies_file = "setup.cfg";
  const IniValue& scripts = values["options.entry_points/console_scripts"];
  for (const std::string& line : scripts.lines) add_script(manifest, line, cat("setup.cfg:", scripts.line));
}

// The literal texts of `name = [ … ]` or `name = "…"` in a call; what only Python can compute is left out.
std::vector<std::string> literals_of(std::string_view text, std::string_view name, std::size_t* where = nullptr) {
  std::size_t at = 0;
  for (;;) {
    at = text.find(name, at);
    if (at == std::string_view::npos) return {};
    std::size_t next = at + name.size();
    while (next < text.size() && (text[next] == ' ' || text[next] == '\'' || text[next] == '"')) ++next;
    if (next < text.size() && (text[next] == '=' || text[next] == ':')) {
      if (where != nullptr) *where = at;
      at = next + 1;
      break;
    }
    at = next;
  }
  while (at < text.size() && std::isspace(static_cast<unsigned char>(text[at])) != 0) ++at;
  const bool is_list = at < text.size() && (text[at] == '[' || text[at] == '(');
  std::vector<std::string> found;
  for (std::size_t i = is_list ? at + 1 : at; i < text.size();) {
    const char c = text[i];
    if (c == ']' || c == ')') break;
    if (c == '#') i = std::min(text.find('\n', i), text.size() - 1);
    if (c == '"' || c == '\'') {
      const std::size_t end = text.find(c, i + 1);
      if (end == std::string_view::npos) break;
      found.emplace_back(text.substr(i + 1, end - i - 1));
      i = end;
      if (!is_list) break;
    } else if (!is_list) {
      break;
    }
    ++i;
  }
  return found;
}

void read_setup_py(const std::string& text, PythonManifest& manifest) {
  if (text.find("setup(") == std::string::npos) return;
  manifest.is_application = true;
  if (manifest.file.empty()) manifest.file = "setup.py";
  std::size_t at = 0;
  const auto first = [&](std::string_view name) {
    const std::vector<std::string> found = literals_of(text, name, &at);
    return found.empty() ? std::string() : found.front();
  };
  const std::string name = first("name");
  if (manifest.name.value.empty() && !name.empty()) manifest.name = {name, cat("setup.py:", line_at(text, at))};
  if (manifest.version.empty()) manifest.version = first("version");
  const std::string wanted = first("python_requires");
  if (manifest.constraint.value.empty() && !wanted.empty())
    manifest.constraint = {wanted, cat("setup.py:", line_at(text, at))};
  if (manifest.dependencies_file.empty()) {
    for (const std::string& one : literals_of(text, "install_requires", &at)) {
      manifest.dependencies.push_back(requirement_at(one, "setup.py", line_at(text, at)));
    }
    if (!manifest.dependencies.empty()) manifest.dependencies_file = "setup.py";
  }
  if (manifest.scripts.empty()) {
    for (const std::string& one : literals_of(text, "console_scripts", &at)) {
      add_script(manifest, one, cat("setup.py:", line_at(text, at)));
    }
  }
  if (text.find("ext_modules") != std::string::npos || text.find("cythonize(") != std::string::npos) {
    manifest.compiled_by = cat(
        "extension modules (setup.py:",
        line_at(text, text.find(text.find("ext_modules") != std::string::npos ? "ext_modules" : "cythonize(")), ")");
  }
}

void read_pipfile(const TomlDocument& document, PythonManifest& manifest) {
  manifest.is_application = true;
  if (manifest.file.empty()) manifest.file = "Pipfile";
  const Json requirements = table_at(document.root, "requires");
  for (const char* key : {"python_full_version", "python_version"}) {
    if (const std::string version = json_text(requirements, key); !version.empty() && manifest.pin.value.empty()) {
      manifest.pin = {version, cat("Pipfile:", document.line(cat("/requires/", key)))};
    }
  }
  if (!manifest.dependencies_file.empty()) return;
  const Json packages = table_at(document.root, "packages");
  for (const auto& [name, value] : packages.items()) {
    PythonRequirement requirement = requirement_at(name, "Pipfile", document.line(cat("/packages/", name)));
    const std::string version = value.is_string() ? value.get<std::string>() : json_text(value, "version");
    requirement.specifier = version == "*" ? "" : pep440_of_poetry(version);
    requirement.marker = json_text(value, "markers");
    if (value.is_object()) {
      for (const Json& extra : value.value("extras", Json::array())) {
        if (extra.is_string()) requirement.extras.insert(python_name(extra.get<std::string>()));
      }
    }
    manifest.dependencies.push_back(std::move(requirement));
  }
  manifest.dependencies_file = "Pipfile";
}

std::string release_of(std::span<const std::uint64_t> numbers) {
  return plan::version_of(numbers.first(std::min<std::size_t>(3, numbers.size())));
}

}  // namespace

std::string python_constraint(std::string_view specifier) {
  std::string out;
  const auto add = [&](std::string_view text) { out += cat(out.empty() ? "" : ",", text); };
  for (const std::string& raw : split(specifier, ',')) {
    std::string part;
    for (const char c : raw) part += c == ' ' ? "" : std::string(1, c);
    const std::size_t digits = part.find_first_of("0123456789");
    if (digits == std::string::npos || part.starts_with("!=")) continue;
    const std::string sign = part.substr(0, digits), version = part.substr(digits);
    std::vector<std::uint64_t> numbers = plan::numbers_of(version);
    if (numbers.empty()) continue;
    if (sign == "~=" && numbers.size() > 1) {
      std::vector<std::uint64_t> end(numbers.begin(), numbers.end() - 1);
      ++end.back();
      add(cat(">=", release_of(numbers), ",<", release_of(end)));
    } else if (sign == "==" || sign == "===" || sign.empty()) {
      add(cat("=", release_of(numbers)));
    } else {
      add(cat(sign, release_of(numbers)));
    }
  }
  return out;
}

PythonManifest read_python_manifest(const plan::SourceTree& tree) {
  PythonManifest manifest;
  constexpr int kFailed = static_cast<int>(Exit::detector_failed);
  if (const auto text = tree.read_if_exists("pyproject.toml")) {
    const TomlDocument document = parse_toml(*text, "pyproject.toml", kFailed);
    Pyproject(document, manifest).read();
  }
  if (const auto text = tree.read_if_exists("setup.cfg")) read_setup_cfg(*text, manifest);
  if (const auto text = tree.read_if_exists("setup.py")) read_setup_py(*text, manifest);
  if (const auto text = tree.read_if_exists("Pipfile")) {
    const TomlDocument document = parse_toml(*text, "Pipfile", kFailed);
    read_pipfile(document, manifest);
  }
  if (manifest.version.empty()) manifest.version = "0.0.0";
  return manifest;
}

}  // namespace whittle::detectors
