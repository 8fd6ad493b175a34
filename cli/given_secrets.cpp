#include "cli/given_secrets.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "plan/config_keys.hpp"

namespace whittle::cli {

namespace {

constexpr std::uint64_t kLargest = 512 << 10;

struct Given {
  std::string id, file, variable;
};

// What is wrong with it may hold the secret itself, so that only its keys are told.
Error malformed(std::string_view why) {
  return Error(Exit::usage, cat("`--secret` ", why))
      .hint("write it as `--secret id=NAME,src=FILE` or `--secret id=NAME,env=VARIABLE`");
}

Given parsed(const std::string& text) {
  Given given;
  for (const std::string& piece : split(text, ',')) {
    const std::size_t equals = piece.find('=');
    const std::string key = piece.substr(0, equals),
                      value = equals == std::string::npos ? "" : piece.substr(equals + 1);
    if (key == "id") {
      given.id = value;
    } else if (key == "src") {
      given.file = value;
    } else if (key == "env") {
      given.variable = value;
    } else {
      throw malformed("has a part that is neither `id=…`, `src=…` nor `env=…`");
    }
  }
  if (given.id.empty()) throw malformed("has no `id=…`");
  if (const std::string complaint = plan::check_secret_name(given.id); !complaint.empty())
    throw malformed(cat("has an `id` that ", complaint));
  if (given.file.empty() == given.variable.empty()) throw malformed("needs one of `src=…` and `env=…`");
  return given;
}

std::string content_of(const Given& given, const std::map<std::string, std::string>& environment) {
  if (!given.file.empty()) {
    return with_context(cat("cannot read the secret ", backticked(given.id)), [&] {
      try {
        return read_file(given.file, kLargest);
      } catch (const Error& error) {
        Error wrong(Exit::usage, error.message());
        for (const std::string& cause : error.causes()) wrong.cause(cause);
        throw wrong;
      }
    });
  }
  const auto found = environment.find(given.variable);
  if (found != environment.end()) return found->second;
  throw Error(Exit::usage, cat("the variable ", backticked(given.variable), " for the secret ", backticked(given.id),
                               " is not set"));
}

}  // namespace

builder::Secrets given_secrets(const std::vector<std::string>& texts,
                               const std::map<std::string, std::string>& environment) {
  builder::Secrets secrets;
  for (const std::string& text : texts) {
    const Given given = parsed(text);
    std::string content = content_of(given, environment);
    if (trim(content).empty()) throw Error(Exit::usage, cat("the secret ", backticked(given.id), " is empty"));
    secrets.add(given.id, std::move(content));
  }
  return secrets;
}

}  // namespace whittle::cli
