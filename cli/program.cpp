#include "cli/program.hpp"

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstring>
#include <iostream>
#include <thread>

#include "base/text.hpp"

extern char** environ;

namespace whittle::cli {

namespace {

// Turns the first SIGINT, SIGTERM or SIGHUP into a stop request; the second one ends the program at once.
// Signals are blocked in every thread and taken by one, so that no code runs inside a handler.
class SignalListener {
 public:
  explicit SignalListener(std::stop_source& source) {
    ::sigemptyset(&signals_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&signals_, signal);
    ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    std::thread([signals = signals_, source]() mutable {
      int signal = 0;
      ::sigwait(&signals, &signal);
      source.request_stop();
      ::sigwait(&signals, &signal);
      ::_exit(128 + signal);
    }).detach();
  }

 private:
  sigset_t signals_{};
};

std::map<std::string, std::string> environment_map() {
  std::map<std::string, std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const char* equals = std::strchr(*entry, '=');
    if (equals != nullptr) environment.emplace(std::string(static_cast<const char*>(*entry), equals), equals + 1);
  }
  return environment;
}

RendererOptions renderer_options(const GlobalOptions& global, const std::map<std::string, std::string>& environment) {
  const auto is_set = [&](const char* name) {
    const auto found = environment.find(name);
    return found != environment.end() && !found->second.empty();
  };
  const bool is_terminal = ::isatty(STDERR_FILENO) != 0;
  RendererOptions options{.quiet = global.quiet, .verbose = global.verbose};
  if (global.log_format == "json") options.format = LogFormat::json;
  if (global.log_format == "terminal" || (global.log_format == "auto" && is_terminal && !is_set("CI"))) {
    options.format = LogFormat::terminal;
  }
  // https://no-color.org: any value that is not empty.
  options.color = is_terminal && options.format == LogFormat::terminal && !is_set("NO_COLOR");
  winsize window{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0) options.width = window.ws_col;
  return options;
}

// A core file of this program would hold credentials; one of a build step would be taken for something it made.
void leave_no_core_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_CORE, &limit) != 0) return;
  limit.rlim_cur = 0;
  ::setrlimit(RLIMIT_CORE, &limit);
}

int run_command(const ParsedProgram& parsed, Renderer& renderer, std::stop_token stop,
                std::map<std::string, std::string> environment) {
  Surroundings surroundings{.environment = std::move(environment), .events = renderer, .stop = std::move(stop)};
  const int status = parsed.command(surroundings);
  std::cout.flush();
  if (!std::cout) throw Error(Exit::export_failed, "cannot write to standard output");
  return status;
}

}  // namespace

int run_program(int argc, const char* const* argv, const ParseFunction& parse) {
  leave_no_core_files();
  std::stop_source stop;
  const SignalListener listener(stop);
  std::map<std::string, std::string> environment = environment_map();
  std::unique_ptr<Renderer> renderer = make_renderer(renderer_options({}, environment), std::cerr);
  try {
    const ParsedProgram parsed = parse(argc, argv);
    if (!parsed.command) {
      std::cout << parsed.text << std::flush;
      return 0;
    }
    renderer = make_renderer(renderer_options(parsed.global, environment), std::cerr);
    return run_command(parsed, *renderer, stop.get_token(), std::move(environment));
  } catch (const Error& error) {
    renderer->fail(error);
    return static_cast<int>(error.exit());
  } catch (const std::bad_alloc&) {
    renderer->fail(Error(Exit::bug, "there is not enough memory"));
  } catch (const std::exception& problem) {
    renderer->fail(Error(Exit::bug, "whittle failed in a way that it should not")
                       .cause(printable(problem.what()))
                       .hint("this is a bug: please report it with the command line that you used"));
  }
  return static_cast<int>(Exit::bug);
}

}  // namespace whittle::cli
