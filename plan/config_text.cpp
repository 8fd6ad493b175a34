#include "plan/config_text.hpp"

#include <algorithm>
#include <vector>

#include "base/json.hpp"
#include "base/text.hpp"

namespace whittle::plan {

namespace {

constexpr std::size_t kCommentColumn = 36;

// A basic string. JSON's escapes are TOML's too; but TOML also escapes DEL.
std::string toml_text(const std::string& text) {
  std::string out;
  for (const char c : Json(text).dump()) out += c == '\x7f' ? std::string("\\u007f") : std::string(1, c);
  return out;
}

std::string toml_list(const std::vector<std::string>& values) {
  std::vector<std::string> texts;
  texts.reserve(values.size());
  for (const std::string& value : values) texts.push_back(toml_text(value));
  return cat("[", join(texts, ", "), "]");
}

class Text {
 public:
  explicit Text(const BuildPlan& plan) : plan_(plan) {}

  void section(std::string_view name) { out_ += cat("\n[", name, "]\n"); }

  // `value` is the name in the plan's values, whose source becomes the comment.
  void line(std::string_view key, const std::string& toml, std::string_view value) {
    std::string line = cat(key, " = ", toml);
    const auto found = plan_.values.find(std::string(value));
    line.resize(std::max(line.size(), kCommentColumn), ' ');
    out_ += cat(line, "  # ", found == plan_.values.end() ? "inferred" : printable(found->second.source), "\n");
  }

  std::string take() { return std::move(out_); }

 private:
  const BuildPlan& plan_;
  std::string out_ = "# What whittle inferred. A line that is removed is inferred again.\n";
};

// The programs, when all of them are known by name and are more than one.
std::vector<std::string> targets_of(const BuildPlan& plan) {
  std::vector<std::string> targets;
  for (const Output& output : plan.outputs) {
    if (output.kind != Output::Kind::program) continue;
    if (output.process.empty()) return {};
    targets.push_back(output.process);
  }
  return targets.size() > 1 ? targets : std::vector<std::string>{};
}

// Those that are more than a program by its own name.
void add_processes(const BuildPlan& plan, Text& text) {
  for (const auto& [name, argv] : plan.image.processes) {
    if (!plan.values.contains(cat("process ", name))) continue;
    text.section(cat("process.", toml_text(name)));
    text.line("argv", toml_list(argv), cat("process ", name));
  }
}

// Of a site that lies in the tree.
void add_site(const BuildPlan& plan, Text& text) {
  const auto folder = plan.values.find("site"), single_page = plan.values.find("single-page");
  if (folder == plan.values.end() || single_page == plan.values.end()) return;
  text.section("site");
  text.line("folder", toml_text(folder->second.value), "site");
  text.line("single-page", toml_text(single_page->second.value), "single-page");
}

}  // namespace

std::string config_text(const BuildPlan& plan) {
  Text text(plan);
  text.line("name", toml_text(plan.name), "name");

  text.section("build");
  text.line("detector", toml_text(plan.detector), "detector");
  if (const std::vector<std::string> targets = targets_of(plan); !targets.empty()) {
    text.line("targets", toml_list(targets), "targets");
  }
  if (!plan.toolchains.empty()) text.line("toolchain", toml_text(plan.toolchain), "toolchain");
  text.line("link", toml_text(plan.link), "link");

  text.section("image");
  if (!plan.image.default_process.empty()) text.line("default", toml_text(plan.image.default_process), "default");
  text.line("user", toml_text(plan.image.user), "user");
  text.line("workdir", toml_text(plan.image.workdir), "workdir");
  text.line("certificates", toml_text(plan.image.certificates), "certificates");
  text.line("timezones", toml_list(plan.image.timezones), "timezones");

  add_site(plan, text);

  text.section("layers");
  text.line("compression", toml_text(cat("zstd:", plan.layers.level)), "compression");
  text.line("form", toml_text(plan.layers.form), "form");
  add_processes(plan, text);
  return text.take();
}

}  // namespace whittle::plan
