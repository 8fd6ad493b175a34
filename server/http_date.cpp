#include "server/http_date.hpp"

namespace whittle::server {

namespace {

constexpr Text kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
constexpr Text kWeekdays = "ThuFriSatSunMonTueWed";  // the first of 1970 was a Thursday
constexpr long long kDay = 86400;

struct Day {
  long long year;
  int month, day;  // from 1
};

// Days since 1970 as a date and back, in eras of 400 years that begin in March.
// http://howardhinnant.github.io/date_algorithms.html
Day day_of(long long days) {
  days += 719468;
  const long long era = days / 146097, day_of_era = days % 146097;
  const long long year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const long long day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const long long month = (5 * day_of_year + 2) / 153;
  const int calendar_month = static_cast<int>(month < 10 ? month + 3 : month - 9);
  return {.year = year_of_era + era * 400 + (calendar_month <= 2 ? 1 : 0),
          .month = calendar_month,
          .day = static_cast<int>(day_of_year - (153 * month + 2) / 5 + 1)};
}

long long days_of(const Day& day) {
  const long long year = day.month <= 2 ? day.year - 1 : day.year;
  const long long era = year / 400, year_of_era = year % 400;
  const long long day_of_year = (153 * (day.month + (day.month > 2 ? -3 : 9)) + 2) / 5 + day.day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

}  // namespace

DateText format_date(long long seconds) {
  const long long days = seconds / kDay, rest = seconds % kDay;
  const Day day = day_of(days);
  DateText text;
  text.add(kWeekdays.from(static_cast<size_t>(days % 7) * 3).first(3)).add(", ").add_two_digits(day.day).add(' ');
  text.add(kMonths.from(static_cast<size_t>(day.month - 1) * 3).first(3)).add(' ');
  text.add_two_digits(static_cast<int>(day.year / 100)).add_two_digits(static_cast<int>(day.year % 100)).add(' ');
  text.add_two_digits(static_cast<int>(rest / 3600)).add(':').add_two_digits(static_cast<int>(rest / 60 % 60));
  return text.add(':').add_two_digits(static_cast<int>(rest % 60)).add(" GMT");
}

bool parse_date(Text text, long long& seconds) {
  if (text.size() != kDateSize) return false;
  long long day = 0, year = 0, hour = 0, minute = 0, second = 0;
  const bool has_numbers = read_number(text.from(5).first(2), day) && read_number(text.from(12).first(4), year) &&
                           read_number(text.from(17).first(2), hour) && read_number(text.from(20).first(2), minute) &&
                           read_number(text.from(23).first(2), second);
  if (!has_numbers || year < 1970 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) return false;
  int month = 0;
  for (int i = 0; i < 12; ++i) {
    if (kMonths.from(static_cast<size_t>(i) * 3).first(3) == text.from(8).first(3)) month = i + 1;
  }
  if (month == 0) return false;
  seconds =
      days_of({.year = year, .month = month, .day = static_cast<int>(day)}) * kDay + hour * 3600 + minute * 60 + second;
  return format_date(seconds).text() == text;
}

}  // namespace whittle::server
