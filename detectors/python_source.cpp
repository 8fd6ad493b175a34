#include "detectors/python_source.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/text.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

constexpr std::size_t kMostFiles = 3000, kDeepest = 4;
constexpr std::uint64_t kLargest = 1 << 20;

struct Framework {
  std::string_view call;
  bool is_asgi;
  std::string_view object = {};  // what of the object serves: Dash has it in `server`
};

constexpr std::array kFrameworks = {
    Framework{"FastAPI", true},
    Framework{"Starlette", true},
    Framework{"Quart", true},
    Framework{"Litestar", true},
    Framework{"Sanic", true},
    Framework{"BlackSheep", true},
    Framework{"Esmerald", true},
    Framework{"Robyn", true},
    Framework{"FastHTML", true},
    Framework{"FastMCP", true},
    Framework{"ASGIApp", true},
    Framework{"AsyncApp", true},
    Framework{"Flask", false},
    Framework{"APIFlask", false},
    Framework{"OpenAPI", false},
    Framework{"Bottle", false},
    Framework{"Falcon", false},
    Framework{"FlaskApp", false},
    Framework{"Dash", false, ".server"},
    Framework{"get_asgi_application", true},
    Framework{"get_wsgi_application", false},
    Framework{"make_wsgi_app", false},
};

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

std::string word_at(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size() && is_word(text[end])) ++end;
  return std::string(text.substr(0, end));
}

// The last name of a call: "App" of `falcon.asgi.App(…)`.
struct Call {
  std::string owner, name;
};

std::optional<Call> call_of(std::string_view text) {
  std::string owner, name;
  for (;;) {
    name = word_at(text);
    if (name.empty()) return std::nullopt;
    text.remove_prefix(name.size());
    if (text.starts_with('(')) return Call{owner, name};
    if (!text.starts_with('.')) return std::nullopt;
    owner += cat(owner.empty() ? "" : ".", name);
    text.remove_prefix(1);
  }
}

// `NAME = CALL(` or `NAME: TYPE = CALL(` at the line's start.
std::optional<WebApplication> application_in(const std::string& line) {
  const std::string name = word_at(line);
  if (name.empty()) return std::nullopt;
  const std::size_t equals = line.find('=');
  if (equals == std::string::npos || equals + 1 >= line.size() || line[equals + 1] == '=') return std::nullopt;
  const std::string_view between = trim(std::string_view(line).substr(name.size(), equals - name.size()));
  if (!between.empty() && !between.starts_with(':')) return std::nullopt;
  const std::optional<Call> call = call_of(trim(std::string_view(line).substr(equals + 1)));
  if (!call) return std::nullopt;
  for (const Framework& framework : kFrameworks) {
    if (framework.call != call->name) continue;
    return WebApplication{
        .framework = std::string(framework.call), .object = cat(name, framework.object), .is_asgi = framework.is_asgi};
  }
  if (call->name == "App" && call->owner.starts_with("falcon")) {
    return WebApplication{.framework = "falcon", .object = name, .is_asgi = call->owner == "falcon.asgi"};
  }
  if (call->name == "Application" && call->owner.starts_with("blacksheep")) {
    return WebApplication{.framework = "BlackSheep", .object = name, .is_asgi = true};
  }
  return std::nullopt;
}

// What `def create_app():` makes, by what the file imports.
std::optional<WebApplication> factory_in(const std::string& line, const std::vector<std::string>& imports) {
  for (const std::string_view name : {"create_app", "make_app", "create_application", "get_app"}) {
    if (!line.starts_with(cat("def ", name, "("))) continue;
    for (const std::string& import : imports) {
      const bool is_asgi = import == "fastapi" || import == "starlette" || import == "quart" || import == "litestar";
      if (is_asgi || import == "flask") {
        const std::string framework = import == "fastapi" ? "FastAPI" : import == "flask" ? "Flask" : import;
        return WebApplication{
            .framework = framework, .object = std::string(name), .is_asgi = is_asgi, .is_factory = true};
      }
    }
  }
  return std::nullopt;
}

bool is_main_guard(std::string_view line) {
  return line.starts_with("if __name__") && line.find("__main__") != std::string_view::npos;
}

bool runs_development_server(std::string_view line) {
  const std::string_view text = trim(line);
  const std::size_t run = text.find(".run(");
  if (run == std::string_view::npos) return false;
  const std::string_view object = text.substr(0, run);
  return object == "app" || object == "application" || object == "server" || object.ends_with("create_app()") ||
         object == "socketio";
}

void add_imports(const std::string& line, std::vector<std::string>& imports) {
  const std::string_view text = trim(line);
  for (const std::string_view start : {"import ", "from "}) {
    if (!text.starts_with(start)) continue;
    const std::string name = word_at(trim(text.substr(start.size())));
    if (!name.empty() && std::find(imports.begin(), imports.end(), name) == imports.end()) imports.push_back(name);
  }
}

std::string module_of(std::string_view path, std::string_view root) {
  std::string text(path);
  if (root != "." && text.starts_with(cat(root, "/"))) text.erase(0, root.size() + 1);
  text.resize(text.size() - 3);
  if (text.ends_with("/__init__")) text.resize(text.size() - 9);
  std::replace(text.begin(), text.end(), '/', '.');
  return text;
}

bool is_of_the_product(const std::string& path) {
  if (is_aside(path) || path.find('\n') != std::string::npos || !is_utf8(path)) return false;
  const std::string name = last_part(path);
  if (name.starts_with("test_") || name.ends_with("_test.py") || name == "setup.py" || name == "conftest.py" ||
      name == "noxfile.py")
    return false;
  for (const std::string& part : split(path, '/')) {
    if (part.starts_with('.') || part == "venv" || part == "env" || part == "site-packages" || part == "migrations" ||
        part == "scripts" || part == "__pycache__" || part == "node_modules") {
      return false;
    }
  }
  return true;
}

}  // namespace

std::string python_root(const plan::SourceTree& tree) {
  if (tree.has("src/__init__.py")) return ".";
  return tree.glob("src/*/__init__.py").empty() && tree.glob("src/*/__main__.py").empty() ? "." : "src";
}

PythonFile read_python_file(std::string_view text, std::string path, std::string_view root) {
  PythonFile file{
      .path = std::move(path), .module = {}, .web = {}, .main_line = 0, .main_serves = false, .imports = {}};
  file.module = module_of(file.path, root);
  int number = 0;
  for (const std::string& line : split_lines(text)) {
    ++number;
    add_imports(line, file.imports);
    if (is_main_guard(line)) file.main_line = number;
    if (file.main_line > 0 && runs_development_server(line)) file.main_serves = true;
    if (file.web && !file.web->is_factory) continue;
    std::optional<WebApplication> found = application_in(line);
    if (!found && !file.web) found = factory_in(line, file.imports);
    if (!found) continue;
    file.web = std::move(found);
    file.web->line = number;
  }
  return file;
}

std::vector<PythonFile> python_files(const plan::SourceTree& tree) {
  const std::string root = python_root(tree);
  std::vector<std::string> paths;
  for (const plan::Node& node : tree.nodes()) {
    if (node.kind != plan::NodeKind::file || !node.path.ends_with(".py") || !is_of_the_product(node.path)) continue;
    if (static_cast<std::size_t>(std::count(node.path.begin(), node.path.end(), '/')) <= kDeepest)
      paths.push_back(node.path);
  }
  std::stable_sort(paths.begin(), paths.end(), [](const std::string& a, const std::string& b) {
    return std::count(a.begin(), a.end(), '/') < std::count(b.begin(), b.end(), '/');
  });
  if (paths.size() > kMostFiles) paths.resize(kMostFiles);
  std::vector<PythonFile> files;
  for (std::string& path : paths) {
    const std::string text = tree.read_prefix(path, kLargest);
    files.push_back(read_python_file(text, std::move(path), root));
  }
  return files;
}

}  // namespace whittle::detectors
