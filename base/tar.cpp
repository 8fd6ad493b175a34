#include "base/tar.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle {

namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kNameField = 100, kPrefixField = 155;

// POSIX.1-2017 pax, "ustar Header Block".
struct Header {
  std::array<char, 100> name{};
  std::array<char, 8> mode{}, uid{}, gid{};
  std::array<char, 12> size{}, mtime{};
  std::array<char, 8> checksum{};
  char type = '0';
  std::array<char, 100> link{};
  std::array<char, 6> magic{'u', 's', 't', 'a', 'r', '\0'};
  std::array<char, 2> version{'0', '0'};
  std::array<char, 32> user_name{}, group_name{};
  std::array<char, 8> device_major{}, device_minor{};
  std::array<char, 155> prefix{};
  std::array<char, 12> unused{};
};
static_assert(sizeof(Header) == kBlock);

// Sorted, which also puts `hdrcharset` before the paths that it speaks of.
using PaxRecords = std::map<std::string, std::string>;

// Zero-padded octal digits that fill the field up to its final NUL; false when the value is too large.
template <std::size_t Size>
bool put_octal(std::array<char, Size>& field, std::uint64_t value) {
  const bool fits = value >> (3 * (Size - 1)) == 0;
  if (!fits) value = 0;
  for (std::size_t i = Size - 1; i-- > 0; value >>= 3) field[i] = static_cast<char>('0' + (value & 7));
  return fits;
}

template <std::size_t Size>
void put_text(std::array<char, Size>& field, std::string_view text) {
  std::copy_n(text.begin(), std::min(text.size(), Size), field.begin());
}

// The `/` at which a long path is cut into prefix and name; the earliest that leaves a name of at most 100 bytes.
std::optional<std::size_t> split_point(std::string_view path) {
  const std::size_t earliest = path.size() > kNameField ? path.size() - kNameField - 1 : 0;
  const std::size_t slash = path.find('/', std::max<std::size_t>(earliest, 1));
  if (slash > kPrefixField || slash + 1 == path.size()) return std::nullopt;  // npos is more than any field
  return slash;
}

void put_path(Header& header, PaxRecords& pax, std::string_view path) {
  if (path.size() <= kNameField) return put_text(header.name, path);
  if (const std::optional<std::size_t> slash = split_point(path)) {
    put_text(header.prefix, path.substr(0, *slash));
    put_text(header.name, path.substr(*slash + 1));
    return;
  }
  put_text(header.name, path);
  pax["path"] = path;
}

void put_link(Header& header, PaxRecords& pax, std::string_view link) {
  put_text(header.link, link);
  if (link.size() > kNameField) pax["linkpath"] = link;
}

void put_modified(Header& header, PaxRecords& pax, std::int64_t seconds) {
  const bool fits = seconds >= 0 && put_octal(header.mtime, static_cast<std::uint64_t>(seconds));
  if (fits) return;
  put_octal(header.mtime, 0);
  pax["mtime"] = std::to_string(seconds);
}

void put_attributes(PaxRecords& pax, const TarHeader& from) {
  for (const auto& [name, value] : from.attributes) {
    if (name.empty() || name.find('=') != std::string::npos || name.find('\0') != std::string::npos) {
      throw Error(Exit::usage, cat("the extended attribute ", backticked(name), " of ", backticked(from.path),
                                   " cannot be stored in a tar archive"));
    }
    // An empty value is pax's way of deleting a record.
    if (!value.empty()) pax[cat("SCHILY.xattr.", name)] = value;
  }
}

std::string sealed(Header& header) {
  header.checksum.fill(' ');
  std::string bytes(kBlock, '\0');
  std::memcpy(bytes.data(), &header, kBlock);
  std::uint64_t sum = 0;
  for (const char c : bytes) sum += static_cast<unsigned char>(c);
  std::array<char, 7> digits{};
  put_octal(digits, sum);
  std::copy(digits.begin(), digits.end(), bytes.begin() + offsetof(Header, checksum));
  return bytes;
}

// "LENGTH KEY=VALUE\n", where LENGTH counts its own digits too.
std::string pax_record(std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (std::to_string(length).size() + rest != length) length = std::to_string(length).size() + rest;
  return cat(length, " ", key, "=", value, "\n");
}

std::string pax_header(const PaxRecords& records, std::string_view path) {
  std::string body;
  for (const auto& [key, value] : records) body += pax_record(key, value);
  while (path.ends_with('/')) path.remove_suffix(1);
  Header header;
  put_text(header.name, cat("PaxHeaders/", path.substr(path.rfind('/') + 1)));
  put_octal(header.mode, 0644);
  put_octal(header.uid, 0);
  put_octal(header.gid, 0);
  put_octal(header.size, body.size());
  put_octal(header.mtime, 0);
  put_octal(header.device_major, 0);
  put_octal(header.device_minor, 0);
  header.type = 'x';
  const std::size_t padding = tar_padding(body.size());
  return sealed(header) + body + std::string(padding, '\0');
}

void check_texts(const TarHeader& header) {
  const bool has_nul = header.path.find('\0') != std::string::npos || header.link.find('\0') != std::string::npos;
  if (!header.path.empty() && !has_nul) return;
  throw Error(Exit::bug, cat("cannot store the path ", backticked(header.path), " in a tar archive"));
}

char type_of(TarHeader::Kind kind) {
  switch (kind) {
    case TarHeader::Kind::file:
      return '0';
    case TarHeader::Kind::hard_link:
      return '1';
    case TarHeader::Kind::symbolic_link:
      return '2';
    case TarHeader::Kind::folder:
      return '5';
  }
  return '0';
}

Error changed_while_read(const TarHeader& header, std::string_view how) {
  Error error(Exit::transient, cat(backticked(header.path), " changed while it was read"));
  error.detail(cat("it had ", header.size, " bytes and ", how)).hint("run the same command again");
  return error;
}

}  // namespace

std::size_t tar_padding(std::uint64_t size) {
  return (kBlock - size % kBlock) % kBlock;
}

std::string tar_header(const TarHeader& from) {
  check_texts(from);
  Header header;
  PaxRecords pax;
  const bool is_folder = from.kind == TarHeader::Kind::folder;
  const bool is_link = from.kind == TarHeader::Kind::symbolic_link || from.kind == TarHeader::Kind::hard_link;
  const std::string path = is_folder ? from.path + '/' : from.path;

  header.type = type_of(from.kind);
  put_path(header, pax, path);
  put_octal(header.mode, from.mode & 07777U);
  if (!put_octal(header.uid, from.uid)) pax["uid"] = std::to_string(from.uid);
  if (!put_octal(header.gid, from.gid)) pax["gid"] = std::to_string(from.gid);
  const std::uint64_t size = from.kind == TarHeader::Kind::file ? from.size : 0;
  if (!put_octal(header.size, size)) pax["size"] = std::to_string(size);
  put_modified(header, pax, from.modified);
  put_octal(header.device_major, 0);
  put_octal(header.device_minor, 0);
  if (is_link) put_link(header, pax, from.link);
  put_attributes(pax, from);

  if (pax.empty()) return sealed(header);
  const bool names_text = (!pax.contains("path") || is_utf8(path)) && (!pax.contains("linkpath") || is_utf8(from.link));
  if (!names_text) pax["hdrcharset"] = "BINARY";
  return pax_header(pax, path) + sealed(header);
}

void TarWriter::add(const TarHeader& header) {
  out_.write(bytes_of(tar_header(header)));
}

void TarWriter::add(const TarHeader& header, Source& content) {
  out_.write(bytes_of(tar_header(header)));
  std::vector<std::byte> buffer(128 * 1024);
  std::uint64_t rest = header.size;
  while (const std::size_t size = content.read(buffer)) {
    if (size > rest) throw changed_while_read(header, "grew");
    out_.write(std::span(buffer).first(size));
    rest -= size;
  }
  if (rest > 0) throw changed_while_read(header, cat("ended after ", header.size - rest));
  out_.write(bytes_of(std::string(tar_padding(header.size), '\0')));
}

void TarWriter::finish() {
  out_.write(bytes_of(std::string(kTarEnd, '\0')));
  out_.finish();
}

}  // namespace whittle
