#include "builder/modules.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "base/text.hpp"
#include "builder/debian_packages.hpp"
#include "builder/environment.hpp"
#include "builder/host_libraries.hpp"
#include "builder/missing.hpp"
#include "proof/packages.hpp"

namespace whittle::builder {

namespace {

constexpr std::size_t kDeepest = 16;
constexpr std::string_view kArrow = " → ";

using Words = std::vector<std::string>;

std::string architecture_of_debian(std::string_view platform) {
  const std::string_view architecture = platform.substr(platform.find('/') + 1);
  return architecture.starts_with("arm/") ? "armhf" : std::string(architecture);
}

Words words_of(std::string_view text) {
  Words words;
  while (!(text = trim(text)).empty()) {
    const std::size_t end = std::min(text.find_first_of(" \t\r\n"), text.size());
    words.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return words;
}

// CMake's own package of that name, by which Meson finds what pkg-config does not know.
bool cmake_may_find(std::string_view name, std::string_view platform) {
  const std::string small = lower(name);
  std::vector<fs::path> folders = {"/usr/share", "/usr/local/share", "/usr/local/lib"};
  for (const fs::path& folder : library_folders(platform)) folders.push_back(folder);
  for (const fs::path& folder : folders) {
    std::error_code problem;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder / "cmake", problem)) {
      if (lower(entry.path().filename().native()).starts_with(small)) return true;
    }
  }
  return false;
}

class Inquiry {
 public:
  Inquiry(const plan::BuildPlan& plan, const std::vector<fs::path>& compilers, const Host& host, ProcessRunner& runner,
          const std::stop_token& stop)
      : plan_(plan), compilers_(compilers), host_(host), runner_(runner), stop_(stop) {
    environment_ = clean_environment({}, host.cache, plan);
    is_foreign_ = plan.platform != host.platform;
    is_static_ = plan.link != "closure";
  }

  std::vector<Lack> lacks() {
    const std::optional<fs::path> program = find_program("pkg-config", environment_.at("PATH"));
    const std::string prefixed = cat(multiarch_tuple(plan_.platform), "-pkg-config");
    const bool has_another = is_foreign_ && find_program(prefixed, environment_.at("PATH"));
    if (!program || has_another || knows_other_places()) return {};
    program_ = *program;
    if (is_all_there()) return {};
    for (const plan::Module& module : plan_.modules) look_at(module);
    return std::move(lacks_);
  }

 private:
  bool knows_other_places() const {
    return std::any_of(plan_.steps.begin(), plan_.steps.end(), [](const plan::Step& step) {
      return std::any_of(step.env.begin(), step.env.end(),
                         [](const auto& variable) { return variable.first.starts_with("PKG_CONFIG"); });
    });
  }

  // The usual case, in one question.
  bool is_all_there() {
    Words names;
    for (const plan::Module& module : plan_.modules) names.push_back(module.name);
    Words arguments = {"--libs"};
    if (is_static_) arguments.emplace_back("--static");
    const CapturedOutput answer = ask(arguments, names);
    return answer.result.ok() && absent_of(words_of(answer.out)).empty();
  }

  void look_at(const plan::Module& module) {
    const CapturedOutput exists = ask({"--exists", "--print-errors"}, {module.name});
    if (!exists.result.ok()) {
      const std::string name = absent_module(exists.error + exists.out).value_or(module.name);
      const bool may_be_found =
          module.elsewhere && (host_has_library(name, plan_.platform) || cmake_may_find(name, plan_.platform));
      return add_module(module, name, !may_be_found);
    }
    if (!module.linked) return;
    const Words direct = words_of(ask({"--libs"}, {module.name}).out);
    const std::vector<std::string> needed = absent_of(direct);
    for (const std::string& word : needed) add_library(module, word, true);
    if (!is_static_) return;
    const CapturedOutput closure = ask({"--libs", "--static"}, {module.name});
    if (!closure.result.ok()) {
      const std::optional<std::string> name = absent_module(closure.error + closure.out);
      if (name) add_module(module, *name, module.whole_closure);
      return;
    }
    for (const std::string& word : absent_of(words_of(closure.out))) {
      if (std::find(needed.begin(), needed.end(), word) == needed.end())
        add_library(module, word, module.whole_closure);
    }
  }

  static std::optional<std::string> absent_module(const std::string& said) {
    const std::optional<Missing> missing = missing_in(said);
    if (!missing || missing->kind != Missing::Kind::module) return std::nullopt;
    return missing->name;
  }

  // Those of `-lNAME` that are nowhere; everything else is left to the linker.
  std::vector<std::string> absent_of(const Words& words) {
    std::vector<fs::path> folders = library_folders(plan_.platform);
    const std::vector<fs::path> own = library_folders(host_.platform);
    for (const std::string& word : words) {
      if (!word.starts_with("-L") || word.size() < 3) continue;
      const fs::path folder = fs::path(word.substr(2)).lexically_normal();
      const bool is_of_host = std::find(own.begin(), own.end(), folder) != own.end();
      if (!is_foreign_ || !is_of_host) folders.push_back(folder);
    }
    std::vector<std::string> absent;
    for (const std::string& word : words) {
      const bool is_new = std::find(absent.begin(), absent.end(), word) == absent.end();
      if (word.starts_with("-l") && word.size() > 2 && is_new && !is_there(word.substr(2), folders))
        absent.push_back(word);
    }
    return absent;
  }

  bool is_there(const std::string& name, const std::vector<fs::path>& folders) {
    Words files = {name.starts_with(':') ? name.substr(1) : cat("lib", name, ".a")};
    if (!is_static_ && !name.starts_with(':')) files.push_back(cat("lib", name, ".so"));
    for (const std::string& file : files) {
      std::error_code ignored;
      for (const fs::path& folder : folders) {
        if (fs::is_regular_file(folder / file, ignored)) return true;
      }
      if (known_to_compilers(file)) return true;
    }
    return false;
  }

  // Prints the name alone when the file is in none of the compiler's folders.
  bool known_to_compilers(const std::string& file) {
    if (const auto known = answers_.find(file); known != answers_.end()) return known->second;
    const bool is_known = std::any_of(compilers_.begin(), compilers_.end(), [&](const fs::path& compiler) {
      const Command command{
          .argv = {compiler.native(), cat("-print-file-name=", file)}, .env = environment_, .folder = {}};
      const CapturedOutput answer = run_captured(runner_, command, stop_);
      return answer.result.ok() && trim(answer.out).starts_with('/');
    });
    answers_[file] = is_known;
    return is_known;
  }

  CapturedOutput ask(Words arguments, const Words& modules) {
    Words argv = {program_.native()};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    argv.insert(argv.end(), modules.begin(), modules.end());
    return run_captured(runner_, {.argv = std::move(argv), .env = environment_, .folder = {}}, stop_);
  }

  Words required_by(const std::string& module) {
    Words names;
    for (const char* question : {"--print-requires", "--print-requires-private"}) {
      for (const std::string& line : split_lines(ask({question}, {module}).out)) {
        const Words words = words_of(line);
        if (!words.empty()) names.push_back(words.front());
      }
    }
    return names;
  }

  // From the module down to the last one that `leads` to what is sought.
  template <class Leads>
  Words way_down(const std::string& module, const Leads& leads) {
    Words way = {module};
    while (way.size() < kDeepest) {
      const Words next = required_by(way.back());
      const auto found = std::find_if(next.begin(), next.end(), [&](const std::string& one) {
        return std::find(way.begin(), way.end(), one) == way.end() && leads(one);
      });
      if (found == next.end()) break;
      way.push_back(*found);
    }
    return way;
  }

  void add_module(const plan::Module& module, const std::string& name, bool is_fatal) {
    Words way = way_down(module.name, [&](const std::string& one) {
      if (one == name) return false;
      const std::optional<std::string> absent =
          absent_module(ask({"--libs", "--static", "--print-errors"}, {one}).error);
      return absent == name;
    });
    if (way.back() != name) way.push_back(name);
    const Missing missing{Missing::Kind::module, name, {}};
    add({.chain = cat(module.source, kArrow, join(way, kArrow)),
         .library = {},
         .module = name,
         .state = "is not installed",
         .hint = install_hint(missing),
         .is_fatal = is_fatal});
  }

  void add_library(const plan::Module& module, const std::string& word, bool is_fatal) {
    const Words way = way_down(module.name, [&](const std::string& one) {
      const Words words = words_of(ask({"--libs", "--static"}, {one}).out);
      return std::find(words.begin(), words.end(), word) != words.end();
    });
    const std::string name = word.substr(word.starts_with("-l:") ? 3 : 2);
    const std::string file = word.starts_with("-l:") ? name : cat("lib", name, is_static_ ? ".a" : ".so");
    Lack lack{.chain = cat(module.source, kArrow, join(way, kArrow), kArrow, file),
              .library = name,
              .module = way.back(),
              .state = "is not installed",
              .hint = install_hint({Missing::Kind::library, name, {}}),
              .is_fatal = is_fatal};
    const char* const closure =
        "accept a dynamic program with its libraries: `link = \"closure\"` under `[build]` in whittle.toml";
    const std::string package = package_of({Missing::Kind::library, name, {}});
    if (is_static_ && is_only_shared(package)) {
      lack.state = cat("is not to be had: Debian's ", package, " has no static library");
      lack.hint = closure;
    } else if (const auto shared = host_shared_library(name, plan_.platform); shared && is_static_) {
      const auto owner = proof::packages_of({*shared});
      lack.state = cat("is here only as a shared library (", shared->native(),
                       owner.empty() ? "" : cat(" of the package ", owner.begin()->second), ")");
      lack.hint = closure;
    }
    add(std::move(lack));
  }

  std::string install_hint(const Missing& missing) const {
    const std::string package = package_of(missing);
    if (package.empty()) return {};
    return cat("install it, on Debian with `apt-get install ", package,
               is_foreign_ ? cat(":", architecture_of_debian(plan_.platform)) : "", "`");
  }

  void add(Lack lack) {
    const bool is_known = std::any_of(lacks_.begin(), lacks_.end(), [&](Lack& one) {
      if (one.library != lack.library || one.module != lack.module) return false;
      one.is_fatal = one.is_fatal || lack.is_fatal;
      return true;
    });
    if (!is_known) lacks_.push_back(std::move(lack));
  }

  const plan::BuildPlan& plan_;
  const std::vector<fs::path>& compilers_;
  const Host& host_;
  ProcessRunner& runner_;
  const std::stop_token& stop_;
  Environment environment_;
  fs::path program_;
  bool is_foreign_ = false, is_static_ = true;
  std::map<std::string, bool> answers_;  // of compilers, by file
  std::vector<Lack> lacks_;
};

std::string thing_of(const Lack& lack) {
  if (lack.library.empty()) return cat("the package ", backticked(lack.module), " of pkg-config");
  return cat("the library ", backticked(lack.library));
}

}  // namespace

std::vector<Lack> lacks_of_modules(const plan::BuildPlan& plan, const std::vector<fs::path>& compilers,
                                   const Host& host, ProcessRunner& runner, const std::stop_token& stop) {
  if (plan.modules.empty()) return {};
  return Inquiry(plan, compilers, host, runner, stop).lacks();
}

Error refusal_of(const std::vector<Lack>& lacks, const plan::BuildPlan& plan) {
  std::vector<const Lack*> fatal;
  for (const Lack& lack : lacks) {
    if (lack.is_fatal) fatal.push_back(&lack);
  }
  const std::string who = backticked(plan.name);
  Error error(Exit::input_unavailable,
              fatal.size() == 1 ? cat(who, " needs ", thing_of(*fatal.front()), ", which ", fatal.front()->state)
                                : cat(who, " needs ", fatal.size(), " libraries that cannot be linked here"));
  std::set<std::string> hints;
  for (const Lack* lack : fatal) {
    error.detail(fatal.size() == 1 ? lack->chain : cat(lack->chain, ": ", lack->state));
    if (!lack->hint.empty() && hints.insert(lack->hint).second) error.hint(lack->hint);
  }
  return error.note("nothing was compiled");
}

void explain(Error& error, std::string_view said, const std::vector<Lack>& lacks) {
  for (const Lack& lack : lacks) {
    const bool is_spoken_of =
        said.find("undefined reference") != std::string_view::npos ||
        said.find(lack.library.empty() ? lack.module : cat("-l", lack.library)) != std::string_view::npos;
    if (!is_spoken_of) continue;
    error.detail(cat(lack.chain, ": ", lack.state));
    if (!lack.hint.empty()) error.hint(lack.hint);
  }
}

}  // namespace whittle::builder
