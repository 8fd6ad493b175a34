// What registries say of parts of a blob.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace whittle::registry {

// Content-Range of a download, "bytes 100-199/200": does it begin at `start`, and is the whole as large as it should
// be?
bool is_the_rest(const std::string& content_range, std::uint64_t start, std::uint64_t total);

// Range of an upload, "0-1023" or "bytes=0-1023": how many bytes have come. A fresh upload's "0-0" may mean none or one
// and counts as none.
std::optional<std::uint64_t> received_length(const std::string& range);

}  // namespace whittle::registry
