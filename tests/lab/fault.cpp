#include "tests/lab/fault.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace whittle::testing {

namespace {

using Kind = Fault::Kind;

constexpr std::array<std::pair<Kind, std::string_view>, 15> kNames{{{Kind::status, "status"},
                                                                    {Kind::hang_up, "hang-up"},
                                                                    {Kind::lose_answer, "lose-answer"},
                                                                    {Kind::reset, "reset"},
                                                                    {Kind::truncate, "truncate"},
                                                                    {Kind::stall, "stall"},
                                                                    {Kind::corrupt, "corrupt"},
                                                                    {Kind::shorten, "shorten"},
                                                                    {Kind::lengthen, "lengthen"},
                                                                    {Kind::drip, "drip"},
                                                                    {Kind::duplicate, "duplicate"},
                                                                    {Kind::leave, "leave"},
                                                                    {Kind::reset_upload, "reset-upload"},
                                                                    {Kind::stall_upload, "stall-upload"},
                                                                    {Kind::abort_tls, "abort-tls"}}};

bool needs_upload(Kind kind) {
  return kind == Kind::reset_upload || kind == Kind::stall_upload;
}

std::optional<Kind> kind_called(std::string_view name) {
  for (const auto& [kind, known] : kNames) {
    if (known == name) return kind;
  }
  return std::nullopt;
}

// What follows `mark` is taken off `word`; 0 when it is not there, nothing when it is no number.
std::optional<std::uint64_t> number_after(char mark, std::string& word) {
  const std::size_t at = word.find(mark);
  if (at == std::string::npos) return 0;
  const auto number = parse_number(std::string_view(word).substr(at + 1));
  word.erase(at);
  return number;
}

}  // namespace

std::string_view name_of(Fault::Kind kind) {
  return std::find_if(kNames.begin(), kNames.end(), [&](const auto& row) { return row.first == kind; })->second;
}

std::optional<Fault> Fault::parse(std::string_view text) {
  std::vector<std::string> words = split(text, ' ');
  if (words.size() < 3 || words.size() > 5) return std::nullopt;
  const auto seconds = number_after('+', words[0]);
  const auto at = number_after('@', words[0]);
  const auto times = words.size() > 3 ? parse_number(words[3]) : 1;
  const auto skip = words.size() > 4 ? parse_number(words[4]) : 0;
  const auto status = parse_number(words[0]);
  const auto kind = status ? std::optional(Kind::status) : kind_called(words[0]);
  if (!seconds || !at || !times || !skip || !kind) return std::nullopt;
  Fault fault{.method = words[1] == "*" ? "" : words[1], .part = words[2]};
  if (status) fault.status = static_cast<int>(*status);
  if (*seconds > 0) fault.headers.emplace("Retry-After", std::to_string(*seconds));
  fault.times = static_cast<int>(*times);
  fault.kind = *kind;
  fault.at = *at;
  fault.skip = static_cast<int>(*skip);
  return fault;
}

bool Fault::matches(const Question& question) const {
  const std::vector<std::string> methods = split(method, '|');
  if (!method.empty() && std::find(methods.begin(), methods.end(), question.method) == methods.end()) return false;
  if (::fnmatch(cat("*", part, "*").c_str(), question.path.c_str(), 0) != 0) return false;
  if (!needs_upload(kind)) return true;
  const auto length = parse_number(question.header("content-length"));
  return question.headers.count("transfer-encoding") > 0 || (length && *length > at);
}

bool Fault::applies_to(std::size_t answer_size) const {
  switch (kind) {
    case Kind::reset:
    case Kind::truncate:
    case Kind::stall:
    case Kind::corrupt:
      return answer_size > at;
    case Kind::shorten:
    case Kind::lengthen:
      return answer_size > 0;
    default:
      return true;
  }
}

std::optional<Fault> FaultEngine::take(const Question& question) {
  for (Fault& fault : faults_) {
    if (fault.times == 0 || fault.kind == Kind::abort_tls || !fault.matches(question)) continue;
    if (fault.skip > 0) {
      --fault.skip;
      continue;
    }
    --fault.times;
    ++struck_;
    return fault;
  }
  return std::nullopt;
}

void FaultEngine::give_back(Fault fault) {
  fault.times = 1;
  fault.skip = 0;
  --struck_;
  faults_.insert(faults_.begin(), std::move(fault));
}

bool FaultEngine::take_abort() {
  for (Fault& fault : faults_) {
    if (fault.kind != Kind::abort_tls || fault.times == 0) continue;
    if (fault.skip > 0) {
      --fault.skip;
      continue;
    }
    --fault.times;
    ++struck_;
    return true;
  }
  return false;
}

}  // namespace whittle::testing
