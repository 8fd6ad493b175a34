#include "detectors/python_start.hpp"

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/text.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

constexpr std::string_view kPort = "8000";

struct Server {
  std::string_view package, script;
  bool serves_asgi, serves_wsgi;
};

// In the order of preference.
constexpr std::array<Server, 7> kServers = {{{"uvicorn", "uvicorn", true, false},
                                             {"gunicorn", "gunicorn", false, true},
                                             {"hypercorn", "hypercorn", true, true},
                                             {"granian", "granian", true, true},
                                             {"waitress", "waitress-serve", false, true},
                                             {"daphne", "daphne", true, false},
                                             {"cheroot", "cheroot", false, true}}};

// Files that a reader would start first.
constexpr std::array<std::string_view, 13> kFirstNames = {
    "main.py", "app.py", "server.py",      "asgi.py",  "wsgi.py",    "start.py", "run.py",
    "bot.py",  "api.py", "application.py", "hello.py", "service.py", "index.py"};

// Scripts that are not called like their package.
struct Script {
  std::string_view package, script;
};
constexpr std::array<Script, 8> kScripts = {{{"waitress", "waitress-serve"},
                                             {"django", "django-admin"},
                                             {"rq", "rqworker"},
                                             {"huey", "huey_consumer"},
                                             {"apache-airflow", "airflow"},
                                             {"jupyterlab", "jupyter"},
                                             {"fastapi-cli", "fastapi"},
                                             {"pyramid", "pserve"}}};

std::string installed(const std::string& path) {
  return cat(kPythonApplication, "/", path);
}

std::vector<std::string> script_command(std::string_view folder, std::string_view script) {
  return {std::string(kPythonProgram), cat(folder, "/bin/", script)};
}

std::size_t rank_of(const std::string& path) {
  const std::string name = last_part(path);
  const auto* const found = std::find(kFirstNames.begin(), kFirstNames.end(), name);
  const auto depth = static_cast<std::size_t>(std::count(path.begin(), path.end(), '/'));
  return depth * 100 + (name == "__init__.py" ? 50U : static_cast<std::size_t>(found - kFirstNames.begin()));
}

std::vector<std::string> arguments_of(const Server& server, const WebApplication& web, const std::string& module) {
  const std::string port(kPort), target = cat(module, ":", web.object);
  if (server.package == "uvicorn") {
    std::vector<std::string> words = {"--host", "0.0.0.0", "--port", port};
    if (web.is_factory) words.emplace_back("--factory");
    words.push_back(target);
    return words;
  }
  const std::string called = web.is_factory ? cat(target, "()") : target;
  // Its workers prove that they live by a file, and the root is read-only.
  if (server.package == "gunicorn") return {"--bind", cat("0.0.0.0:", port), "--worker-tmp-dir", "/dev/shm", called};
  if (server.package == "hypercorn") return {"--bind", cat("0.0.0.0:", port), called};
  if (server.package == "granian")
    return {"--host", "0.0.0.0", "--port", port, "--interface", web.is_asgi ? "asgi" : "wsgi", target};
  if (server.package == "waitress") {
    std::vector<std::string> words = {cat("--listen=0.0.0.0:", port)};
    if (web.is_factory) words.emplace_back("--call");
    words.push_back(target);
    return words;
  }
  if (server.package == "daphne") return {"-b", "0.0.0.0", "-p", port, target};
  return {"--bind", cat("0.0.0.0:", port), target};
}

class Finder {
 public:
  explicit Finder(const PythonProject& project) : project_(project) {}

  PythonStart run() {
    add_scripts();
    if (!add_django()) add_web();
    if (start_.processes.empty()) add_streamlit();
    if (start_.processes.empty()) add_package();
    if (start_.processes.empty()) add_file();
    if (start_.processes.empty() && !project_.is_told) throw nothing_to_start();
    return std::move(start_);
  }

 private:
  void add(const std::string& name, std::vector<std::string> argv, const std::string& file, int line,
           std::string_view rule) {
    start_.values[cat("process ", name)] = {shell_line(argv), line > 0 ? cat(file, ":", line) : file};
    start_.evidence.push_back({file, line, std::string(rule)});
    start_.apps.push_back({name, ".", start_.processes.empty()});
    start_.processes[name] = std::move(argv);
  }

  void add_scripts() {
    for (const PythonScript& script : project_.manifest.scripts) {
      const std::string name = safe_name(script.name);
      std::vector<std::string> argv = script_command(kPythonProject, script.name);
      start_.values[cat("process ", name)] = {shell_line(argv), script.source};
      start_.apps.push_back({name, ".", project_.manifest.scripts.size() == 1});
      start_.processes[name] = std::move(argv);
      start_.modules.insert(script.target.substr(0, script.target.find(':')));
    }
  }

  const Server* server_for(bool is_asgi) const {
    const auto* const found = std::find_if(kServers.begin(), kServers.end(), [&](const Server& server) {
      return (is_asgi ? server.serves_asgi : server.serves_wsgi) &&
             project_.packages.contains(std::string(server.package));
    });
    return found == kServers.end() ? nullptr : found;
  }

  void add_served(const Server& server, const WebApplication& web, const std::string& module, const std::string& file) {
    std::vector<std::string> argv = script_command(kPythonPackages, server.script);
    for (std::string& word : arguments_of(server, web, module)) argv.push_back(std::move(word));
    start_.modules.insert({module, std::string(server.package)});
    start_.scripts.insert(std::string(server.script));
    start_.ports = {cat(kPort, "/tcp")};
    const bool is_default = start_.processes.empty() || start_.processes.size() == project_.manifest.scripts.size();
    add("web", std::move(argv), file, web.line, cat(web.framework, " application, served by ", server.package));
    if (is_default) {
      for (plan::App& app : start_.apps) app.is_default = app.name == "web";
    }
  }

  Error without_server(const std::string& framework, bool is_asgi, const std::string& file, int line) const {
    std::vector<std::string> names;
    for (const Server& server : kServers) {
      if (is_asgi ? server.serves_asgi : server.serves_wsgi) names.emplace_back(server.package);
    }
    const std::string& manifest = project_.manifest.dependencies_file;
    return failure(
        file, line,
        cat(framework, " needs a server, and none of ", join(names, ", "), " is among the dependencies; add ",
            backticked(names.front()), " to ", manifest.empty() ? "requirements.txt" : manifest,
            ", or write the start into whittle.toml: [process.web] argv = [\"/usr/bin/python3\", \"/app/", file,
            "\"]"));
  }

  // `manage.py`, and the module beside the settings.
  bool add_django() {
    if (!project_.tree.has("manage.py") || !project_.packages.contains("django")) return false;
    const Server* wsgi = server_for(false);
    const Server* asgi = server_for(true);
    const PythonFile* found = nullptr;
    bool is_asgi = false;
    for (const PythonFile& file : project_.files) {
      const std::string name = last_part(file.path);
      if (name == "wsgi.py" && (wsgi != nullptr || asgi == nullptr) && found == nullptr) found = &file;
      if (name == "asgi.py" && wsgi == nullptr && asgi != nullptr && !is_asgi) {
        found = &file;
        is_asgi = true;
      }
    }
    if (found == nullptr) return false;
    const WebApplication web{.framework = "Django",
                             .object = found->web ? found->web->object : "application",
                             .is_asgi = is_asgi,
                             .is_factory = false,
                             .line = found->web ? found->web->line : 0};
    const Server* server = is_asgi ? asgi : wsgi;
    if (server == nullptr && project_.is_told) return true;
    if (server == nullptr) throw without_server("Django", false, found->path, web.line);
    add_served(*server, web, found->module, found->path);
    return true;
  }

  void add_web() {
    std::vector<const PythonFile*> files;
    for (const PythonFile& file : project_.files) {
      if (file.web) files.push_back(&file);
    }
    if (files.empty()) return;
    std::stable_sort(files.begin(), files.end(), [](const PythonFile* a, const PythonFile* b) {
      // An object outranks a function that makes one.
      return std::pair(a->web->is_factory, rank_of(a->path)) < std::pair(b->web->is_factory, rank_of(b->path));
    });
    const PythonFile& file = *files.front();
    const Server* server = server_for(file.web->is_asgi);
    if (server != nullptr) {
      add_served(*server, *file.web, file.module, file.path);
      const bool is_tie = files.size() > 1 && rank_of(files[1]->path) == rank_of(file.path) &&
                          files[1]->web->is_factory == file.web->is_factory;
      if (is_tie && !project_.is_told) add_rivals(*server, files);
      return;
    }
    if (!start_.processes.empty() || project_.is_told) return;
    if (file.main_line == 0) throw without_server(file.web->framework, file.web->is_asgi, file.path, file.web->line);
    add_started_file(file);
  }

  // Several applications of one rank: each is a process, and its user says which one the image starts.
  void add_rivals(const Server& server, const std::vector<const PythonFile*>& files) {
    start_.processes.erase("web");
    std::erase_if(start_.apps, [](const plan::App& app) { return app.name == "web"; });
    start_.values.erase("process web");
    for (const PythonFile* file : files) {
      if (rank_of(file->path) != rank_of(files.front()->path)) continue;
      std::vector<std::string> argv = script_command(kPythonPackages, server.script);
      for (std::string& word : arguments_of(server, *file->web, file->module)) argv.push_back(std::move(word));
      start_.modules.insert(file->module);
      add(safe_name(file->module), std::move(argv), file->path, file->web->line,
          cat(file->web->framework, " application"));
      start_.apps.back().is_default = false;
    }
  }

  void add_streamlit() {
    if (!project_.packages.contains("streamlit")) return;
    const PythonFile* found = nullptr;
    for (const PythonFile& file : project_.files) {
      const bool uses = std::find(file.imports.begin(), file.imports.end(), "streamlit") != file.imports.end();
      if (uses && (found == nullptr || rank_of(file.path) < rank_of(found->path))) found = &file;
    }
    if (found == nullptr) return;
    std::vector<std::string> argv = script_command(kPythonPackages, "streamlit");
    argv.insert(argv.end(), {"run", installed(found->path), "--server.address=0.0.0.0", "--server.port=8501",
                             "--server.headless=true"});
    start_.ports = {"8501/tcp"};
    start_.scripts.insert("streamlit");
    start_.modules.insert("streamlit");
    add("web", std::move(argv), found->path, 0, "Streamlit application");
  }

  void add_package() {
    std::vector<const PythonFile*> mains;
    for (const PythonFile& file : project_.files) {
      if (last_part(file.path) == "__main__.py" && file.module != "__main__" &&
          std::count(file.module.begin(), file.module.end(), '.') == 1)
        mains.push_back(&file);
    }
    for (const PythonFile* file : mains) {
      const std::string package = file->module.substr(0, file->module.rfind('.'));
      add(safe_name(package), {std::string(kPythonProgram), "-m", package}, file->path, 0,
          "a package that can be started");
      start_.apps.back().is_default = mains.size() == 1;
      start_.modules.insert(file->module);
    }
  }

  void add_started_file(const PythonFile& file) {
    const std::string name = stem_of(file.path) == "main" || stem_of(file.path) == "__main__"
                                 ? application_name()
                                 : safe_name(stem_of(file.path));
    add(name, {std::string(kPythonProgram), installed(file.path)}, file.path, file.main_line,
        "a file that can be started");
    if (file.web && file.main_serves && !file.web->is_asgi) {
      start_.warnings.push_back(cat(file.path, ":", file.main_line, " starts ", file.web->framework,
                                    "'s own server, which is for development; add `gunicorn` to the dependencies"));
    }
  }

  std::string application_name() const {
    const std::string& name = project_.manifest.name.value;
    return safe_name(name.empty() ? project_.tree.name() : name);
  }

  void add_file() {
    std::vector<const PythonFile*> files;
    for (const PythonFile& file : project_.files) {
      const auto depth = std::count(file.path.begin(), file.path.end(), '/');
      if (depth == 0 || (depth == 1 && file.path.starts_with("src/")) || file.main_line > 0) files.push_back(&file);
    }
    const auto by_rank = [](const PythonFile* a, const PythonFile* b) { return rank_of(a->path) < rank_of(b->path); };
    std::stable_sort(files.begin(), files.end(), by_rank);
    if (files.empty()) return;
    const PythonFile& first = *files.front();
    const bool is_named = rank_of(first.path) % 100 < kFirstNames.size();
    if (is_named || files.size() == 1 || last_part(first.path) == "__main__.py") return add_started_file(first);
    std::erase_if(files, [](const PythonFile* file) { return file->main_line == 0; });
    if (files.size() > 8) return;
    for (const PythonFile* file : files) {
      add_started_file(*file);
      start_.apps.back().is_default = files.size() == 1;
    }
  }

  Error nothing_to_start() const {
    const std::string& file = project_.manifest.file;
    return failure(
        file.empty() ? project_.tree.name() : file, 0,
        "nothing says how to start it: no script under [project.scripts], no web application, no "
        "__main__.py, no main.py "
        "or app.py; write it into whittle.toml: [process.web] argv = [\"/usr/bin/python3\", \"/app/FILE.py\"]");
  }

  const PythonProject& project_;
  PythonStart start_;
};

}  // namespace

PythonStart find_python_start(const PythonProject& project) {
  return Finder(project).run();
}

std::map<std::string, std::vector<std::string>> python_commands(const PythonProject& project) {
  std::map<std::string, std::vector<std::string>> commands;
  for (const std::string& package : project.packages) commands[package] = script_command(kPythonPackages, package);
  for (const Script& script : kScripts) {
    if (project.packages.contains(std::string(script.package))) {
      commands[std::string(script.script)] = script_command(kPythonPackages, script.script);
    }
  }
  for (const PythonScript& script : project.manifest.scripts)
    commands[script.name] = script_command(kPythonProject, script.name);
  for (const char* name : {"python", "python3"}) commands[name] = {std::string(kPythonProgram)};
  return commands;
}

}  // namespace whittle::detectors
