#include "tests/lab/tokens.hpp"

#include "base/base64.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace whittle::testing {

namespace {

using Form = std::vector<std::pair<std::string, std::string>>;

std::string field(const Form& form, std::string_view name) {
  for (const auto& [key, value] : form) {
    if (key == name) return value;
  }
  return {};
}

std::set<std::string> scopes_of(const Form& form, bool only_first) {
  std::set<std::string> scopes;
  for (const auto& [key, value] : form) {
    if (key != "scope") continue;
    for (const std::string& scope : split(value, ' ')) {
      scopes.insert(scope);
      if (only_first) return scopes;
    }
  }
  return scopes;
}

}  // namespace

std::string basic_header(const Account& account) {
  return "Basic " + base64_of(bytes_of(cat(account.user, ":", account.password)));
}

Answer TokenServer::answer(const Question& question) {
  const bool is_post = question.method == "POST";
  const Form form = parse_form(is_post ? question.body : question.query);
  const bool by_identity = is_post && field(form, "grant_type") == "refresh_token" &&
                           field(form, "refresh_token") == account_.identity_token;
  const bool by_password =
      (!is_post && question.header("authorization") == basic_header(account_)) ||
      (is_post && field(form, "username") == account_.user && field(form, "password") == account_.password);
  if (field(form, "service") != "fake") return error_answer(400, "BAD_SERVICE", "wrong service");
  if (!by_identity && !by_password) {
    return {.status = 401, .body = R"({"details":"incorrect username or password"})"};
  }
  if (personality_.denies_first_token && !has_denied_) {
    has_denied_ = true;
    return error_answer(403, "DENIED", "denied");
  }
  const std::string token = cat("token-", ++number_);
  granted_[token] = {.scopes = scopes_of(form, personality_.drops_second_scope),
                     .end = std::chrono::steady_clock::now() + std::chrono::seconds(lifetime_),
                     .uses = uses_};
  return {.headers = {{"Content-Type", "application/json"}},
          .body = canonical_json(Json{{"token", token}, {"access_token", token}, {"expires_in", lifetime_}})};
}

bool TokenServer::allows(const std::string& header, const std::string& repository, bool writes) {
  const auto found = granted_.find(header.starts_with("Bearer ") ? header.substr(7) : "");
  if (found == granted_.end()) return false;
  Grant& grant = found->second;
  if (std::chrono::steady_clock::now() >= grant.end || grant.uses == 0) {
    granted_.erase(found);
    return false;
  }
  const std::string scope = cat("repository:", repository, ":");
  for (const std::string& one : grant.scopes) {
    if (!one.starts_with(scope)) continue;
    const std::vector<std::string> actions = split(one.substr(scope.size()), ',');
    for (const std::string& action : actions) {
      if (action != (writes ? "push" : "pull")) continue;
      if (grant.uses > 0) --grant.uses;
      return true;
    }
  }
  return false;
}

}  // namespace whittle::testing
