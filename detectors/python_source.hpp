// Python files read line by line, as far as it takes to see what they serve and whether they can be started.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plan/source_tree.hpp"

namespace whittle::detectors {

// `app = FastAPI()` at the top of a file, or `def create_app():`.
struct WebApplication {
  std::string framework;  // as it is written: "FastAPI"
  std::string object;     // "app", "create_app()"
  bool is_asgi = false;
  bool is_factory = false;
  int line = 0;
};

struct PythonFile {
  std::string path;    // relative to the application
  std::string module;  // "shop.api", as seen from where modules are looked for
  std::optional<WebApplication> web;
  int main_line = 0;                 // of `if __name__ == "__main__":`; 0: none
  bool main_serves = false;          // by a development server: `app.run()`
  std::vector<std::string> imports;  // top-level names
};

// The folder that modules are looked for in: "src" where packages lie there, else ".".
std::string python_root(const plan::SourceTree& tree);

PythonFile read_python_file(std::string_view text, std::string path, std::string_view root);

// Those of the product: not tests, not virtual environments; the nearest to the root first.
std::vector<PythonFile> python_files(const plan::SourceTree& tree);

}  // namespace whittle::detectors
