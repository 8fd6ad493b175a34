#include "bundle/relative_offsets.hpp"

#include "base/text.hpp"

namespace whittle::bundle {

namespace {

constexpr std::string_view kFirst = "\"offset\":", kEnd = "\"endOffset\":";
constexpr std::size_t kLongest = 18;  // digits
constexpr std::size_t kBuffer = 64 << 10;

bool is_key(std::string_view text) {
  return text.ends_with(kFirst) || text.ends_with(kEnd);
}

bool is_canonical(std::string_view digits) {
  return !digits.empty() && digits.size() <= kLongest && (digits == "0" || digits.front() != '0');
}

}  // namespace

void OffsetsFilter::write(Bytes bytes) {
  for (const char byte : text_of(bytes)) {
    if (in_number_) {
      const bool is_sign = byte == '-' && number_.empty();
      if ((is_sign || (byte >= '0' && byte <= '9')) && number_.size() <= kLongest) {
        number_ += byte;
        continue;
      }
      end_number();
    }
    ready_ += byte;
    if (byte == ':' && is_key(ready_)) in_number_ = true;
  }
  if (ready_.size() < kBuffer) return;
  // A key may go on in the next call.
  const std::size_t kept = kEnd.size();
  out_.write(bytes_of(std::string_view(ready_).substr(0, ready_.size() - kept)));
  ready_.erase(0, ready_.size() - kept);
}

void OffsetsFilter::end_number() {
  in_number_ = false;
  const bool is_negative = number_.starts_with('-');
  const std::string_view digits = std::string_view(number_).substr(is_negative ? 1 : 0);
  const std::optional<std::uint64_t> value = is_canonical(digits) ? parse_number(digits) : std::nullopt;
  if (value && direction_ == To::relative && !is_negative) {
    ready_ += *value >= last_ ? cat(*value - last_) : cat('-', last_ - *value);
    last_ = *value;
  } else if (value && direction_ == To::absolute && (!is_negative || *value <= last_)) {
    last_ = is_negative ? last_ - *value : last_ + *value;
    ready_ += cat(last_);
  } else {
    ready_ += number_;
  }
  number_.clear();
}

void OffsetsFilter::finish() {
  if (in_number_) end_number();
  out_.write(bytes_of(ready_));
  ready_.clear();
}

}  // namespace whittle::bundle
