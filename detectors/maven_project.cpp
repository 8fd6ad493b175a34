#include "detectors/maven_project.hpp"

#include <algorithm>
#include <memory>

#include "base/text.hpp"
#include "base/xml.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

constexpr std::size_t kMostModules = 1000;
constexpr std::uint64_t kLargest = 4 << 20;
constexpr int kMostReferences = 16;

// Plugins that make a jar which can be started, or a program of it.
constexpr std::string_view kStarting[] = {"spring-boot-maven-plugin", "quarkus-maven-plugin",  "micronaut-maven-plugin",
                                          "maven-shade-plugin",       "maven-assembly-plugin", "helidon-maven-plugin",
                                          "appassembler-maven-plugin"};
constexpr std::string_view kMainProperties[] = {"start-class", "exec.mainClass", "mainClass", "main.class",
                                                "app.main.class"};

struct Pom {
  std::string path, shown;  // in the context; as seen from the application
  XmlElement root;
  const Pom* parent = nullptr;  // when it lies in the tree
  std::map<std::string, plan::Value> properties;
};

std::vector<std::string> modules_of(const XmlElement& project) {
  std::vector<std::string> names;
  const auto add = [&](const XmlElement* list) {
    if (list == nullptr) return;
    for (const XmlElement& one : list->children) {
      if (!one.text.empty()) names.push_back(one.text);
    }
  };
  add(project.child("modules"));
  add(project.child("subprojects"));
  if (const XmlElement* profiles = project.child("profiles")) {
    for (const XmlElement& profile : profiles->children) {
      if (profile.text_of("activation/activeByDefault") == "true") add(profile.child("modules"));
    }
  }
  return names;
}

class Reader {
 public:
  explicit Reader(const Surroundings& surroundings) : surroundings_(surroundings) {}

  MavenProject read() {
    const std::string top = joined(surroundings_.app_in_context, "pom.xml");
    walk(top, {});
    const Pom& root = *poms_.at(top);
    project_.name = root.root.text_of("artifactId");
    if (project_.name.empty()) throw failure(root.shown, root.root.line, "`<artifactId>` is missing");
    project_.reactor = reactor_of(surroundings_.app_in_context);
    return std::move(project_);
  }

 private:
  const plan::SourceTree& tree() const { return surroundings_.context; }

  // Parents first, so that their properties are there.
  const Pom& load(const std::string& path) {
    if (const auto known = poms_.find(path); known != poms_.end()) {
      if (!known->second) {
        throw failure(from_application(surroundings_, path), 0, "it is its own parent");
      }
      return *known->second;
    }
    poms_[path] = nullptr;
    auto pom = std::make_unique<Pom>();
    pom->path = path;
    pom->shown = from_application(surroundings_, path);
    pom->root = parse_xml(tree().read(path, kLargest), pom->shown, static_cast<int>(Exit::detector_failed));
    if (pom->root.name != "project") {
      throw failure(pom->shown, pom->root.line,
                    cat("it begins with `", printable(pom->root.name), "`, not with `project`"));
    }
    pom->parent = parent_of(*pom);
    if (pom->parent != nullptr) pom->properties = pom->parent->properties;
    add_properties(*pom);
    return *(poms_[path] = std::move(pom));
  }

  const Pom* parent_of(const Pom& pom) {
    const XmlElement* parent = pom.root.child("parent");
    if (parent == nullptr) return nullptr;
    const XmlElement* given = parent->child("relativePath");
    if (given != nullptr && given->text.empty()) return nullptr;
    std::string path = joined(folder_of(pom.path), given == nullptr ? "../pom.xml" : given->text);
    if (!path.ends_with(".xml")) path = joined(path, "pom.xml");
    if (!tree().has(path)) {
      if (given != nullptr) {
        project_.warnings.push_back(cat(pom.shown, ":", given->line, ": the parent ", backticked(given->text),
                                        " is not in the tree, so that Maven looks for it in repositories"));
      }
      return nullptr;
    }
    const Pom& found = load(path);
    return found.root.text_of("artifactId") == parent->text_of("artifactId") ? &found : nullptr;
  }

  static void add_properties(Pom& pom) {
    if (const XmlElement* properties = pom.root.child("properties")) {
      for (const XmlElement& one : properties->children) {
        pom.properties[one.name] = {one.text, cat(pom.shown, ":", one.line)};
      }
    }
    for (const char* name : {"artifactId", "groupId", "version"}) {
      const XmlElement* own = pom.root.child(name);
      if (own != nullptr) pom.properties[cat("project.", name)] = {own->text, cat(pom.shown, ":", own->line)};
    }
  }

  // `${name}` filled in; empty when a part is not known.
  static std::string filled(const Pom& pom, std::string text) {
    for (int i = 0; i < kMostReferences; ++i) {
      const std::size_t begin = text.find("${"), end = text.find('}', begin);
      if (begin == std::string::npos) return text;
      if (end == std::string::npos) return {};
      const auto known = pom.properties.find(text.substr(begin + 2, end - begin - 2));
      if (known == pom.properties.end()) return {};
      text.replace(begin, end - begin + 1, known->second.value);
    }
    return {};
  }

  void walk(const std::string& path, std::vector<std::string> above) {
    if (std::find(above.begin(), above.end(), path) != above.end()) {
      throw failure(from_application(surroundings_, above.back()), 0,
                    cat("its modules lead back to `", from_application(surroundings_, path), "`"));
    }
    if (project_.modules.size() >= kMostModules) throw failure(path, 0, "there are more than 1000 modules");
    const Pom& pom = load(path);
    project_.modules.push_back(module_of(pom));
    above.push_back(path);
    const XmlElement* list = pom.root.child("modules");
    for (const std::string& name : modules_of(pom.root)) {
      std::string below = joined(folder_of(path), name);
      if (!below.ends_with(".xml")) below = joined(below, "pom.xml");
      if (tree().has(below)) {
        walk(below, above);
        continue;
      }
      int line = list == nullptr ? 0 : list->line;
      for (const XmlElement& one : list == nullptr ? std::vector<XmlElement>{} : list->children) {
        if (one.text == name) line = one.line;
      }
      throw failure(pom.shown, line, cat("the module `", printable(name), "` has no pom.xml"));
    }
  }

  JavaModule module_of(const Pom& pom) {
    JavaModule module;
    module.folder = folder_of(pom.path);
    module.name = filled(pom, pom.root.text_of("artifactId"));
    module.file = pom.shown;
    if (const XmlElement* packaging = pom.root.child("packaging")) {
      module.packaging = packaging->text;
      module.packaging_line = packaging->line;
    }
    module.java_version = java_version(pom);
    module.tells_old_plugins = tells_old_plugins(pom);
    for (const Pom* one = &pom; one != nullptr; one = one->parent) read_plugins(*one, pom, module);
    if (!module.main) read_main_property(pom, module);
    return module;
  }

  static void read_plugins(const Pom& from, const Pom& pom, JavaModule& module) {
    const XmlElement* plugins = from.root.child("build/plugins");
    for (const XmlElement& plugin : plugins == nullptr ? std::vector<XmlElement>{} : plugins->children) {
      const std::string name = plugin.text_of("artifactId");
      if (std::find(std::begin(kStarting), std::end(kStarting), name) != std::end(kStarting) &&
          plugin.text_of("configuration/skip") != "true") {
        module.plugins.emplace(name, plugin.line);
      }
      const XmlElement* main = plugin.descendant("mainClass");
      const std::string value = main == nullptr ? "" : filled(pom, main->text);
      if (!value.empty() && !module.main) module.main = MainClass{value, cat(from.shown, ":", main->line)};
    }
  }

  static void read_main_property(const Pom& pom, JavaModule& module) {
    for (const std::string_view name : kMainProperties) {
      const auto known = pom.properties.find(std::string(name));
      const std::string value = known == pom.properties.end() ? "" : filled(pom, known->second.value);
      if (!value.empty()) {
        module.main = MainClass{value, known->second.source};
        return;
      }
    }
  }

  static std::optional<plan::Value> java_version(const Pom& pom) {
    for (const Pom* one = &pom; one != nullptr; one = one->parent) {
      if (std::optional<plan::Value> found = compiler_setting(*one, pom)) return found;
    }
    for (const char* name : {"maven.compiler.release", "maven.compiler.target", "java.version", "maven.compiler.source",
                             "jdk.version", "javaVersion", "java.release"}) {
      const auto known = pom.properties.find(name);
      const std::string value = known == pom.properties.end() ? "" : java_version_of(filled(pom, known->second.value));
      if (!value.empty()) return plan::Value{value, known->second.source};
    }
    return std::nullopt;
  }

  static bool tells_old_plugins(const Pom& pom) {
    for (const Pom* one = &pom; one != nullptr; one = one->parent) {
      if (one->parent == nullptr && one->root.child("parent") != nullptr) return true;
      const XmlElement* source =
          one->root.child("build") == nullptr ? nullptr : one->root.child("build")->descendant("source");
      if (source != nullptr) return true;
    }
    return pom.properties.contains("maven.compiler.source");
  }

  static std::optional<plan::Value> compiler_setting(const Pom& from, const Pom& pom) {
    for (const char* place : {"build/plugins", "build/pluginManagement/plugins"}) {
      const XmlElement* plugins = from.root.child(place);
      for (const XmlElement& plugin : plugins == nullptr ? std::vector<XmlElement>{} : plugins->children) {
        if (plugin.text_of("artifactId") != "maven-compiler-plugin") continue;
        for (const char* name : {"release", "target", "source"}) {
          const XmlElement* setting = plugin.child(cat("configuration/", name));
          const std::string value = setting == nullptr ? "" : java_version_of(filled(pom, setting->text));
          if (!value.empty()) return plan::Value{value, cat(from.shown, ":", setting->line)};
        }
      }
    }
    return std::nullopt;
  }

  // The uppermost folder of the context whose modules lead to this one; otherwise its own.
  std::string reactor_of(const std::string& folder) const {
    std::string reactor = folder;
    for (std::string above = folder; above != ".";) {
      above = folder_of(above);
      const std::optional<std::string> text = tree().read_if_exists(joined(above, "pom.xml"));
      if (!text) continue;
      for (const std::string& name : maven_modules_in(*text)) {
        if (joined(above, name) == reactor) {
          reactor = above;
          break;
        }
      }
    }
    return reactor;
  }

  const Surroundings& surroundings_;
  std::map<std::string, std::unique_ptr<Pom>> poms_;
  MavenProject project_;
};

}  // namespace

std::vector<std::string> maven_modules_in(std::string_view text) {
  try {
    return modules_of(parse_xml(text, "pom.xml"));
  } catch (const Error&) {
    return {};  // whoever builds that project is told, not this application
  }
}

MavenProject read_maven_project(const Surroundings& surroundings) {
  return Reader(surroundings).read();
}

}  // namespace whittle::detectors
