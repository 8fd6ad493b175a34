#include "plan/build_plan.hpp"

#include <array>
#include <set>
#include <utility>

#include "base/digest.hpp"
#include "base/error.hpp"
#include "base/files.hpp"
#include "base/text.hpp"

namespace whittle::plan {

namespace {

constexpr std::string_view kSchema = "whittle.plan/v1";

constexpr std::array<std::pair<Report, std::string_view>, 6> kReports = {{
    {Report::none, "none"},
    {Report::go_list, "goList"},
    {Report::cargo_messages, "cargoMessages"},
    {Report::cmake_file_api, "cmakeFileApi"},
    {Report::meson_targets, "mesonTargets"},
    {Report::new_executables, "newExecutables"},
}};
constexpr std::array<std::pair<Output::Kind, std::string_view>, 4> kKinds = {{
    {Output::Kind::program, "program"},
    {Output::Kind::data, "data"},
    {Output::Kind::runtime, "runtime"},
    {Output::Kind::dependency, "dependency"},
}};

constexpr std::array<std::pair<Supply::Kind, std::string_view>, 6> kSupplies = {{
    {Supply::Kind::certificates, "certificates"},
    {Supply::Kind::time_zones, "timezones"},
    {Supply::Kind::name_service, "nameService"},
    {Supply::Kind::services, "services"},
    {Supply::Kind::terminal, "terminal"},
    {Supply::Kind::folder, "folder"},
}};

constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kSandboxes = {{
    {"auto", "auto"},
    {"required", "required"},
    {"off", "off"},
}};

template <class Table, class Value>
std::string name_in(const Table& table, Value value) {
  for (const auto& [known, name] : table) {
    if (known == value) return std::string(name);
  }
  return {};
}

// The members of one JSON object: every one must be taken, so that a misspelt or newer one is not lost.
class Members {
 public:
  Members(const Json& object, std::string what, std::string place)
      : object_(object), what_(std::move(what)), place_(std::move(place)) {
    if (!object.is_object()) throw refused(place_, "must be an object");
    for (const auto& [key, value] : object.items()) untaken_.insert(key);
  }

  template <class T>
  T take(const char* key) {
    if (!object_.contains(key)) throw refused(at(key), "is missing");
    return take_or(key, T{});
  }

  template <class T>
  T take_or(const char* key, T fallback) {
    untaken_.erase(key);
    const auto found = object_.find(key);
    if (found == object_.end()) return fallback;
    try {
      return found->get<T>();
    } catch (const Json::exception&) {
      throw refused(at(key), "has the wrong type");
    }
  }

  template <class Table>
  auto take_name(const char* key, const Table& table) {
    const std::string name = take_or(key, std::string(table[0].second));
    for (const auto& [value, known] : table) {
      if (known == name) return value;
    }
    throw refused(at(key), cat("cannot be ", backticked(name)));
  }

  template <class Read>
  auto take_list(const char* key, Read&& read) {
    std::vector<decltype(read(std::declval<Members&>()))> list;
    const Json items = take_or(key, Json::array());
    if (!items.is_array()) throw refused(at(key), "must be a list");
    for (const Json& item : items) {
      Members members(item, what_, cat(at(key), "[", list.size(), "]"));
      list.push_back(read(members));
      members.finish();
    }
    return list;
  }

  template <class Read>
  void take_object(const char* key, Read&& read) {
    const Json object = take<Json>(key);
    Members members(object, what_, at(key));
    read(members);
    members.finish();
  }

  template <class Read>
  void take_object_or_nothing(const char* key, Read&& read) {
    if (untaken_.contains(key)) take_object(key, std::forward<Read>(read));
  }

  // A path below the work folder.
  std::string take_relative(const char* key, bool may_be_empty) {
    const std::string path = take_or(key, std::string());
    check_relative(path, key, may_be_empty);
    return path;
  }
  void check_relative(const std::string& path, const char* key, bool may_be_empty = false) const {
    if (path.starts_with("${keep}/") && !has_dots(path)) return;
    if (path.empty() ? may_be_empty : path == "." || confined("/", path.substr(0, path.find_last_not_of('/') + 1))) {
      return;
    }
    throw refused(at(key), cat("must be a path inside the work folder, not ", backticked(path)));
  }
  void check_absolute(const std::string& path, const char* key) const {
    if (path.starts_with('/') && path.find('\0') == std::string::npos && !has_dots(path)) return;
    throw refused(at(key), cat("must be an absolute path without `..`, not ", backticked(path)));
  }

  void finish() const {
    if (!untaken_.empty()) throw refused(at(*untaken_.begin()), "is not a member that this version knows");
  }
  Error refused(std::string_view place, std::string_view why) const {
    return Error(Exit::usage, cat(backticked(place), " in ", what_, " ", why));
  }
  std::string at(std::string_view key) const { return place_.empty() ? std::string(key) : cat(place_, ".", key); }

 private:
  static bool has_dots(std::string_view path) {
    for (const std::string& part : split(path, '/')) {
      if (part == "..") return true;
    }
    return false;
  }

  const Json& object_;
  std::string what_, place_;
  std::set<std::string> untaken_;
};

using Words = std::vector<std::string>;
using Map = std::map<std::string, std::string>;

Json json_of(const Fallback& fallback) {
  Json json = {{"name", fallback.name}};
  if (!fallback.signs.empty()) json["signs"] = fallback.signs;
  if (!fallback.argv.empty()) json["argv"] = fallback.argv;
  if (!fallback.arguments.empty()) json["arguments"] = fallback.arguments;
  if (!fallback.env.empty()) json["env"] = fallback.env;
  if (!fallback.files.empty()) json["files"] = fallback.files;
  if (fallback.goes_on) json["goesOn"] = true;
  if (!fallback.warning.empty()) json["warning"] = fallback.warning;
  return json;
}

Fallback fallback_of(Members& members) {
  Fallback fallback;
  fallback.name = members.take<std::string>("name");
  fallback.signs = members.take_or("signs", Words{});
  fallback.argv = members.take_or("argv", Words{});
  fallback.arguments = members.take_or("arguments", Words{});
  fallback.env = members.take_or("env", Map{});
  fallback.files = members.take_or("files", Map{});
  for (const auto& [path, content] : fallback.files) members.check_relative(path, "files");
  fallback.goes_on = members.take_or("goesOn", false);
  fallback.warning = members.take_or("warning", std::string());
  return fallback;
}

Json json_of(const SecretUse& use) {
  Json json = {{"id", use.id}};
  if (!use.variable.empty()) json["variable"] = use.variable;
  if (!use.file_variable.empty()) json["fileVariable"] = use.file_variable;
  if (!use.home.empty()) json["home"] = use.home;
  return json;
}

SecretUse secret_of(Members& members) {
  SecretUse use{.id = members.take<std::string>("id"),
                .variable = members.take_or("variable", std::string()),
                .file_variable = members.take_or("fileVariable", std::string()),
                .home = members.take_relative("home", true)};
  members.check_relative(use.id, "id");
  return use;
}

Json json_of(const Step& step) {
  Json json = {{"name", step.name},       {"argv", step.argv},       {"env", step.env},
               {"inputs", step.inputs},   {"outputs", step.outputs}, {"folder", step.folder},
               {"network", step.network}, {"files", step.files},     {"report", name_in(kReports, step.report)}};
  if (!step.report_folder.empty()) json["reportFolder"] = step.report_folder;
  if (step.may_fail) json["mayFail"] = true;
  if (step.needs != Step{}.needs) json["needs"] = step.needs;
  if (!step.fallbacks.empty()) json["fallbacks"] = Json::array();
  for (const Fallback& fallback : step.fallbacks) json["fallbacks"].push_back(json_of(fallback));
  for (const SecretUse& use : step.secrets) json["secrets"].push_back(json_of(use));
  return json;
}

Step step_of(Members& members) {
  Step step;
  step.name = members.take<std::string>("name");
  step.argv = members.take<Words>("argv");
  if (step.argv.empty()) throw members.refused(members.at("argv"), "is empty");
  step.env = members.take_or("env", Map{});
  step.folder = members.take_or("folder", step.folder);
  members.check_relative(step.folder, "folder");
  step.inputs = members.take_or("inputs", step.inputs);
  step.outputs = members.take_or("outputs", Words{});
  for (const std::string& path : step.outputs) members.check_relative(path, "outputs");
  step.files = members.take_or("files", Map{});
  for (const auto& [path, content] : step.files) members.check_relative(path, "files");
  step.network = members.take_or("network", false);
  step.may_fail = members.take_or("mayFail", false);
  step.needs = members.take_or("needs", step.needs);
  step.report = members.take_name("report", kReports);
  step.report_folder = members.take_relative("reportFolder", true);
  step.fallbacks = members.take_list("fallbacks", fallback_of);
  step.secrets = members.take_list("secrets", secret_of);
  return step;
}

Json json_of(const Output& output) {
  Json json = {{"built", output.built}, {"installed", output.installed}, {"kind", name_in(kKinds, output.kind)}};
  if (!output.process.empty()) json["process"] = output.process;
  if (!output.target.empty()) json["target"] = output.target;
  if (!output.shipped.empty()) json["shipped"] = output.shipped;
  if (output.only_if_named) json["onlyIfNamed"] = true;
  return json;
}

Output output_of(Members& members) {
  Output output;
  output.built = members.take_relative("built", true);
  output.installed = members.take<std::string>("installed");
  members.check_absolute(output.installed, "installed");
  output.kind = members.take_name("kind", kKinds);
  output.process = members.take_or("process", std::string());
  output.target = members.take_or("target", std::string());
  output.shipped = members.take_or("shipped", std::string());
  if (output.shipped.empty() == output.built.starts_with(kShipped)) {
    throw members.refused(members.at("built"),
                          "must begin with `shipped/` if there is a digest in `shipped`, and only then");
  }
  if (!output.shipped.empty() && !Digest::parse(output.shipped)) {
    throw members.refused(members.at("shipped"), "must be a digest, `sha256:…`");
  }
  output.only_if_named = members.take_or("onlyIfNamed", false);
  return output;
}

Json json_of(const Download& download) {
  Json json = {{"version", download.version}, {"program", download.program}};
  if (!download.host.empty()) json["host"] = download.host;
  if (!download.by.empty()) json["by"] = download.by;
  if (download.by.empty()) json.update({{"url", download.url}, {"digest", download.digest}, {"size", download.size}});
  if (!download.by.empty() && !download.digest.empty()) json["digest"] = download.digest;
  return json;
}

Download download_of(Members& members) {
  Download download;
  download.host = members.take_or("host", std::string());
  download.version = members.take<std::string>("version");
  download.by = members.take_or("by", std::string());
  download.program = members.take<std::string>("program");
  members.check_relative(download.program, "program");
  if (!download.by.empty()) {
    download.digest = members.take_or("digest", std::string());
    return download;
  }
  download.url = members.take<std::string>("url");
  download.digest = members.take<std::string>("digest");
  if (!Digest::parse(download.digest)) throw members.refused(members.at("digest"), "must be a digest, `sha256:…`");
  download.size = members.take<std::uint64_t>("size");
  return download;
}

Json json_of(const std::vector<Download>& downloads) {
  Json json = Json::array();
  for (const Download& download : downloads) json.push_back(json_of(download));
  return json;
}

Json json_of(const Toolchain& toolchain) {
  Json json = {{"name", toolchain.name},
               {"cc", toolchain.cc},
               {"cxx", toolchain.cxx},
               {"compileFlags", toolchain.compile_flags},
               {"linkFlags", toolchain.link_flags}};
  if (!toolchain.signs.empty()) json["signs"] = toolchain.signs;
  if (!toolchain.unless_host_has.empty()) json["unlessHostHas"] = toolchain.unless_host_has;
  if (toolchain.ar != Toolchain{}.ar) json["ar"] = toolchain.ar;
  if (toolchain.ranlib != Toolchain{}.ranlib) json["ranlib"] = toolchain.ranlib;
  if (!toolchain.env.empty()) json["env"] = toolchain.env;
  if (!toolchain.downloads.empty()) json["downloads"] = json_of(toolchain.downloads);
  return json;
}

Toolchain toolchain_of(Members& members) {
  Toolchain toolchain;
  toolchain.name = members.take<std::string>("name");
  toolchain.cc = members.take<std::string>("cc");
  toolchain.cxx = members.take_or("cxx", std::string());
  toolchain.compile_flags = members.take_or("compileFlags", Words{});
  toolchain.link_flags = members.take_or("linkFlags", Words{});
  toolchain.signs = members.take_or("signs", Words{});
  toolchain.unless_host_has = members.take_or("unlessHostHas", Words{});
  toolchain.ar = members.take_or("ar", toolchain.ar);
  toolchain.ranlib = members.take_or("ranlib", toolchain.ranlib);
  toolchain.env = members.take_or("env", Map{});
  toolchain.downloads = members.take_list("downloads", download_of);
  return toolchain;
}

Json json_of(const Module& module) {
  Json json = {{"name", module.name}, {"source", module.source}};
  if (module.linked) json["linked"] = true;
  if (module.whole_closure) json["wholeClosure"] = true;
  if (module.elsewhere) json["elsewhere"] = true;
  return json;
}

Module module_of(Members& members) {
  return {.name = members.take<std::string>("name"),
          .source = members.take_or("source", std::string()),
          .linked = members.take_or("linked", false),
          .whole_closure = members.take_or("wholeClosure", false),
          .elsewhere = members.take_or("elsewhere", false)};
}

Json json_of(const Tool& tool) {
  Json json = {{"name", tool.name}, {"constraint", tool.constraint}};
  if (!tool.source.empty()) json["source"] = tool.source;
  if (!tool.pin.empty()) json.update({{"pin", tool.pin}, {"pinSource", tool.pin_source}});
  if (!tool.library.empty()) json["library"] = tool.library;
  if (!tool.downloads.empty()) json["downloads"] = json_of(tool.downloads);
  return json;
}

Tool tool_of(Members& members) {
  return {.name = members.take<std::string>("name"),
          .constraint = members.take_or("constraint", std::string()),
          .source = members.take_or("source", std::string()),
          .pin = members.take_or("pin", std::string()),
          .pin_source = members.take_or("pinSource", std::string()),
          .library = members.take_relative("library", true),
          .downloads = members.take_list("downloads", download_of)};
}

Json json_of(const FileMapping& file) {
  Json json = {{"source", file.source}, {"path", file.path}, {"mode", file.mode}};
  if (!file.ignore.empty()) json["ignore"] = file.ignore;
  return json;
}

FileMapping file_of(Members& members) {
  FileMapping file{.source = members.take<std::string>("source"),
                   .path = members.take<std::string>("path"),
                   .mode = members.take_or("mode", std::string()),
                   .ignore = members.take_or("ignore", Words{})};
  members.check_relative(file.source, "source");
  members.check_absolute(file.path, "path");
  return file;
}

Json json_of(const Supply& supply) {
  Json json = {{"kind", name_in(kSupplies, supply.kind)}, {"reason", supply.reason}};
  if (!supply.value.empty()) json["value"] = supply.value;
  return json;
}

Supply supply_of(Members& members) {
  Supply supply{.kind = members.take_name("kind", kSupplies),
                .value = members.take_or("value", std::string()),
                .reason = members.take_or("reason", std::string())};
  const bool is_path =
      supply.kind == Supply::Kind::folder || (supply.kind == Supply::Kind::certificates && !supply.value.empty());
  if (is_path) members.check_absolute(supply.value, "value");
  return supply;
}

Json json_of(const ImageSettings& image) {
  Json files = Json::array();
  for (const FileMapping& file : image.files) files.push_back(json_of(file));
  Json json = {{"entrypoint", image.entrypoint},
               {"processes", image.processes},
               {"defaultProcess", image.default_process},
               {"user", image.user},
               {"workdir", image.workdir},
               {"env", image.env},
               {"ports", image.ports},
               {"labels", image.labels},
               {"stopSignal", image.stop_signal},
               {"certificates", image.certificates},
               {"timezones", image.timezones},
               {"files", files},
               {"ignore", image.ignore},
               {"created", image.created}};
  if (!image.arguments.empty()) json["arguments"] = image.arguments;
  if (!image.site.empty()) json["site"] = image.site;
  for (const Supply& supply : image.supplies) json["supplies"].push_back(json_of(supply));
  return json;
}

void read_image(Members& members, ImageSettings& image) {
  image.entrypoint = members.take_or("entrypoint", Words{});
  image.processes = members.take_or("processes", std::map<std::string, Words>{});
  image.default_process = members.take_or("defaultProcess", std::string());
  image.arguments = members.take_or("arguments", Words{});
  image.user = members.take_or("user", image.user);
  image.workdir = members.take_or("workdir", image.workdir);
  members.check_absolute(image.workdir, "workdir");
  image.env = members.take_or("env", Map{});
  image.ports = members.take_or("ports", Words{});
  image.labels = members.take_or("labels", Map{});
  image.stop_signal = members.take_or("stopSignal", std::string());
  image.certificates = members.take_or("certificates", image.certificates);
  image.timezones = members.take_or("timezones", image.timezones);
  image.files = members.take_list("files", file_of);
  image.ignore = members.take_or("ignore", Words{});
  image.created = members.take_or("created", std::string());
  image.site = members.take_or("site", std::string());
  image.supplies = members.take_list("supplies", supply_of);
  if (!image.site.empty()) members.check_absolute(image.site, "site");
  if (!image.created.empty() && !parse_number(image.created)) {
    throw members.refused(members.at("created"), "must be seconds since 1970");
  }
}

void read_layers(Members& members, LayerSettings& layers) {
  layers.level = members.take_or("level", layers.level);
  if (layers.level < 1 || layers.level > 19) throw members.refused(members.at("level"), "must be 1 to 19");
  layers.form = members.take_or("form", layers.form);
  layers.gzip_twin = members.take_or("gzipTwin", false);
  if (layers.gzip_twin && layers.form == "dual") {
    throw members.refused(members.at("gzipTwin"), "must not be with the form `dual`");
  }
}

template <class List>
Json list_of(const List& list) {
  Json json = Json::array();
  for (const auto& item : list) json.push_back(json_of(item));
  return json;
}

void read_values(const Json& json, std::string_view what, std::map<std::string, Value>& values) {
  if (!json.is_object()) throw Error(Exit::usage, cat("`values` in ", what, " must be an object"));
  for (const auto& [name, value] : json.items()) {
    Members members(value, std::string(what), cat("values.", name));
    values[name] = {members.take<std::string>("value"), members.take<std::string>("source")};
    members.finish();
  }
}

}  // namespace

Json BuildPlan::to_json() const {
  Json listed = Json::object();
  for (const auto& [key, value] : values) listed[key] = {{"value", value.value}, {"source", value.source}};
  Json layer_settings = {{"level", layers.level}, {"form", layers.form}};
  if (layers.gzip_twin) layer_settings["gzipTwin"] = true;
  Json json = {{"schema", kSchema},
               {"name", name},
               {"language", language},
               {"detector", detector},
               {"appRoot", app_root},
               {"contextRoot", context_root},
               {"platform", platform},
               {"link", link},
               {"toolchain", toolchain},
               {"leavesSourceAlone", leaves_source_alone},
               {"values", listed},
               {"tools", list_of(tools)},
               {"toolchains", list_of(toolchains)},
               {"steps", list_of(steps)},
               {"outputs", list_of(outputs)},
               {"runtime", nullptr},
               {"image", json_of(image)},
               {"layers", layer_settings},
               {"warnings", warnings}};
  if (!modules.empty()) json["modules"] = list_of(modules);
  if (sandbox != BuildPlan{}.sandbox) json["sandbox"] = sandbox;
  if (budget != Budget{}) json["budget"] = {{"compressed", budget.compressed}, {"installed", budget.installed}};
  return json;
}

BuildPlan BuildPlan::from_json(const Json& json, std::string_view what) {
  Members members(json, std::string(what), "");
  const auto schema = members.take<std::string>("schema");
  if (schema != kSchema) {
    throw members.refused("schema", cat("is ", backticked(schema), ", and this version reads ", backticked(kSchema)));
  }
  BuildPlan plan;
  plan.name = members.take<std::string>("name");
  plan.language = members.take<std::string>("language");
  plan.detector = members.take<std::string>("detector");
  plan.app_root = members.take_or("appRoot", plan.app_root);
  plan.context_root = members.take_or("contextRoot", plan.context_root);
  plan.platform = members.take<std::string>("platform");
  plan.link = members.take_or("link", plan.link);
  plan.toolchain = members.take_or("toolchain", plan.toolchain);
  plan.sandbox = members.take_name("sandbox", kSandboxes);
  plan.leaves_source_alone = members.take_or("leavesSourceAlone", false);
  read_values(members.take_or("values", Json::object()), what, plan.values);
  plan.tools = members.take_list("tools", tool_of);
  plan.toolchains = members.take_list("toolchains", toolchain_of);
  plan.modules = members.take_list("modules", module_of);
  plan.steps = members.take_list("steps", step_of);
  plan.outputs = members.take_list("outputs", output_of);
  if (!members.take_or("runtime", Json()).is_null()) {
    throw members.refused("runtime", "must be null: outputs of the kind `runtime` make it");
  }
  members.take_object("image", [&](Members& below) { read_image(below, plan.image); });
  members.take_object("layers", [&](Members& below) { read_layers(below, plan.layers); });
  members.take_object_or_nothing("budget", [&](Members& below) {
    plan.budget.compressed = below.take_or("compressed", plan.budget.compressed);
    plan.budget.installed = below.take_or("installed", plan.budget.installed);
  });
  plan.warnings = members.take_or("warnings", Words{});
  members.finish();
  return plan;
}

std::string BuildPlan::canonical() const {
  return canonical_json(to_json());
}

}  // namespace whittle::plan
