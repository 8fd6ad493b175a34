#include "plan/config_schema.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "plan/config_keys.hpp"

namespace whittle::plan {

namespace {

struct KeyText {
  std::string_view key, text;
  std::string_view choices = {};  // separated by spaces; empty: not a choice
};

constexpr std::array kTexts = std::to_array<KeyText>({
    {"name", "Repository name of the image, as `edge/sensor`; default: after the tree."},
    {"build.detector", "Use this detector, whatever else matches."},
    {"build.targets", "Which programs to build; default: all."},
    {"build.toolchain", "Compilers of C and C++.", "auto zig musl host"},
    {"build.strict-versions", "A tool of another version than the project pins is an error, not a warning.",
     "always never"},
    {"build.link", "Static programs, or dynamic ones with exactly their loader and libraries.", "static closure"},
    {"build.timeout", "All steps together may take no longer, as `90s`, `10m` or `2h`."},
    {"build.sandbox", "Whether steps run in a sandbox: where it works, always, or never.", "auto required off"},
    {"build.network", "Steps that may use the network, by name or pattern, beyond those that fetch."},
    {"build.args", "Words that are added to the build tool's command line."},
    {"build.env", "Variables for build steps."},
    {"image.default", "The process that is the entry point."},
    {"image.user", "Numeric user, or user and group: `65532:65532`."},
    {"image.workdir", "Working folder of processes."},
    {"image.env", "Variables for processes."},
    {"image.ports", "Ports that processes listen on, as `8080/tcp`."},
    {"image.labels", "Labels of the image; those of version control are added."},
    {"image.stop-signal", "The signal that ends a process, as `SIGTERM`."},
    {"image.certificates", "CA roots: when a program uses them, always or never.", "auto always never"},
    {"image.java-modules", "Modules of the JDK beyond those that the classes name, as `java.sql`."},
    {"image.python", "Of Python's own library what is imported, or all of it, and packages as they are published.",
     "imported full"},
    {"image.timezones", "Time zones: `auto` (when a program loads them), `all`, or names."},
    {"image.ignore", "Files of the tree that are neither in the image nor in the cache key."},
    {"site.folder", "The folder that is served as it is."},
    {"site.single-page", "Pages that are not there are the root's: what runs there looks at the address itself.",
     "auto always never"},
    {"layers.compression", "`zstd:LEVEL`, level 1 to 19."},
    {"layers.form", "Whether files of a layer can be fetched alone.", "auto plain chunked dual"},
    {"layers.gzip-twin", "An index with a gzip manifest too, for clients without zstd.", "always never"},
    {"budget.compressed", "The image's blobs may have no more together, as `15MB`."},
    {"budget.installed", "The image's files may have no more together, as `30MB`."},
});

const KeyText& text_of_key(std::string_view section, std::string_view name) {
  const std::string key = section.empty() ? std::string(name) : cat(section, ".", name);
  const auto found = std::find_if(kTexts.begin(), kTexts.end(), [&](const KeyText& text) { return text.key == key; });
  if (found == kTexts.end()) throw Error(Exit::bug, cat("the key ", backticked(key), " has no description"));
  return *found;
}

Json text_schema(const KeyText& text) {
  Json schema = {{"type", "string"}, {"description", text.text}};
  if (!text.choices.empty()) schema["enum"] = split(text.choices, ' ');
  return schema;
}

Json list_schema(const KeyText& text, bool may_be_text) {
  const Json list = {{"type", "array"}, {"items", {{"type", "string"}}}};
  Json schema = may_be_text ? Json{{"anyOf", Json::array({{{"type", "string"}}, list})}} : list;
  schema["description"] = text.text;
  return schema;
}

Json map_schema(const KeyText& text) {
  return {{"type", "object"}, {"additionalProperties", {{"type", "string"}}}, {"description", std::string(text.text)}};
}

Json table(Json properties) {
  return {{"type", "object"}, {"additionalProperties", false}, {"properties", std::move(properties)}};
}

Json files_schema() {
  Json file =
      table({{"source", {{"type", "string"}, {"description", "In the tree; a final `/`: the folder's content."}}},
             {"path", {{"type", "string"}, {"description", "Absolute, in the image."}}},
             {"mode", {{"type", "string"}, {"description", "Octal; default: 0644, or 0755 for programs."}}}});
  file["required"] = {"source", "path"};
  return {{"type", "array"}, {"items", file}, {"description", "Files and folders of the tree that go into the image."}};
}

Json secrets_schema() {
  const auto text = [](const char* description) { return Json{{"type", "string"}, {"description", description}}; };
  Json secret = table({{"steps",
                        {{"type", "array"},
                         {"items", {{"type", "string"}}},
                         {"minItems", 1},
                         {"description", "The steps that get it, by name or pattern."}}},
                       {"variable", text("A variable that holds the secret itself.")},
                       {"file-variable", text("A variable that holds the path of a file with it.")},
                       {"home", text("Where a file with it is below the step's home, as `.npmrc`.")}});
  secret["required"] = {"steps"};
  return {{"type", "object"},
          {"additionalProperties", secret},
          {"description", "Secrets that steps need, each by the name that `--secret id=NAME` gives."}};
}

Json processes_schema() {
  const Json argv = {{"type", "array"},
                     {"items", {{"type", "string"}}},
                     {"minItems", 1},
                     {"description", "The command, without a shell; first the program's absolute path in the image."}};
  Json process = table({{"argv", argv}});
  process["required"] = {"argv"};
  return {{"type", "object"},
          {"additionalProperties", process},
          {"description", "Further ways to start the image, each by its name."}};
}

}  // namespace

Json config_schema() {
  Json top = Json::object();
  const auto place = [&](std::string_view section) -> Json& {
    if (section.empty()) return top;
    Json& found = top[std::string(section)];
    if (found.is_null()) found = table(Json::object());
    return found["properties"];
  };
  for (const TextKey& key : text_keys()) {
    place(key.section)[std::string(key.name)] = text_schema(text_of_key(key.section, key.name));
  }
  for (const ListKey& key : list_keys()) {
    place(key.section)[std::string(key.name)] = list_schema(text_of_key(key.section, key.name), key.may_be_text);
  }
  for (const MapKey& key : map_keys()) {
    place(key.section)[std::string(key.name)] = map_schema(text_of_key(key.section, key.name));
  }
  place("image")["files"] = files_schema();
  place("build")["secrets"] = secrets_schema();
  top["process"] = processes_schema();

  Json schema = table(std::move(top));
  schema["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  schema["title"] = "whittle.toml";
  return schema;
}

}  // namespace whittle::plan
