// The one type that whittle throws, and the exit codes that a caller can branch on.
//
// An error reads like this when `cli/` draws it:
//
//   error: WHAT                      what failed, naming the user's object in backticks
//     --> WHERE                      file:line, a URL, a command line
//     DETAIL                         facts, one a line
//     caused by: CAUSE               the inner failure, in the far side's own words
//
//   hint: HINT                       what to do next, preferably a command
//   note: NOTE                       what state was left behind
//
// Messages are lower case, have no closing period and never hold a secret.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace whittle {

// Stable contract, documented in docs/exit-codes.md.
enum class Exit : int {
  ok = 0,
  bug = 1,
  usage = 2,
  nothing_detected = 20,
  ambiguous = 21,
  detector_failed = 22,
  input_unavailable = 30,
  build_failed = 51,
  not_static = 55,
  export_failed = 60,
  registry_credentials = 65,
  registry_content = 66,
  budget_exceeded = 69,
  refused = 70,      // a gateway: nothing was changed
  rolled_back = 71,  // a gateway: the former generation is in use again
  transient = 75,
};

class Error : public std::exception {
 public:
  Error(Exit exit, std::string what) : exit_(exit), what_(std::move(what)) {}

  // Each adds one fact and returns *this, so that a throw expression can chain them.
  Error& at(std::string where);
  Error& detail(std::string line);
  Error& cause(std::string text);
  Error& hint(std::string advice);
  Error& note(std::string state);

  // Puts an outer view in front: the present message becomes the first cause.
  Error& inside(std::string outer);

  const char* what() const noexcept override { return what_.c_str(); }
  Exit exit() const noexcept { return exit_; }
  const std::string& message() const noexcept { return what_; }
  const std::string& where() const noexcept { return where_; }
  const std::vector<std::string>& details() const noexcept { return details_; }
  const std::vector<std::string>& causes() const noexcept { return causes_; }
  const std::vector<std::string>& hints() const noexcept { return hints_; }
  const std::vector<std::string>& notes() const noexcept { return notes_; }

 private:
  Exit exit_;
  std::string what_, where_;
  std::vector<std::string> details_, causes_, hints_, notes_;
};

// Runs `body`; an Error that leaves it gains `doing` as its outer view.
template <class F>
decltype(auto) with_context(std::string_view doing, F&& body) {
  try {
    return std::forward<F>(body)();
  } catch (Error& error) {
    error.inside(std::string(doing));
    throw;
  }
}

// An Error for a failed system call: `what`, then the words of errno (`ENOSPC` and `EDQUOT` get a
// hint of their own). Reads errno, so call it first after the failure.
Error system_error(Exit exit, std::string what);
Error system_error(Exit exit, std::string what, int number);

}  // namespace whittle
