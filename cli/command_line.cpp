#include "cli/command_line.hpp"

#include <algorithm>
#include <CLI/CLI.hpp>

#include "base/text.hpp"

namespace whittle::cli {

namespace {

// `parent` is the command line up to this command; CLI11 adds the command's own name.
void append_markdown(const CLI::App& app, const std::string& parent, std::string& out) {
  const std::string name = parent.empty() ? app.get_name() : cat(parent, " ", app.get_name());
  out += cat("## `", name, "`\n\n", app.get_description(), "\n\n```text\n");
  std::string help = app.help(parent);
  while (help.ends_with('\n')) help.pop_back();
  out += cat(help, "\n```\n\n");
  for (const CLI::App* below : app.get_subcommands([](const CLI::App*) { return true; })) {
    append_markdown(*below, name, out);
  }
}

// The innermost command that the words name, for its help.
const CLI::App& named_command(const CLI::App& app, int argc, const char* const* argv, std::string& name) {
  const CLI::App* at = &app;
  for (int i = 1; i < argc; ++i) {
    const auto below = at->get_subcommands([&](const CLI::App* sub) { return sub->get_name() == argv[i]; });
    if (below.empty()) continue;
    at = below.front();
    name += cat(" ", at->get_name());
  }
  return *at;
}

Error usage_error(const CLI::App& app, const CLI::ParseError& problem, int argc, const char* const* argv) {
  std::string name = app.get_name();
  const CLI::App& at = named_command(app, argc, argv, name);
  std::string what = problem.what();
  while (what.ends_with('\n') || what.ends_with('.')) what.pop_back();
  if (!what.empty() && what[0] >= 'A' && what[0] <= 'Z') what[0] = static_cast<char>(what[0] - 'A' + 'a');
  // CLI11 says of an unknown command only that there was none.
  const char* const* const first = std::find_if(argv + 1, argv + argc, [](const char* text) { return text[0] != '-'; });
  if (dynamic_cast<const CLI::RequiredError*>(&problem) != nullptr && &at == &app && first != argv + argc) {
    what = cat("there is no command ", backticked(*first));
  }
  Error error(Exit::usage, printable(what));
  std::vector<std::string> known;
  for (const CLI::App* below : at.get_subcommands([](const CLI::App*) { return true; }))
    known.push_back(below->get_name());
  for (const CLI::Option* option : at.get_options()) {
    for (const std::string& word : option->get_lnames()) known.push_back(cat("--", word));
  }
  for (int i = 1; i < argc; ++i) {
    const std::string given = argv[i];
    if (std::find(known.begin(), known.end(), given) != known.end() || what.find(given) == std::string::npos) continue;
    if (const auto near = nearest(given, known)) error.hint(cat("did you mean `", *near, "`?"));
  }
  error.hint(cat("`", name, " --help` lists what there is"));
  return error;
}

}  // namespace

bool parse_into(CLI::App& app, int argc, const char* const* argv, std::string& text) {
  if (argc == 2 && std::string_view(argv[1]) == "--help-markdown") {
    append_markdown(app, "", text);
    return false;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::string name = app.get_name();
    const CLI::App& at = named_command(app, argc, argv, name);
    text = at.help(name.substr(0, name.rfind(' ') == std::string::npos ? 0 : name.rfind(' ')));
    return false;
  } catch (const CLI::CallForVersion& version) {
    text = cat(version.what(), "\n");
    return false;
  } catch (const CLI::ParseError& problem) {
    throw usage_error(app, problem, argc, argv);
  }
  return true;
}

}  // namespace whittle::cli
