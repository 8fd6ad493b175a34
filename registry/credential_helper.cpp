#include <chrono>

#include "base/deadline.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "registry/credential_store.hpp"

namespace whittle::registry {

namespace {

constexpr auto kLongest = std::chrono::minutes(1);

bool is_plain_name(std::string_view name) {
  return !name.empty() && name.find_first_of("/\\ \t\r\n") == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

// What a helper printed may hold the secret, so only what it says on failure is shown.
Error helper_error(const std::string& program, std::string why) {
  Error error(Exit::usage, cat("the credential helper ", backticked(program), " failed"));
  error.cause(printable(trim(why).substr(0, 500)));
  error.hint(cat("run `", printable(program), " list` to see what it says, or drop it from Docker's config.json"));
  return error;
}

CapturedOutput run(ProcessRunner& processes, const Command& command, const std::stop_token& stop) {
  try {
    return run_captured(processes, command, stop);
  } catch (const Error& error) {
    throw helper_error(command.argv.front(), error.message());
  }
}

std::string program_of(const std::string& name) {
  return cat("docker-credential-", name);
}

std::string reason_in(const CapturedOutput& output) {
  return output.error.empty() ? cat("exit status ", output.result.status) : output.error;
}

CapturedOutput call(const std::string& name, const std::string& verb, const std::string& input,
                    const Environment& environment, ProcessRunner& processes, const std::stop_token& stop) {
  const std::string program = program_of(name);
  if (!is_plain_name(name)) throw helper_error(program, "its name is not a program's");
  Environment variables = environment;
  variables.try_emplace("PATH", "/usr/local/bin:/usr/bin:/bin");
  const Command command{
      .argv = {program, verb}, .env = variables, .folder = {}, .inherit_terminal = false, .input = input};
  const Deadline limit(kLongest, stop);
  CapturedOutput output = run(processes, command, limit.token());
  if (stop.stop_requested()) throw Error(Exit::transient, "cancelled");
  if (output.result.cancelled) throw helper_error(program, "it did not answer within a minute");
  return output;
}

}  // namespace

void tell_helper(const std::string& name, const std::string& verb, const std::string& input,
                 const Environment& environment, ProcessRunner& processes, std::stop_token stop) {
  const CapturedOutput output = call(name, verb, input, environment, processes, stop);
  if (!output.result.ok()) throw helper_error(program_of(name), reason_in(output));
}

std::optional<Credentials> ask_helper(const std::string& name, const std::string& server,
                                      const Environment& environment, ProcessRunner& processes, std::stop_token stop) {
  const std::string program = program_of(name);
  const CapturedOutput output = call(name, "get", server, environment, processes, stop);
  if (!output.result.ok()) {
    const std::string said = lower(cat(output.out, output.error));
    if (said.find("credentials not found") != std::string::npos) return std::nullopt;
    throw helper_error(program, reason_in(output));
  }
  Json answer;
  try {
    answer = parse_json(output.out, "its answer");
  } catch (const Error&) {
    throw helper_error(program, "its answer is not JSON");
  }
  if (!answer.is_object()) throw helper_error(program, "its answer is not an object");
  Credentials credentials{.user = json_member_or<std::string>(answer, "Username", "", "its answer"),
                          .password = json_member_or<std::string>(answer, "Secret", "", "its answer"),
                          .identity_token = {},
                          .registry_token = {},
                          .source = backticked(program)};
  if (credentials.user == "<token>") {
    credentials.user.clear();
    credentials.identity_token = std::move(credentials.password);
    credentials.password.clear();
  }
  return credentials.empty() ? std::nullopt : std::optional(credentials);
}

}  // namespace whittle::registry
