#include "bundle/tar_entries.hpp"

#include <algorithm>
#include <optional>

#include "base/text.hpp"
#include "bundle/tar_path.hpp"

namespace whittle::bundle {

namespace {

constexpr std::size_t kBlock = 512;

// A field up to its first NUL.
std::string_view field(std::string_view header, std::size_t offset, std::size_t size) {
  const std::string_view text = header.substr(offset, size);
  return text.substr(0, text.find('\0'));
}

std::optional<std::uint64_t> number_in(std::string_view header, std::size_t offset, std::size_t size) {
  const std::string_view text = header.substr(offset, size);
  if ((text.front() & 0x80) != 0) {
    // GNU: big-endian binary.
    std::uint64_t value = static_cast<unsigned char>(text.front()) & 0x3FU;
    for (const char byte : text.substr(1)) {
      if (value >> 54 != 0) return std::nullopt;
      value = value << 8 | static_cast<unsigned char>(byte);
    }
    return value;
  }
  std::uint64_t value = 0;
  for (const char byte : trim(field(header, offset, size))) {
    if (byte < '0' || byte > '7' || value >> 60 != 0) return std::nullopt;
    value = value * 8 + static_cast<std::uint64_t>(byte - '0');
  }
  return value;
}

bool has_right_checksum(std::string_view header) {
  constexpr std::size_t kOffset = 148, kSize = 8;
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kBlock; ++i) {
    sum += i >= kOffset && i < kOffset + kSize ? static_cast<unsigned>(' ') : static_cast<unsigned char>(header[i]);
  }
  return number_in(header, kOffset, kSize) == sum;
}

struct Extended {
  std::optional<std::string> name, link;
  std::optional<std::uint64_t> size;
  bool is_sparse = false;
};

// "LENGTH KEY=VALUE\n", one after another.
void read_pax(std::string_view records, Extended& extended) {
  while (!records.empty()) {
    const std::size_t space = records.find(' ');
    const std::optional<std::uint64_t> length =
        space == std::string_view::npos ? std::nullopt : parse_number(records.substr(0, space));
    if (!length || *length <= space + 1 || *length > records.size()) return;
    const std::string_view record = records.substr(space + 1, *length - space - 2);
    const std::size_t equals = record.find('=');
    if (equals == std::string_view::npos) return;
    const std::string_view key = record.substr(0, equals), value = record.substr(equals + 1);
    if (key == "path") extended.name = value;
    if (key == "linkpath") extended.link = value;
    if (key == "size") extended.size = parse_number(value);
    if (key.starts_with("GNU.sparse.")) extended.is_sparse = true;
    records.remove_prefix(*length);
  }
}

std::string name_in(std::string_view header) {
  const std::string_view name = field(header, 0, 100), prefix = field(header, 345, 155);
  const bool is_posix = header.substr(257, 6) == std::string_view("ustar\0", 6);
  return is_posix && !prefix.empty() ? cat(prefix, '/', name) : std::string(name);
}

}  // namespace

std::vector<TarEntry> tar_entries(Bytes tar) {
  std::vector<TarEntry> entries;
  const std::string_view text = text_of(tar);
  std::uint64_t at = 0, begin = 0;
  Extended extended;
  while (at + kBlock <= text.size()) {
    const std::string_view header = text.substr(at, kBlock);
    if (!has_right_checksum(header)) break;
    std::optional<std::uint64_t> size = number_in(header, 124, 12);
    const char type = header[156];
    const bool is_extension = type == 'x' || type == 'g' || type == 'L' || type == 'K';
    if (!is_extension && extended.size) size = extended.size;
    if (!size || *size > text.size() - at - kBlock) break;
    // Links and folders may tell a size, which counts for nothing.
    const bool has_content = is_extension || !(type >= '1' && type <= '6');
    const std::uint64_t stored = has_content ? *size : 0;
    const std::uint64_t content = at + kBlock;
    const std::uint64_t end = content + (stored + kBlock - 1) / kBlock * kBlock;
    if (end > text.size()) break;
    const std::string_view data = text.substr(content, stored);
    if (type == 'x') read_pax(data, extended);
    if (type == 'L') extended.name = data.substr(0, data.find('\0'));
    if (type == 'K') extended.link = data.substr(0, data.find('\0'));
    at = end;
    if (is_extension) continue;

    TarEntry entry{.name = clean_path(extended.name.value_or(name_in(header))),
                   .link = extended.link.value_or(std::string(field(header, 157, 100))),
                   .type = type == '\0' || type == '7' ? '0' : type,
                   .is_sparse = extended.is_sparse || type == 'S',
                   .begin = begin,
                   .content = content,
                   .size = stored,
                   .end = end};
    if (entry.type == '1') entry.link = clean_path(entry.link);
    entries.push_back(std::move(entry));
    begin = end;
    extended = {};
  }
  return entries;
}

}  // namespace whittle::bundle
