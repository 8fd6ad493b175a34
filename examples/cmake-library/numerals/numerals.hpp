// Roman numerals from 1 (I) to 3999 (MMMCMXCIX).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace numerals {

std::optional<std::string> to_roman(int number);
std::optional<int> from_roman(std::string_view numeral);  // nothing unless written the one proper way

}  // namespace numerals
