#include "registry/failure.hpp"

#include <algorithm>
#include <cstdio>

#include "base/json.hpp"
#include "base/text.hpp"

namespace whittle::registry {

namespace {

constexpr std::size_t kLongestWords = 500;
constexpr std::size_t kMostErrors = 5;

std::string shortened(std::string_view text) {
  const std::string whole = printable(trim(text));
  if (whole.size() <= kLongestWords) return whole;
  std::string cut = whole.substr(0, kLongestWords);
  while (!is_utf8(cut)) cut.pop_back();
  return cut + "…";
}

std::string reason(int status) {
  switch (status) {
    case 400:
      return "bad request";
    case 401:
      return "unauthorized";
    case 403:
      return "forbidden";
    case 404:
      return "not found";
    case 405:
      return "method not allowed";
    case 408:
      return "request timeout";
    case 413:
      return "content too large";
    case 415:
      return "unsupported media type";
    case 429:
      return "too many requests";
    case 500:
      return "internal server error";
    case 502:
      return "bad gateway";
    case 503:
      return "service unavailable";
    case 504:
      return "gateway timeout";
    default:
      return "unexpected status";
  }
}

std::string error_words(const Json& error) {
  if (!error.is_object()) return {};
  const std::string code = json_text(error, "code"), message = json_text(error, "message");
  if (code.empty() || message.empty()) return cat(code, message);
  return cat(code, ": ", message);
}

// The registry form, the token servers' forms, else the text when it is one.
std::string body_words(const std::string& body) {
  const Json document = Json::parse(body, nullptr, false);
  if (document.is_discarded() || !document.is_object()) {
    const bool is_page = body.find('<') != std::string::npos;
    return is_page ? std::string() : body.substr(0, body.find('\n'));
  }
  if (const auto errors = document.find("errors"); errors != document.end() && errors->is_array()) {
    std::vector<std::string> words;
    for (const Json& error : *errors) {
      if (words.size() < kMostErrors) words.push_back(error_words(error));
    }
    return join(words, ", ");
  }
  for (const char* key : {"error_description", "details", "message", "error"}) {
    if (std::string text = json_text(document, key); !text.empty()) return text;
  }
  return {};
}

std::string seconds(Clock::Duration time) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f s", static_cast<double>(time.count()) / 1000.0);
  return text.data();
}

void add_effort(Error& error, const Doing& doing, const Trial& trial) {
  const auto* broken = std::get_if<TransportFailure>(&trial.outcome);
  std::string effort;
  if (broken && doing.body_size > 0) {
    effort = cat(human_size(broken->sent), " of ", human_size(doing.body_size), " sent, ");
  } else if (broken && broken->received > 0) {
    effort = cat(human_size(broken->received), " received, ");
  }
  error.detail(cat(effort, trial.tries, trial.tries == 1 ? " attempt in " : " attempts in ", seconds(trial.elapsed)));
}

}  // namespace

std::string words_of(const HttpResponse& response) {
  const std::string said = shortened(body_words(response.body));
  return cat(response.status, " ", said.empty() ? reason(response.status) : said);
}

bool has_error_code(const HttpResponse& response, std::string_view code) {
  const Json document = Json::parse(response.body, nullptr, false);
  if (!document.is_object()) return false;
  const auto errors = document.find("errors");
  if (errors == document.end() || !errors->is_array()) return false;
  return std::any_of(errors->begin(), errors->end(),
                     [&](const Json& error) { return error.is_object() && json_text(error, "code") == code; });
}

Error refusal(const Doing& doing, const HttpResponse& response, const Trial& trial) {
  const bool is_passing = is_transient(Outcome(response));
  const bool is_credentials = !is_passing && (response.status == 401 || response.status == 403);
  const bool is_absent =
      response.status == 404 && doing.method == "GET" && doing.url.find("/manifests/") != std::string::npos;
  const Exit exit = is_credentials ? Exit::registry_credentials
                    : is_passing   ? Exit::transient
                    : is_absent    ? Exit::input_unavailable
                                   : Exit::registry_content;
  Error error(exit, cat(backticked(doing.host), is_passing ? " could not do the " : " refused the ", doing.what));
  error.at(cat(doing.method, " ", redacted(doing.url))).cause(words_of(response));
  if (is_credentials && !doing.credentials.empty()) error.hint(doing.credentials);
  if (is_passing) {
    add_effort(error, doing, trial);
    error.hint("this is usually temporary (exit status 75); run the same command again");
  }
  if (is_absent) error.hint("check the name and the tag");
  if (response.status == 413) error.hint("a proxy before the registry limits the size of requests; raise its limit");
  return error;
}

Error breakdown(const Doing& doing, const TransportFailure& failure, const Trial& trial) {
  using Kind = TransportFailure::Kind;
  if (failure.kind == Kind::cancelled) return Error(Exit::transient, "cancelled");
  const bool has_begun = failure.sent > 0 || failure.received > 0;
  const std::string host = backticked(doing.host);
  const auto located = [&](Exit exit, std::string what) {
    Error error(exit, std::move(what));
    error.at(cat(doing.method, " ", redacted(doing.url))).cause(printable(failure.text));
    return error;
  };
  switch (failure.kind) {
    case Kind::untrusted: {
      Error error = located(Exit::usage, cat("cannot trust the connection to ", host));
      error.hint("if the registry has a certificate authority of its own, name its file in `SSL_CERT_FILE`");
      if (failure.text.find("wrong version number") != std::string::npos) {
        error.hint("if it speaks plain http on purpose, pass `--plain-http`");
      }
      return error;
    }
    case Kind::refused:
      return located(Exit::registry_content, cat("will not go on with the ", doing.what));
    default:
      break;
  }
  Error error = located(Exit::transient, has_begun ? cat(host, " stopped answering during the ", doing.what)
                                                   : cat(host, " does not answer: the ", doing.what, " failed"));
  add_effort(error, doing, trial);
  error.hint("this is usually temporary (exit status 75); run the same command again");
  return error;
}

Error failure(const Doing& doing, const Trial& trial) {
  if (const auto* response = std::get_if<HttpResponse>(&trial.outcome)) return refusal(doing, *response, trial);
  return breakdown(doing, std::get<TransportFailure>(trial.outcome), trial);
}

}  // namespace whittle::registry
