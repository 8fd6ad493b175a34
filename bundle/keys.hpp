// Keys that sign what travels: Ed25519 (RFC 8032) or ECDSA over P-256 with SHA-256 (FIPS 186-5), in PEM files as
// `openssl genpkey` and `openssl pkey -pubout` write them (PKCS #8, SubjectPublicKeyInfo).
#pragma once

#include <compare>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"
#include "base/json.hpp"

namespace whittle::bundle {

enum class KeyAlgorithm { ed25519, p256 };

class PublicKey {
 public:
  // From PEM (a public or a private key). Throws Error(usage) naming `what`.
  static PublicKey from_pem(std::string_view pem, std::string_view what);
  // From the DER of a SubjectPublicKeyInfo.
  static PublicKey from_der(std::string der, std::string_view what);

  const std::string& der() const { return der_; }
  const std::string& id() const { return id_; }  // hexadecimal SHA-256 of the DER
  KeyAlgorithm algorithm() const { return algorithm_; }
  std::string pem() const;
  bool verify(std::string_view text, std::string_view signature) const;  // false for anything malformed
  bool operator==(const PublicKey& other) const { return der_ == other.der_; }

 private:
  std::string der_, id_;
  KeyAlgorithm algorithm_ = KeyAlgorithm::ed25519;
};

struct Signature {
  std::string key;    // its id
  std::string bytes;  // Ed25519: 64 bytes; P-256: DER
  bool operator==(const Signature&) const = default;
};

class SigningKey {
 public:
  static SigningKey generate(KeyAlgorithm algorithm);
  // A PEM file without a passphrase. Throws Error(usage) for another key, Error(input_unavailable) for no file.
  static SigningKey from_file(const fs::path& path);
  SigningKey(SigningKey&&) noexcept;
  SigningKey& operator=(SigningKey&&) noexcept;
  ~SigningKey();

  const PublicKey& public_key() const;
  Signature sign(std::string_view text) const;
  std::string pem() const;  // secret

 private:
  struct State;
  explicit SigningKey(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// {"format":1,"signatures":[{"key":"…","signature":"BASE64"}…]}, at most 64. Decoding is of hostile text and throws
// Error(refused) naming `what`.
std::string encode_signatures(const std::vector<Signature>& signatures);
std::vector<Signature> decode_signatures(std::string_view json, std::string_view what);
// The list alone, as a member of another document.
Json json_of(const std::vector<Signature>& signatures);
std::vector<Signature> signatures_in(const Json& object, std::string_view what);

}  // namespace whittle::bundle
