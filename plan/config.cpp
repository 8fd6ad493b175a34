#include "plan/config.hpp"

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "base/toml.hpp"
#include "plan/config_keys.hpp"

namespace whittle::plan {

namespace {

constexpr std::string_view kFile = "whittle.toml";

// Sections that are tables of names, or hold lists of tables, stand beside the key tables.
constexpr std::string_view kProcess = "process", kFiles = "files", kSecrets = "secrets";

std::string dotted(std::string_view section, std::string_view name) {
  return section.empty() ? std::string(name) : cat(section, ".", name);
}

std::set<std::string> known_sections() {
  std::set<std::string> sections = {std::string(kProcess)};
  for (const TextKey& key : text_keys()) {
    if (!key.section.empty()) sections.emplace(key.section);
  }
  return sections;
}

// The keys of one section; at the top, the sections too.
std::set<std::string> known_keys(std::string_view section) {
  std::set<std::string> known = section.empty() ? known_sections() : std::set<std::string>{};
  for (const TextKey& key : text_keys()) {
    if (key.section == section) known.emplace(key.name);
  }
  for (const ListKey& key : list_keys()) {
    if (key.section == section) known.emplace(key.name);
  }
  for (const MapKey& key : map_keys()) {
    if (key.section == section) known.emplace(key.name);
  }
  if (section == "image") known.emplace(kFiles);
  if (section == "build") known.emplace(kSecrets);
  return known;
}

// The sections that have a key of this name: `targets` at the top is meant for `[build]`.
std::string section_of(std::string_view name) {
  for (const std::string& section : known_sections()) {
    if (section != kProcess && known_keys(section).contains(std::string(name))) return section;
  }
  return {};
}

std::string check_step_name(std::string_view value) {
  return value.empty() ? "must name a step" : "";
}

// toml++ knows the line of every key; JSON pointers write `~` and `/` inside a key as `~0` and `~1`.
std::string pointer_part(std::string_view key) {
  std::string out = "/";
  for (const char c : key) out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return out;
}

class Reader {
 public:
  Reader(const TomlDocument& document, std::string_view what) : document_(document), what_(what) {}

  Config read() {
    check_keys(document_.root, "", "");
    for (const std::string& section : known_sections()) {
      const auto found = document_.root.find(section);
      if (found == document_.root.end()) continue;
      if (!found->is_object()) throw wrong(section, cat("must be a table: `[", section, "]`"), pointer_part(section));
      if (section != kProcess) check_keys(*found, section, pointer_part(section));
    }
    for (const TextKey& key : text_keys()) read_text(key);
    for (const ListKey& key : list_keys()) read_list(key);
    for (const MapKey& key : map_keys()) read_map(key);
    read_files();
    read_processes();
    read_secrets();
    return std::move(config_);
  }

 private:
  struct Found {
    const Json* value = nullptr;
    std::string pointer;
  };

  Found find(std::string_view section, std::string_view name) const {
    const Json* object = &document_.root;
    std::string pointer;
    if (!section.empty()) {
      const auto table = object->find(section);
      if (table == object->end()) return {};
      object = &*table;
      pointer = pointer_part(section);
    }
    const auto value = object->find(name);
    if (value == object->end()) return {};
    return {&*value, pointer + pointer_part(name)};
  }

  std::string source(const std::string& pointer) const { return cat(what_, ":", document_.line(pointer)); }

  Error wrong(std::string_view key, std::string_view why, const std::string& pointer) const {
    Error error(Exit::usage, cat(backticked(key), " ", why));
    error.at(source(pointer));
    return error;
  }

  void check_keys(const Json& table, std::string_view section, const std::string& pointer) const {
    const std::set<std::string> known = known_keys(section);
    for (const auto& [key, value] : table.items()) {
      if (!known.contains(key)) throw unknown(key, section, {known.begin(), known.end()}, pointer);
    }
  }

  Error unknown(const std::string& key, std::string_view section, const std::vector<std::string>& known,
                const std::string& pointer) const {
    const std::string place = section.empty() ? std::string() : cat(" in `[", printable(section), "]`");
    Error error(Exit::usage, cat("unknown key ", backticked(key), place));
    error.at(source(pointer + pointer_part(key)));
    const std::string home = section_of(key);
    const std::optional<std::string> meant = nearest(key, known);
    if (!home.empty()) {
      error.hint(cat(backticked(key), " belongs to `[", home, "]`"));
    } else if (meant) {
      error.hint(cat("did you mean ", backticked(*meant), "?"));
    } else {
      error.detail(cat("known keys: ", join(known, ", ")));
    }
    return error;
  }

  std::string checked(const Json& value, std::string_view key, Check check, const std::string& pointer) const {
    if (!value.is_string()) throw wrong(key, "must be a text in quotes", pointer);
    const auto& text = value.get_ref<const std::string&>();
    const std::string complaint = check(text);
    if (!complaint.empty()) throw wrong(key, cat(complaint, ", not ", backticked(text)), pointer);
    return text;
  }

  void read_text(const TextKey& key) {
    const Found found = find(key.section, key.name);
    if (found.value == nullptr) return;
    const std::string name = dotted(key.section, key.name);
    config_.*key.member = Setting{checked(*found.value, name, key.check, found.pointer), source(found.pointer)};
  }

  std::vector<std::string> texts(const Json& list, std::string_view name, Check check,
                                 const std::string& pointer) const {
    if (!list.is_array()) throw wrong(name, "must be a list of texts: [\"…\"]", pointer);
    std::vector<std::string> values;
    for (const Json& value : list) {
      values.push_back(checked(value, name, check, cat(pointer, "/", values.size())));
    }
    return values;
  }

  void read_list(const ListKey& key) {
    const Found found = find(key.section, key.name);
    if (found.value == nullptr) return;
    const std::string name = dotted(key.section, key.name);
    const Json list = key.may_be_text && found.value->is_string() ? Json::array({*found.value}) : *found.value;
    config_.*key.member = ListSetting{texts(list, name, key.check, found.pointer), source(found.pointer)};
  }

  void read_map(const MapKey& key) {
    const Found found = find(key.section, key.name);
    if (found.value == nullptr) return;
    const std::string name = dotted(key.section, key.name);
    if (!found.value->is_object()) throw wrong(name, "must be a table: { NAME = \"value\" }", found.pointer);
    for (const auto& [entry, value] : found.value->items()) {
      const std::string pointer = found.pointer + pointer_part(entry);
      const std::string complaint = key.check_key(entry);
      if (!complaint.empty()) throw wrong(dotted(name, entry), complaint, pointer);
      if (!value.is_string()) throw wrong(dotted(name, entry), "must be a text in quotes", pointer);
      (config_.*key.member)[entry] = {value.get<std::string>(), source(pointer)};
    }
  }

  void read_files() {
    const Found found = find("image", kFiles);
    if (found.value == nullptr) return;
    if (!found.value->is_array()) throw wrong("image.files", "must be a list of tables", found.pointer);
    for (const Json& entry : *found.value) {
      const std::string pointer = cat(found.pointer, "/", config_.files.size());
      if (!entry.is_object()) throw wrong("image.files", "must be a list of tables", pointer);
      FileMapping file;
      for (const auto& [key, value] : entry.items()) {
        const std::string name = cat("image.files.", key), below = pointer + pointer_part(key);
        if (key == "source") {
          file.source = checked(value, name, check_source_path, below);
        } else if (key == "path") {
          file.path = checked(value, name, check_image_path, below);
        } else if (key == "mode") {
          file.mode = checked(value, name, check_mode, below);
        } else {
          throw unknown(key, "image.files", {"mode", "path", "source"}, pointer);
        }
      }
      if (file.source.empty() || file.path.empty()) {
        throw wrong("image.files", "needs both `source` and `path` in every entry", pointer);
      }
      config_.files.push_back(std::move(file));
    }
  }

  void read_processes() {
    const auto table = document_.root.find(kProcess);
    if (table == document_.root.end()) return;
    for (const auto& [name, process] : table->items()) {
      const std::string pointer = pointer_part(kProcess) + pointer_part(name);
      const std::string complaint = check_process_name(name);
      if (!complaint.empty()) throw wrong(cat("process.", name), complaint, pointer);
      if (!process.is_object() || !process.contains("argv")) {
        throw wrong(cat("process.", name), "must be a table with `argv`", pointer);
      }
      for (const auto& [key, value] : process.items()) {
        if (key != "argv") throw unknown(key, cat("process.", name), {"argv"}, pointer);
      }
      const std::string below = pointer + pointer_part("argv"), key = cat("process.", name, ".argv");
      ListSetting argv{texts(
                           process["argv"], key, [](std::string_view) { return std::string(); }, below),
                       source(below)};
      if (argv.values.empty() || !argv.values.front().starts_with('/')) {
        throw wrong(key, "must start with the absolute path of a program in the image", below);
      }
      config_.processes[name] = std::move(argv);
    }
  }

  void read_secrets() {
    const Found found = find("build", kSecrets);
    if (found.value == nullptr) return;
    if (!found.value->is_object()) throw wrong("build.secrets", "must be a table of tables", found.pointer);
    for (const auto& [name, secret] : found.value->items()) {
      const std::string key = cat("build.secrets.", name), pointer = found.pointer + pointer_part(name);
      const std::string complaint = check_secret_name(name);
      if (!complaint.empty()) throw wrong(key, complaint, pointer);
      if (!secret.is_object()) throw wrong(key, "must be a table with `steps`", pointer);
      config_.secrets[name] = secret_from(secret, key, pointer);
    }
  }

  SecretSetting secret_from(const Json& table, const std::string& key, const std::string& pointer) const {
    SecretSetting secret{.steps = {}, .variable = {}, .file_variable = {}, .home = {}, .source = source(pointer)};
    for (const auto& [name, value] : table.items()) {
      const std::string member = cat(key, ".", name), below = pointer + pointer_part(name);
      if (name == "steps") {
        secret.steps = texts(value, member, check_step_name, below);
      } else if (name == "variable") {
        secret.variable = checked(value, member, check_variable_name, below);
      } else if (name == "file-variable") {
        secret.file_variable = checked(value, member, check_variable_name, below);
      } else if (name == "home") {
        secret.home = checked(value, member, check_home_path, below);
      } else {
        throw unknown(name, key, {"file-variable", "home", "steps", "variable"}, pointer);
      }
    }
    if (secret.steps.empty()) throw wrong(key, "needs `steps`, which get it", pointer);
    if (secret.variable.empty() && secret.file_variable.empty() && secret.home.empty())
      throw wrong(key, "needs `variable`, `file-variable` or `home`: how the steps get it", pointer);
    return secret;
  }

  const TomlDocument& document_;
  std::string_view what_;
  Config config_;
};

std::string checked_variable(std::string_view variable, std::string value, Check check) {
  const std::string complaint = check(value);
  if (complaint.empty()) return value;
  throw Error(Exit::usage, cat(backticked(variable), " ", complaint, ", not ", backticked(value)))
      .at(cat("the environment variable ", variable));
}

// One spelling of every value: budgets in bytes, ports with their protocol.
Config normalised(Config config) {
  for (std::optional<Setting>* size : {&config.budget_compressed, &config.budget_installed}) {
    if (*size) (*size)->value = std::to_string(parse_size((*size)->value).value_or(0));
  }
  if (config.ports) {
    for (std::string& port : config.ports->values) {
      if (port.find('/') == std::string::npos) port += "/tcp";
    }
  }
  return config;
}

template <class Value>
void prefer(std::optional<Value>& below, const std::optional<Value>& above) {
  if (above) below = above;
}

}  // namespace

Config parse_config(std::string_view text, std::string_view what) {
  const TomlDocument document = parse_toml(text, what, static_cast<int>(Exit::usage));
  return normalised(Reader(document, what).read());
}

Config read_config(const SourceTree& tree) {
  const std::optional<std::string> text = tree.read_if_exists(kFile);
  return text ? parse_config(*text, kFile) : Config{};
}

Config config_from_environment(const std::map<std::string, std::string>& environment) {
  Config config;
  for (const TextKey& key : text_keys()) {
    const auto found = environment.find(std::string(key.variable));
    if (key.variable.empty() || found == environment.end() || found->second.empty()) continue;
    config.*key.member = Setting{checked_variable(key.variable, found->second, key.check), found->first};
  }
  for (const ListKey& key : list_keys()) {
    const auto found = environment.find(std::string(key.variable));
    if (key.variable.empty() || found == environment.end() || found->second.empty()) continue;
    ListSetting setting{{}, found->first};
    for (const std::string& piece : split(found->second, key.separator)) {
      const std::string value(trim(piece));
      if (!value.empty()) setting.values.push_back(checked_variable(key.variable, value, key.check));
    }
    config.*key.member = std::move(setting);
  }
  return normalised(std::move(config));
}

Setting checked_setting(std::optional<Setting> Config::*member, std::string value, std::string source) {
  for (const TextKey& key : text_keys()) {
    if (key.member != member) continue;
    const std::string complaint = key.check(value);
    if (!complaint.empty()) {
      throw Error(Exit::usage, cat(backticked(source), " ", complaint, ", not ", backticked(value)));
    }
  }
  return {std::move(value), std::move(source)};
}

Config merged(Config below, const Config& above) {
  for (const TextKey& key : text_keys()) prefer(below.*key.member, above.*key.member);
  for (const ListKey& key : list_keys()) prefer(below.*key.member, above.*key.member);
  for (const MapKey& key : map_keys()) {
    for (const auto& [name, setting] : above.*key.member) (below.*key.member)[name] = setting;
  }
  if (!above.files.empty()) below.files = above.files;
  for (const auto& [name, argv] : above.processes) below.processes[name] = argv;
  for (const auto& [name, secret] : above.secrets) below.secrets[name] = secret;
  return below;
}

}  // namespace whittle::plan
