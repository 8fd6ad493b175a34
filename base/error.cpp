#include "base/error.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace whittle {

namespace {

// Several frames may offer the same advice; the reader needs it once.
void add_once(std::vector<std::string>& list, std::string text) {
  if (std::find(list.begin(), list.end(), text) == list.end()) list.push_back(std::move(text));
}

}  // namespace

Error& Error::at(std::string where) {
  where_ = std::move(where);
  return *this;
}

Error& Error::detail(std::string line) {
  details_.push_back(std::move(line));
  return *this;
}

Error& Error::cause(std::string text) {
  causes_.push_back(std::move(text));
  return *this;
}

Error& Error::hint(std::string advice) {
  add_once(hints_, std::move(advice));
  return *this;
}

Error& Error::note(std::string state) {
  add_once(notes_, std::move(state));
  return *this;
}

Error& Error::inside(std::string outer) {
  causes_.insert(causes_.begin(), std::move(what_));
  what_ = std::move(outer);
  return *this;
}

Error system_error(Exit exit, std::string what) {
  return system_error(exit, std::move(what), errno);
}

Error system_error(Exit exit, std::string what, int number) {
  Error error(exit, std::move(what));
  std::string words = std::generic_category().message(number);
  if (!words.empty() && words[0] >= 'A' && words[0] <= 'Z') words[0] = static_cast<char>(words[0] - 'A' + 'a');
  error.cause(std::move(words));
  if (number == ENOSPC || number == EDQUOT) {
    error.hint("free some space (`whittle cache gc` drops what can be made again), then run the same command again");
  }
  return error;
}

}  // namespace whittle
