// Mistakes that `docker build` finds late or never, and how whittle's image is free of them.
#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "detectors/dockerfile_hints.hpp"

namespace whittle::detectors {

namespace {

enum class Library { unknown, none, glibc, musl };

// "golang" of "docker.io/library/golang:1.22-alpine@sha256:…".
std::string repository_of(std::string_view image) {
  image = image.substr(0, image.find('@'));
  const std::string last = last_part(image);
  return last.substr(0, last.find(':'));
}

bool has_part(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

Library library_of(const Stage& stage) {
  const std::string repository = repository_of(stage.base);
  if (stage.base.empty()) return Library::unknown;
  if (repository == "scratch") return Library::none;
  if (has_part(stage.base, "distroless/static")) return Library::none;
  if (has_part(stage.base, "alpine")) return Library::musl;
  constexpr std::array<std::string_view, 11> kGlibc = {"golang", "rust",           "gcc",    "debian",     "ubuntu",
                                                       "fedora", "buildpack-deps", "centos", "rockylinux", "python",
                                                       "node"};
  const bool is_glibc = std::find(kGlibc.begin(), kGlibc.end(), repository) != kGlibc.end();
  return is_glibc || has_part(stage.base, "distroless/") ? Library::glibc : Library::unknown;
}

std::string flag_of(const Instruction& instruction, std::string_view name) {
  for (const std::string& flag : instruction.flags) {
    if (flag.starts_with(name) && flag.size() > name.size() && flag[name.size()] == '=')
      return flag.substr(name.size() + 1);
  }
  return {};
}

// The command lines of a RUN: `cd x && go build -o /app` is two.
std::vector<std::string> commands_of(const Instruction& run) {
  std::string text = run.text;
  if (const auto argv = exec_form(run.text)) text = join(*argv, " ");
  std::vector<std::string> commands;
  std::string open;
  for (const char c : text) {
    if (c == '&' || c == ';' || c == '|' || c == '\n' || c == '(') {
      if (!trim(open).empty()) commands.emplace_back(trim(open));
      open.clear();
    } else {
      open += c;
    }
  }
  if (!trim(open).empty()) commands.emplace_back(trim(open));
  return commands;
}

// The program of "CGO_ENABLED=0 go build".
std::string program_of(std::string_view command) {
  for (const std::string& word : split(command, ' ')) {
    if (!word.empty() && word.find('=') == std::string::npos && !word.starts_with('-')) return last_part(word);
  }
  return {};
}

class Search {
 public:
  Search(const std::vector<Stage>& stages, std::string_view name) : stages_(stages), name_(name) {}

  std::vector<std::string> take() {
    for (const Stage& stage : stages_) {
      find_missing_module(stage);
      find_missing_compiler(stage);
    }
    if (!stages_.empty()) find_other_library(stages_.back());
    std::sort(found_.begin(), found_.end());
    found_.erase(std::unique(found_.begin(), found_.end()), found_.end());
    return std::move(found_);
  }

 private:
  void warn(int line, const std::string& text) { found_.push_back(cat(name_, ":", line, ": ", text)); }

  static bool brings_module(const Instruction& copy) {
    if (!flag_of(copy, "--from").empty()) return true;
    std::vector<std::string> words = exec_form(copy.text).value_or(split(copy.text, ' '));
    std::erase_if(words, [](const std::string& word) { return word.empty(); });
    if (!words.empty()) words.pop_back();
    return std::any_of(words.begin(), words.end(), [](std::string word) {
      if (word.starts_with("./")) word.erase(0, 2);
      if (word.ends_with('/') && word.size() > 1) word.pop_back();
      const bool is_all = word.empty() || word == "." || word == "/" || word == "*" || word.starts_with("<<");
      // A folder may be the module's.
      const bool may_be_folder = word.find('.') == std::string::npos && word.find('*') == std::string::npos;
      return is_all || may_be_folder || last_part(word) == "go.mod" || last_part(word) == "go.work" ||
             matches_glob(last_part(word), "go.mod") || word.find('$') != std::string::npos;
    });
  }

  void find_missing_module(const Stage& stage) {
    bool is_there = false;
    for (const Instruction& one : stage.instructions) {
      if (one.name == "COPY" || one.name == "ADD") is_there = is_there || brings_module(one);
      if (one.name != "RUN" || is_there) continue;
      const bool is_mounted = std::any_of(one.flags.begin(), one.flags.end(), [](const std::string& flag) {
        return flag.starts_with("--mount") && flag.find("type=bind") != std::string::npos;
      });
      if (is_mounted) return;
      for (const std::string& command : commands_of(one)) {
        if (command.starts_with("git clone") || command.starts_with("go mod init")) return;
        const bool needs_module = command.starts_with("go mod download") || command.starts_with("go build") ||
                                  command.find(" go build") != std::string::npos;
        if (!needs_module) continue;
        return warn(one.line, cat(backticked(command.substr(0, 80)),
                                  " has no go.mod in Docker's image: nothing above it copies one"));
      }
    }
  }

  // What an image of this name has from the beginning.
  static bool has_compiler(const Stage& stage, std::string_view program) {
    const std::string repository = repository_of(stage.base);
    const bool is_alpine = has_part(stage.base, "alpine"), is_slim = has_part(stage.base, "slim");
    if (program == "go") return repository != "alpine" && repository != "debian" && repository != "ubuntu";
    if (program == "cargo" || program == "rustc")
      return repository != "alpine" && repository != "debian" && repository != "ubuntu" && repository != "golang";
    const bool is_bare = repository == "alpine" || repository == "debian" || repository == "ubuntu" ||
                         repository == "busybox" || ((is_alpine || is_slim) && repository != "gcc");
    return !is_bare;
  }

  void find_missing_compiler(const Stage& stage) {
    if (stage.base.empty()) return;
    const bool is_bare = library_of(stage) == Library::none || has_part(stage.base, "distroless");
    for (const Instruction& one : stage.instructions) {
      if (one.line < stage.line) continue;
      if (one.name == "COPY" && !flag_of(one, "--from").empty()) return;
      if (one.name != "RUN") continue;
      if (is_bare && !exec_form(one.text)) {
        return warn(one.line, cat("`RUN` needs a shell, which ", backticked(stage.base), " does not have"));
      }
      for (const std::string& command : commands_of(one)) {
        const std::string program = program_of(command);
        // Whatever is installed may bring it.
        if (program == "apt-get" || program == "apt" || program == "apk" || program == "curl" || program == "wget" ||
            program == "dnf" || program == "yum" || program == "sh" || program == "microdnf")
          return;
        constexpr std::array<std::string_view, 12> kCompilers = {"go",  "cargo", "rustc", "gcc",   "g++",   "cc",
                                                                 "c++", "make",  "cmake", "meson", "ninja", "clang"};
        if (std::find(kCompilers.begin(), kCompilers.end(), program) == kCompilers.end()) continue;
        if (has_compiler(stage, program)) continue;
        return warn(one.line, cat(backticked(program), " is called in ", backticked(stage.base),
                                  ", which does not have it, and nothing above installs it"));
      }
    }
  }

  // Whether what the stage makes is linked dynamically, as far as its commands tell.
  static bool links_dynamically(const Stage& stage) {
    bool compiles = false;
    const auto cgo = stage.env.find("CGO_ENABLED");
    bool is_static = cgo != stage.env.end() && cgo->second.value == "0";
    for (const Instruction& one : stage.instructions) {
      if (one.name != "RUN") continue;
      is_static = is_static || has_part(one.text, "CGO_ENABLED=0") || has_part(one.text, "-static") ||
                  has_part(one.text, "linux-musl") || has_part(one.text, "crt-static");
      for (const std::string& command : commands_of(one)) {
        const std::string program = program_of(command);
        compiles = compiles || program == "gcc" || program == "g++" || program == "make" || program == "cmake" ||
                   (program == "cargo" && (has_part(command, "build") || has_part(command, "install"))) ||
                   (program == "go" && (has_part(command, "build") || has_part(command, "install")));
      }
    }
    return compiles && !is_static;
  }

  void find_other_library(const Stage& last) {
    const Library own = library_of(last);
    if (own != Library::musl && own != Library::none) return;
    for (const Instruction& one : last.instructions) {
      const std::string from = one.name == "COPY" ? lower(flag_of(one, "--from")) : "";
      if (from.empty()) continue;
      for (std::size_t i = 0; i < stages_.size(); ++i) {
        const bool is_meant = stages_[i].name == from || std::to_string(i) == from;
        if (!is_meant || library_of(stages_[i]) != Library::glibc || !links_dynamically(stages_[i])) continue;
        return warn(one.line, cat("what ", backticked(stages_[i].base), " links may need glibc, which ",
                                  backticked(last.base), " does not have; whittle's programs are static"));
      }
    }
  }

  const std::vector<Stage>& stages_;
  std::string_view name_;
  std::vector<std::string> found_;
};

}  // namespace

std::vector<std::string> mistakes_in(const std::vector<Stage>& stages, std::string_view name) {
  return Search(stages, name).take();
}

}  // namespace whittle::detectors
