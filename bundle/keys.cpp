#include "bundle/keys.hpp"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <array>
#include <utility>

#include "base/base64.hpp"
#include "base/digest.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "bundle/document.hpp"

namespace whittle::bundle {

namespace {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Context = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;
using Memory = std::unique_ptr<BIO, Freed<BIO_free>>;

constexpr std::size_t kMostSignatures = 64, kLongestSignature = 256, kLargestKeyFile = 64 << 10;

// OpenSSL's words for what just failed.
std::string complaint() {
  std::array<char, 256> text{};
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "unknown";
  ERR_error_string_n(code, text.data(), text.size());
  return text.data();
}

[[noreturn]] void no_key(std::string_view what, std::string why) {
  throw Error(Exit::usage, cat("cannot use ", what, " as a key"))
      .cause(std::move(why))
      .hint("make one with `whittle set keygen FILE`, or with `openssl genpkey -algorithm ed25519`");
}

KeyAlgorithm algorithm_of(const EVP_PKEY* key, std::string_view what) {
  if (EVP_PKEY_is_a(key, "ED25519") == 1) return KeyAlgorithm::ed25519;
  std::array<char, 32> group{};
  std::size_t length = 0;
  if (EVP_PKEY_is_a(key, "EC") == 1 && EVP_PKEY_get_group_name(key, group.data(), group.size(), &length) == 1 &&
      std::string_view(group.data()) == "prime256v1") {
    return KeyAlgorithm::p256;
  }
  no_key(what, "it is neither an Ed25519 nor a P-256 key");
}

std::string public_der(EVP_PKEY* key) {
  unsigned char* bytes = nullptr;
  const int size = i2d_PUBKEY(key, &bytes);
  if (size <= 0) throw Error(Exit::bug, "cannot encode a public key").cause(complaint());
  std::string der(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return der;
}

Key key_of_der(std::string_view der) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  Key key(d2i_PUBKEY(nullptr, &bytes, static_cast<long>(der.size())));
  // What follows the key would make two ids for one key.
  if (key && bytes != reinterpret_cast<const unsigned char*>(der.data() + der.size())) key.reset();
  ERR_clear_error();
  return key;
}

Memory memory_of(std::string_view text) {
  return Memory(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string text_in_memory(const Memory& memory) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

// Never asks for a passphrase.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

const EVP_MD* hash_for(KeyAlgorithm algorithm) {
  return algorithm == KeyAlgorithm::p256 ? EVP_sha256() : nullptr;  // Ed25519 hashes by itself
}

const unsigned char* octets(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

PublicKey PublicKey::from_der(std::string der, std::string_view what) {
  const Key key = key_of_der(der);
  if (!key) no_key(what, "it is no public key");
  PublicKey result;
  result.algorithm_ = algorithm_of(key.get(), what);
  result.der_ = std::move(der);
  result.id_ = digest_of(result.der_).hex();
  return result;
}

PublicKey PublicKey::from_pem(std::string_view pem, std::string_view what) {
  Key key(PEM_read_bio_PUBKEY(memory_of(pem).get(), nullptr, no_passphrase, nullptr));
  if (!key) key.reset(PEM_read_bio_PrivateKey(memory_of(pem).get(), nullptr, no_passphrase, nullptr));
  if (!key) no_key(what, complaint());
  ERR_clear_error();
  algorithm_of(key.get(), what);
  return from_der(public_der(key.get()), what);
}

std::string PublicKey::pem() const {
  const Memory memory(BIO_new(BIO_s_mem()));
  PEM_write_bio_PUBKEY(memory.get(), key_of_der(der_).get());
  return text_in_memory(memory);
}

bool PublicKey::verify(std::string_view text, std::string_view signature) const {
  const Key key = key_of_der(der_);
  const Context context(EVP_MD_CTX_new());
  const bool is_right =
      key && context && EVP_DigestVerifyInit(context.get(), nullptr, hash_for(algorithm_), nullptr, key.get()) == 1 &&
      EVP_DigestVerify(context.get(), octets(signature), signature.size(), octets(text), text.size()) == 1;
  ERR_clear_error();
  return is_right;
}

struct SigningKey::State {
  Key key;
  PublicKey public_key;
};

SigningKey::SigningKey(std::unique_ptr<State> state) : state_(std::move(state)) {}
SigningKey::SigningKey(SigningKey&&) noexcept = default;
SigningKey& SigningKey::operator=(SigningKey&&) noexcept = default;
SigningKey::~SigningKey() = default;

SigningKey SigningKey::generate(KeyAlgorithm algorithm) {
  Key key(algorithm == KeyAlgorithm::ed25519 ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")
                                             : EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  if (!key) throw Error(Exit::bug, "cannot make a key").cause(complaint());
  PublicKey public_key = PublicKey::from_der(public_der(key.get()), "the new key");
  return SigningKey(std::make_unique<State>(State{std::move(key), std::move(public_key)}));
}

SigningKey SigningKey::from_file(const fs::path& path) {
  const std::optional<std::string> pem = read_file_if_exists(path, kLargestKeyFile);
  if (!pem) {
    throw Error(Exit::input_unavailable, cat("there is no key file ", backticked(path.native())))
        .hint("make one with `whittle set keygen FILE`");
  }
  Key key(PEM_read_bio_PrivateKey(memory_of(*pem).get(), nullptr, no_passphrase, nullptr));
  if (!key) no_key(backticked(path.native()), cat("it holds no private key without a passphrase: ", complaint()));
  algorithm_of(key.get(), backticked(path.native()));
  PublicKey public_key = PublicKey::from_der(public_der(key.get()), backticked(path.native()));
  return SigningKey(std::make_unique<State>(State{std::move(key), std::move(public_key)}));
}

const PublicKey& SigningKey::public_key() const {
  return state_->public_key;
}

Signature SigningKey::sign(std::string_view text) const {
  const Context context(EVP_MD_CTX_new());
  std::array<unsigned char, kLongestSignature> room{};
  std::size_t size = room.size();
  if (!context ||
      EVP_DigestSignInit(context.get(), nullptr, hash_for(state_->public_key.algorithm()), nullptr,
                         state_->key.get()) != 1 ||
      EVP_DigestSign(context.get(), room.data(), &size, octets(text), text.size()) != 1) {
    throw Error(Exit::bug, "cannot sign").cause(complaint());
  }
  return {state_->public_key.id(), std::string(reinterpret_cast<const char*>(room.data()), size)};
}

std::string SigningKey::pem() const {
  const Memory memory(BIO_new(BIO_s_mem()));
  PEM_write_bio_PKCS8PrivateKey(memory.get(), state_->key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return text_in_memory(memory);
}

Json json_of(const std::vector<Signature>& signatures) {
  Json list = Json::array();
  for (const Signature& one : signatures) {
    list.push_back({{"key", one.key}, {"signature", base64_of(bytes_of(one.bytes))}});
  }
  return list;
}

std::vector<Signature> signatures_in(const Json& object, std::string_view what) {
  std::vector<Signature> signatures;
  for (const Json& one : list_in(object, "signatures", kMostSignatures, what)) {
    const std::optional<std::string> bytes = base64_decoded(text_in(one, "signature", what));
    if (!bytes || bytes->size() > kLongestSignature) refuse(what, "a signature in it is malformed");
    signatures.push_back({text_in(one, "key", what), *bytes});
  }
  return signatures;
}

std::string encode_signatures(const std::vector<Signature>& signatures) {
  return canonical_json({{"format", 1}, {"signatures", json_of(signatures)}});
}

std::vector<Signature> decode_signatures(std::string_view json, std::string_view what) {
  return signatures_in(document_of(json, 1 << 20, what), what);
}

}  // namespace whittle::bundle
