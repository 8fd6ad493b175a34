// The low-level SHA256_* functions are deprecated in OpenSSL 3 for want of provider choice, but they
// run the same SHA-NI code as EVP, keep their state in a plain struct that can be copied and saved,
// and cost no set-up per digest (EVP fetches the algorithm each time: 1.6 us, more than a small file).
#define OPENSSL_SUPPRESS_DEPRECATED

#include "base/digest.hpp"

#include <openssl/sha.h>

#include <cstring>

#include "base/files.hpp"
#include "base/text.hpp"

namespace whittle {

namespace {

constexpr std::string_view kPrefix = "sha256:";
constexpr std::string_view kDigits = "0123456789abcdef";

int hex_value(char c) {
  const std::size_t value = kDigits.find(c);
  return value == std::string_view::npos ? -1 : static_cast<int>(value);
}

SHA256_CTX* context(std::byte* state) {
  return reinterpret_cast<SHA256_CTX*>(state);
}

}  // namespace

std::optional<Digest> Digest::parse(std::string_view text) {
  if (!text.starts_with(kPrefix) || text.size() != kPrefix.size() + 64) return std::nullopt;
  text.remove_prefix(kPrefix.size());
  Digest digest;
  for (std::size_t i = 0; i < 32; ++i) {
    const int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    digest.sha256[i] = static_cast<std::byte>(high << 4 | low);
  }
  return digest;
}

std::string Digest::hex() const {
  return hex_of(text_of(sha256));
}

std::string Digest::str() const {
  return std::string(kPrefix) + hex();
}

Hasher::Hasher() {
  static_assert(sizeof(SHA256_CTX) == sizeof state_ && alignof(SHA256_CTX) <= 8);
  SHA256_Init(context(state_.data()));
}

void Hasher::update(Bytes bytes) {
  SHA256_Update(context(state_.data()), bytes.data(), bytes.size());
}

Digest Hasher::digest() const {
  auto copy = *this;
  Digest digest;
  SHA256_Final(reinterpret_cast<unsigned char*>(digest.sha256.data()), context(copy.state_.data()));
  return digest;
}

Digest digest_of(Bytes bytes) {
  Hasher hasher;
  hasher.update(bytes);
  return hasher.digest();
}

Digest digest_of(std::string_view text) {
  return digest_of(bytes_of(text));
}

Digest digest_of_file(const std::filesystem::path& path) {
  FileSource source(path);
  HashSink hash;
  copy(source, hash);
  return hash.digest();
}

}  // namespace whittle
