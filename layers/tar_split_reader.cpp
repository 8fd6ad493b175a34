#include "layers/tar_split_reader.hpp"

#include <algorithm>

#include "base/base64.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace whittle::layers {

namespace {

constexpr std::string_view kWhat = "the tar-split";
constexpr int kSegment = 2;

// As Go does it: with its padding, and no bits left over.
std::string decoded_base64(const std::string& text) {
  std::optional<std::string> bytes = base64_decoded(text);
  if (bytes && base64_of(bytes_of(*bytes)) == text) return std::move(*bytes);
  throw Error(Exit::registry_content, cat(kWhat, " has a payload that is not base64"));
}

}  // namespace

void TarSplitReader::write(Bytes bytes) {
  while (!bytes.empty()) {
    while (!mismatch_ && segment_.empty() && content_ == 0) next();
    if (mismatch_) return;
    const std::uint64_t due = segment_.empty() ? content_ : segment_.size();
    const Bytes piece = bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), due)));
    bytes = bytes.subspan(piece.size());
    segment_.empty() ? take_content(piece) : take_segment(piece);
  }
}

void TarSplitReader::finish() {
  while (!mismatch_ && segment_.empty() && content_ == 0 && !rest_.empty()) next();
  if (!mismatch_ && (!segment_.empty() || content_ > 0)) fail("it says more than there is in the tar");
}

void TarSplitReader::next() {
  const std::size_t end = rest_.find('\n');
  if (end == std::string_view::npos) return fail("it ends before the tar does");
  const Json line = parse_json(rest_.substr(0, end), kWhat, static_cast<int>(Exit::registry_content));
  rest_.remove_prefix(end + 1);
  if (json_member<std::uint64_t>(line, "position", kWhat) != position_++) return fail("its lines are misnumbered");
  const std::string payload = decoded_base64(json_member_or<std::string>(line, "payload", "", kWhat));
  if (json_member<int>(line, "type", kWhat) == kSegment) {
    segment_ = payload;
    return;
  }
  names_.push_back(json_member_or<std::string>(line, "name", "", kWhat));
  content_ = json_member_or<std::uint64_t>(line, "size", 0, kWhat);
  checksum_ = payload;
  crc_ = {};
}

void TarSplitReader::take_segment(Bytes piece) {
  if (!segment_.starts_with(text_of(piece))) return fail(cat("other bytes follow ", last_name()));
  segment_.erase(0, piece.size());
}

void TarSplitReader::take_content(Bytes piece) {
  crc_.update(piece);
  content_ -= piece.size();
  if (content_ > 0) return;
  std::string actual;
  for (int shift = 56; shift >= 0; shift -= 8) actual += static_cast<char>(crc_.value() >> shift & 0xFF);
  if (actual != checksum_) fail(cat("the checksum of ", last_name(), " is another"));
}

std::string TarSplitReader::last_name() const {
  return names_.empty() ? "the beginning" : backticked(names_.back());
}

}  // namespace whittle::layers
