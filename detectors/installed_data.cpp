#include "detectors/installed_data.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace whittle::detectors {

bool is_data_list_of_automake(std::string_view key) {
  for (const std::string_view prefix : {"dist_", "nodist_", "nobase_", "dist_"}) {
    if (key.starts_with(prefix)) key.remove_prefix(prefix.size());
  }
  if (!key.ends_with("_DATA")) return false;
  const std::string_view folder = key.substr(0, key.size() - 5);
  constexpr std::array<std::string_view, 14> kOthers = {"noinst",       "check",   "man",     "doc",  "html",
                                                        "info",         "pdf",     "aclocal", "m4",   "pkgconfig",
                                                        "applications", "desktop", "appdata", "icons"};
  return std::none_of(kOthers.begin(), kOthers.end(), [&](std::string_view other) { return folder.find(other) == 0; });
}

bool cmake_installs_data(std::string_view script) {
  const std::string small = lower(script);
  for (std::size_t at = small.find("install("); at != std::string::npos; at = small.find("install(", at + 1)) {
    const std::string_view call = std::string_view(small).substr(at + 8, small.find(')', at) - at - 8);
    const std::string_view kind = trim(call);
    if (!kind.starts_with("files") && !kind.starts_with("directory")) continue;
    const auto says = [&](std::string_view word) { return call.find(word) != std::string_view::npos; };
    const bool is_for_others = says("man") || says("pkgconfig") || says("doc") || says("cmake") || says("icons") ||
                               says("applications") || says("completion") || says("include");
    if (is_for_others) continue;
    if (says("share/") || says("datadir") || says("datarootdir") || says("sysconfdir") || says("etc/")) return true;
  }
  return false;
}

bool meson_installs_data(const MesonStatement& statement) {
  const auto install = statement.keywords.find("install");
  const bool is_generated = statement.name == "configure_file" &&
                            (statement.keywords.contains("install_dir") || (install != statement.keywords.end()));
  if (statement.name != "install_data" && statement.name != "install_subdir" && !is_generated) return false;
  if (install != statement.keywords.end() && install->second.size() == 1 && install->second[0].text == "false")
    return false;
  const auto folder = statement.keywords.find("install_dir");
  std::string place;
  if (folder != statement.keywords.end()) {
    for (const MesonToken& token : folder->second) place += lower(token.text);
  }
  constexpr std::array<std::string_view, 12> kOthers = {"man",    "pkgconfig",  "doc",          "cmake",
                                                        "icons",  "completion", "applications", "metainfo",
                                                        "locale", "include",    "systemd",      "appdata"};
  return std::none_of(kOthers.begin(), kOthers.end(),
                      [&](std::string_view other) { return place.find(other) != std::string::npos; });
}

void add_install_step(plan::BuildPlan& plan, plan::Step step, std::vector<std::string> argv) {
  step.name = "install data";
  step.argv = std::move(argv);
  step.env["DESTDIR"] = cat("${work}/", kInstallFolder);
  step.report = plan::Report::none;
  step.report_folder.clear();
  step.fallbacks.clear();
  step.may_fail = true;
  plan.steps.push_back(std::move(step));
  for (const std::string_view prefix : {"", "/usr", "/usr/local"}) {
    for (const std::string_view folder : {"etc", "lib", "libexec", "share", "bin", "sbin"}) {
      const bool is_programs = folder.ends_with("bin");
      plan::Output output;
      output.built = cat(kInstallFolder, prefix, "/", folder);
      output.installed = is_programs ? "/bin" : cat(prefix, "/", folder);
      output.kind = plan::Output::Kind::data;
      output.only_if_named = true;
      plan.outputs.push_back(std::move(output));
    }
  }
}

}  // namespace whittle::detectors
