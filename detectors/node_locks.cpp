#include "detectors/node_locks.hpp"

#include <array>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

constexpr std::uint64_t kLargest = 64 << 20;

std::string unquoted(std::string_view text) {
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'')) text = text.substr(1, text.size() - 2);
  return std::string(text);
}

std::size_t indent_of(std::string_view line) {
  return std::min(line.find_first_not_of(' '), line.size());
}

Error cut_off(const std::string& file, int line, const std::string& why) {
  return failure(file, line, cat(why, ": the lock file is not complete"));
}

void check_last_line(const std::string& file, const std::string& text) {
  const auto lines = static_cast<int>(split_lines(text).size());
  if (trim(text).empty()) throw cut_off(file, 1, "it is empty");
  if (!text.ends_with('\n')) throw cut_off(file, lines, "it ends in the middle of a line");
}

// https://docs.npmjs.com/cli/configuring-npm/package-lock-json
LockFacts check_npm(const std::string& file, const std::string& text, const NodeManifest& root) {
  const Json lock = parse_json(text, file, static_cast<int>(Exit::detector_failed));
  if (!lock.is_object()) throw failure(file, 1, "no object");
  const auto packages = lock.find("packages");
  if (packages == lock.end() || !packages->is_object() || !packages->contains("")) return {};
  const Json& own = (*packages)[""];
  for (const char* key : {"dependencies", "devDependencies", "optionalDependencies"}) {
    for (const auto& [name, range] : root.texts(key)) {
      bool is_there = false;
      for (const char* other : {"dependencies", "devDependencies", "optionalDependencies", "peerDependencies"}) {
        const Json* const list = own.is_object() && own.contains(other) ? &own[other] : nullptr;
        is_there = is_there || (list != nullptr && list->is_object() && list->contains(name) && (*list)[name] == range);
      }
      if (is_there) continue;
      throw failure(root.shown(), root.line(key, name),
                    cat(backticked(name), " ", range, " is not in ", file, ": `npm install` brings it up to date"));
    }
  }
  LockFacts facts{.may_have_install_scripts = false};
  for (const auto& [path, package] : packages->items()) {
    const bool has = package.is_object() && package.contains("hasInstallScript") && package["hasInstallScript"] == true;
    facts.may_have_install_scripts = facts.may_have_install_scripts || (has && !path.empty());
  }
  return facts;
}

// https://classic.yarnpkg.com/lang/en/docs/yarn-lock/: entries, and below `dependencies:` what each of them wants.
void check_yarn(const std::string& file, const std::string& text) {
  check_last_line(file, text);
  std::set<std::string> entries;
  std::vector<std::pair<std::string, int>> wanted;
  int number = 0, entry = 0;
  bool has_version = true, lists_dependencies = false;
  const auto end_entry = [&] {
    if (!has_version) throw cut_off(file, entry, "this entry has no version");
  };
  for (const std::string& line : split_lines(text)) {
    ++number;
    const std::string_view content = trim(line);
    if (content.empty() || content.starts_with('#')) continue;
    const std::size_t indent = indent_of(line);
    if (indent == 0) {
      end_entry();
      entry = number;
      has_version = false;
      if (!content.ends_with(':')) throw cut_off(file, number, "no entry");
      for (const std::string& key : split(content.substr(0, content.size() - 1), ','))
        entries.insert(unquoted(trim(key)));
    } else if (indent == 2) {
      has_version = has_version || content.starts_with("version ");
      lists_dependencies = content == "dependencies:";
    } else if (lists_dependencies) {
      const std::size_t blank = content.rfind(content.ends_with('"') ? " \"" : " ");
      if (blank == std::string_view::npos) continue;
      wanted.emplace_back(cat(unquoted(trim(content.substr(0, blank))), "@", unquoted(trim(content.substr(blank)))),
                          number);
    }
  }
  end_entry();
  for (const auto& [name, line] : wanted) {
    if (!entries.contains(name)) throw cut_off(file, line, cat(backticked(name), " is wanted here and has no entry"));
  }
}

// Sections at the left margin, entries below them, and of each what `must_have` begins with.
void check_entries(const std::string& file, const std::string& text, std::string_view section,
                   std::string_view must_have) {
  int number = 0, entry = 0;
  bool is_inside = section.empty(), is_whole = true;
  const std::size_t margin = section.empty() ? 0 : 2;
  for (const std::string& line : split_lines(text)) {
    ++number;
    const std::string_view content = trim(line);
    if (content.empty() || content.starts_with('#')) continue;
    const std::size_t indent = indent_of(line);
    if (!section.empty() && indent == 0) is_inside = content == section;
    if (indent == margin || indent == 0) {
      if (!is_whole) break;
      is_whole = !is_inside || indent != margin || content.starts_with("__metadata");
      entry = number;
    } else {
      is_whole = is_whole || content.starts_with(must_have);
    }
  }
  if (!is_whole) throw cut_off(file, entry, cat("this entry has no ", must_have.substr(0, must_have.find(':'))));
}

void check_pnpm(const std::string& file, const std::string& text) {
  check_last_line(file, text);
  if (!text.starts_with("lockfileVersion") && text.find("\nlockfileVersion") == std::string::npos) {
    throw failure(file, 1, "it has no `lockfileVersion`");
  }
  check_entries(file, text, "packages:", "resolution:");
  std::set<std::string> packages, snapshots;
  std::set<std::string>* section = nullptr;
  int number = 0, last = 0;
  for (const std::string& line : split_lines(text)) {
    ++number;
    const std::size_t indent = indent_of(line);
    const std::string_view content = trim(line);
    if (content.empty()) continue;
    if (indent == 0) section = content == "packages:" ? &packages : content == "snapshots:" ? &snapshots : nullptr;
    if (indent != 2 || section == nullptr) continue;
    last = number;
    const std::string key = unquoted(content.substr(0, content.rfind(':')));
    section->insert(key.substr(0, key.find('(')));
  }
  // Since version 9 every package has a snapshot.
  if (text.find("lockfileVersion: '9") == std::string::npos) return;
  for (const std::string& package : packages) {
    if (!snapshots.contains(package)) throw cut_off(file, last, cat(backticked(package), " has no snapshot"));
  }
}

// JSON with commas before closing brackets: https://bun.com/docs/install/lockfile
void check_bun(const std::string& file, std::string text) {
  bool in_text = false;
  std::size_t comma = std::string::npos;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_text) {
      if (c == '\\') ++i;
      in_text = c != '"';
      continue;
    }
    if ((c == '}' || c == ']') && comma != std::string::npos) text[comma] = ' ';
    if (c == ',') {
      comma = i;
    } else if (std::string_view(" \t\r\n").find(c) == std::string_view::npos) {
      comma = std::string::npos;
    }
    in_text = c == '"';
  }
  parse_json(text, file, static_cast<int>(Exit::detector_failed));
}

}  // namespace

LockFacts check_lock(const plan::SourceTree& tree, const std::string& file, const NodeManifest& root) {
  if (file == "bun.lockb") {
    if (!tree.read_prefix(file, 64).starts_with("#!/usr/bin/env bun"))
      throw failure(file, 0, "it is no lock file of bun");
    return {};
  }
  const std::string text = tree.read(file, kLargest);
  if (file.ends_with(".json")) return check_npm(file, text, root);
  if (file == "bun.lock") {
    check_bun(file, text);
  } else if (file == "pnpm-lock.yaml") {
    check_pnpm(file, text);
  } else if (text.find("__metadata:") != std::string::npos) {
    check_last_line(file, text);
    check_entries(file, text, "", "resolution:");
  } else {
    check_yarn(file, text);
  }
  return {};
}

}  // namespace whittle::detectors
