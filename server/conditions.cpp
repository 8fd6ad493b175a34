#include "server/conditions.hpp"

#include "server/http_date.hpp"

namespace whittle::server {

namespace {

enum class Comparison { strong, weak };

bool is_listed(Text list, Text tag, Comparison comparison) {
  if (list.trimmed() == "*") return true;
  if (tag.empty()) return false;
  while (!list.empty()) {
    Text one = list.trimmed();
    const bool is_weak = one.starts_with("W/");
    if (is_weak) one = one.from(2);
    if (one.empty() || one[0] != '"') return false;
    const size_t end = one.find('"', 1);
    if (end == Text::kNone) return false;
    if (one.first(end + 1) == tag && (!is_weak || comparison == Comparison::weak)) return true;
    list = one.from(end + 1).trimmed();
    if (!list.empty() && list[0] != ',') return false;
    list = list.from(1);
  }
  return false;
}

bool is_sent(Text header) {
  return header.data() != nullptr;
}

}  // namespace

int check_conditions(const Request& request, const Validators& validators) {
  long long date = 0;
  if (is_sent(request.if_match)) {
    if (!is_listed(request.if_match, validators.tag, Comparison::strong)) return 412;
  } else if (is_sent(request.if_unmodified_since) && validators.modified >= 0 &&
             parse_date(request.if_unmodified_since, date) && validators.modified > date) {
    return 412;
  }
  if (is_sent(request.if_none_match)) {
    return is_listed(request.if_none_match, validators.tag, Comparison::weak) ? 304 : 0;
  }
  const bool is_unchanged = is_sent(request.if_modified_since) && validators.modified >= 0 &&
                            parse_date(request.if_modified_since, date) && validators.modified <= date;
  return is_unchanged ? 304 : 0;
}

bool range_applies(const Request& request, const Validators& validators) {
  if (!is_sent(request.if_range)) return true;
  if (request.if_range.starts_with("\"")) return !validators.tag.empty() && request.if_range == validators.tag;
  long long date = 0;
  return validators.modified >= 0 && parse_date(request.if_range, date) && date == validators.modified;
}

}  // namespace whittle::server
