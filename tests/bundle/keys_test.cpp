#include "bundle/keys.hpp"

#include <doctest/doctest.h>

#include "base/process.hpp"
#include "tests/support/errors.hpp"

using namespace whittle;
using namespace whittle::bundle;
using whittle::test::error_of;

namespace {

CapturedOutput openssl(std::vector<std::string> arguments, const fs::path& folder) {
  SystemProcessRunner runner;
  arguments.insert(arguments.begin(), "openssl");
  return run_captured(runner, {.argv = arguments, .env = {{"PATH", "/usr/bin:/bin"}}, .folder = folder});
}

}  // namespace

TEST_CASE("a key signs, and only the same text verifies") {
  for (const KeyAlgorithm algorithm : {KeyAlgorithm::ed25519, KeyAlgorithm::p256}) {
    const SigningKey key = SigningKey::generate(algorithm);
    const Signature signature = key.sign("a text");
    CHECK(signature.key == key.public_key().id());
    CHECK(key.public_key().algorithm() == algorithm);
    CHECK(key.public_key().verify("a text", signature.bytes));
    CHECK_FALSE(key.public_key().verify("a text.", signature.bytes));
    CHECK_FALSE(key.public_key().verify("a text", signature.bytes.substr(1)));
    CHECK_FALSE(key.public_key().verify("a text", ""));
    CHECK_FALSE(SigningKey::generate(algorithm).public_key().verify("a text", signature.bytes));
  }
}

TEST_CASE("an Ed25519 signature is the same every time") {
  const SigningKey key = SigningKey::generate(KeyAlgorithm::ed25519);
  CHECK(key.sign("a text") == key.sign("a text"));
}

TEST_CASE("keys travel as PEM files") {
  const TemporaryFolder folder(fs::temp_directory_path());
  for (const KeyAlgorithm algorithm : {KeyAlgorithm::ed25519, KeyAlgorithm::p256}) {
    const SigningKey key = SigningKey::generate(algorithm);
    write_file(folder.path() / "key", key.pem(), 0600);
    const SigningKey again = SigningKey::from_file(folder.path() / "key");
    CHECK(again.public_key() == key.public_key());
    CHECK(PublicKey::from_pem(key.public_key().pem(), "the key") == key.public_key());
    CHECK(PublicKey::from_pem(key.pem(), "the key") == key.public_key());
  }
}

TEST_CASE("openssl makes keys that sign, and believes the signatures") {
  const TemporaryFolder folder(fs::temp_directory_path());
  const fs::path& at = folder.path();
  write_file(at / "text", "a text");
  REQUIRE(openssl({"genpkey", "-algorithm", "ed25519", "-out", "ed.pem"}, at).result.ok());
  REQUIRE(openssl({"ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ec.pem"}, at).result.ok());
  for (const std::string name : {"ed", "ec"}) {
    const SigningKey key = SigningKey::from_file(at / (name + ".pem"));
    write_file(at / "signature", key.sign("a text").bytes);
    write_file(at / "public", key.public_key().pem());
    std::vector<std::string> arguments = {"pkeyutl", "-verify", "-pubin",   "-inkey",   "public",
                                          "-in",     "text",    "-sigfile", "signature"};
    if (name == "ed") arguments.push_back("-rawin");
    if (name == "ec") arguments = {"dgst", "-sha256", "-verify", "public", "-signature", "signature", "text"};
    const CapturedOutput said = openssl(arguments, at);
    INFO(said.out << said.error);
    CHECK(said.result.ok());
  }
}

TEST_CASE("what is no key is named") {
  const TemporaryFolder folder(fs::temp_directory_path());
  const fs::path& at = folder.path();
  CHECK(error_of([&] { SigningKey::from_file(at / "none"); }).exit() == Exit::input_unavailable);
  write_file(at / "text", "a text");
  const Error error = error_of([&] { SigningKey::from_file(at / "text"); });
  CHECK(error.exit() == Exit::usage);
  CHECK(error.message() == "cannot use `" + (at / "text").native() + "` as a key");
  REQUIRE(openssl({"genrsa", "-out", "rsa", "2048"}, at).result.ok());
  CHECK(error_of([&] { SigningKey::from_file(at / "rsa"); }).causes().front() ==
        "it is neither an Ed25519 nor a P-256 key");
  REQUIRE(openssl({"ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out", "p384"}, at).result.ok());
  CHECK(error_of([&] { SigningKey::from_file(at / "p384"); }).causes().front() ==
        "it is neither an Ed25519 nor a P-256 key");
  REQUIRE(
      openssl({"genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:word", "-out", "locked"}, at).result.ok());
  CHECK(error_of([&] { SigningKey::from_file(at / "locked"); }).exit() == Exit::usage);
  const std::string der = SigningKey::generate(KeyAlgorithm::ed25519).public_key().der();
  CHECK(error_of([&] { PublicKey::from_der(der + "x", "the key"); }).causes().front() == "it is no public key");
}

TEST_CASE("signatures travel as JSON") {
  const SigningKey key = SigningKey::generate(KeyAlgorithm::p256);
  const std::vector<Signature> signatures = {key.sign("a"), key.sign("b")};
  CHECK(decode_signatures(encode_signatures(signatures), "the signatures") == signatures);
  for (const char* text :
       {"", "[]", "{}", R"({"format":2,"signatures":[]})", R"({"format":1,"signatures":{}})",
        R"({"format":1,"signatures":[{"key":"a","signature":"?"}]})", R"({"format":1,"signatures":[{"key":1}]})"}) {
    CHECK(error_of([&] { decode_signatures(text, "the signatures"); }).exit() == Exit::refused);
  }
}
