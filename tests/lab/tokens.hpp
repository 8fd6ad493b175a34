// Docker's token protocol, the server's side: who may do what, and for how long.
#pragma once

#include <chrono>
#include <map>
#include <set>
#include <string>

#include "tests/lab/message.hpp"
#include "tests/lab/personality.hpp"

namespace whittle::testing {

struct Account {
  std::string user, password, identity_token;
};

std::string basic_header(const Account& account);

class TokenServer {
 public:
  TokenServer(Account account, const Personality& personality, int lifetime)
      : account_(std::move(account)), personality_(personality), lifetime_(lifetime) {}

  // GET and POST of /token.
  Answer answer(const Question& question);
  // `header` as the registry got it; `scope` as in "repository:app:pull".
  bool allows(const std::string& header, const std::string& repository, bool writes);
  void revoke() { granted_.clear(); }
  // From now on a token is good for this many requests.
  void set_uses(int uses) { uses_ = uses; }

 private:
  struct Grant {
    std::set<std::string> scopes;
    std::chrono::steady_clock::time_point end;
    int uses;
  };

  Account account_;
  const Personality& personality_;
  int lifetime_;
  int uses_ = -1;
  int number_ = 0;
  bool has_denied_ = false;
  std::map<std::string, Grant> granted_;
};

}  // namespace whittle::testing
