#include "bundle/trust.hpp"

#include <doctest/doctest.h>

#include "tests/support/errors.hpp"

using namespace whittle;
using namespace whittle::bundle;
using whittle::test::error_of;

namespace {

struct Keys {
  SigningKey a = SigningKey::generate(KeyAlgorithm::ed25519), b = SigningKey::generate(KeyAlgorithm::p256),
             c = SigningKey::generate(KeyAlgorithm::ed25519);
};

SignedText signed_by(const std::string& text, const std::vector<const SigningKey*>& keys) {
  SignedText result{text, {}};
  for (const SigningKey* key : keys) result.signatures.push_back(key->sign(text));
  return result;
}

Trust trust_in(std::uint64_t version, std::uint64_t threshold, const std::vector<const SigningKey*>& keys) {
  Trust trust{.set = "line7", .version = version, .threshold = threshold, .keys = {}};
  for (const SigningKey* key : keys) trust.keys.push_back(key->public_key());
  return trust;
}

}  // namespace

TEST_CASE("a trust document reads as it was written") {
  const Keys keys;
  const Trust trust = trust_in(3, 2, {&keys.a, &keys.b});
  const Trust read = Trust::decode(trust.encode(), "the document");
  CHECK(read.set == "line7");
  CHECK(read.version == 3);
  CHECK(read.threshold == 2);
  CHECK(read.keys == trust.keys);
}

TEST_CASE("a trust document that cannot be met is refused") {
  const Keys keys;
  const auto cause = [](const Trust& trust) {
    return error_of([&] { Trust::decode(trust.encode(), "the document"); }).causes().front();
  };
  CHECK(cause(trust_in(1, 0, {&keys.a})) == "its threshold is 0 of 1 keys");
  CHECK(cause(trust_in(1, 2, {&keys.a})) == "its threshold is 2 of 1 keys");
  CHECK(cause(trust_in(1, 2, {&keys.a, &keys.a})) == "it names a key twice");
  CHECK(cause(trust_in(0, 1, {&keys.a})) == "it has no version");
}

TEST_CASE("as many different keys must sign as the document says") {
  const Keys keys;
  const Trust trust = trust_in(1, 2, {&keys.a, &keys.b});
  CHECK_NOTHROW(require_signatures(trust, signed_by("text", {&keys.a, &keys.b}), "the text"));
  CHECK_NOTHROW(require_signatures(trust, signed_by("text", {&keys.c, &keys.b, &keys.a}), "the text"));
  for (const auto& signers :
       std::vector<std::vector<const SigningKey*>>{{}, {&keys.a}, {&keys.a, &keys.a}, {&keys.a, &keys.c}}) {
    const Error error = error_of([&] { require_signatures(trust, signed_by("text", signers), "the text"); });
    CHECK(error.exit() == Exit::refused);
    CHECK(error.message() == "cannot trust the text");
  }
  SignedText forged = signed_by("text", {&keys.a, &keys.b});
  forged.text = "next";
  const Error error = error_of([&] { require_signatures(trust, forged, "the text"); });
  CHECK(error.causes().front() == "0 of the trusted keys signed it, and 2 are needed");
  CHECK(error.details().front() == "the signature of the key " + keys.a.public_key().id().substr(0, 16) + "… is wrong");
}

TEST_CASE("a later document counts when the one before and its own keys signed it") {
  const Keys keys;
  const Trust one = trust_in(1, 1, {&keys.a}), two = trust_in(2, 1, {&keys.b}), three = trust_in(3, 1, {&keys.c});
  TrustChain chain{
      {{one.encode(), {}}, signed_by(two.encode(), {&keys.a, &keys.b}), signed_by(three.encode(), {&keys.b, &keys.c})}};
  CHECK(follow(one, chain).version == 3);
  CHECK(follow(two, chain).version == 3);
  CHECK(follow(three, chain).version == 3);
  CHECK(follow(one, TrustChain::decode(chain.encode(), "the chain")).keys == three.keys);
  CHECK(follow(one, {}).version == 1);
  CHECK(chain.newest().version == 3);
  CHECK(error_of([] { TrustChain{}.newest(); }).exit() == Exit::refused);

  SUBCASE("the old keys did not sign") {
    chain.documents[1] = signed_by(two.encode(), {&keys.b});
  }
  SUBCASE("the new keys did not sign") {
    chain.documents[1] = signed_by(two.encode(), {&keys.a});
  }
  SUBCASE("one is missing") {
    chain.documents.erase(chain.documents.begin() + 1);
  }
  SUBCASE("another document has the pinned version") {
    chain.documents[0].text = trust_in(1, 1, {&keys.b}).encode();
  }
  SUBCASE("one is for another set") {
    Trust other = two;
    other.set = "line8";
    chain.documents[1] = signed_by(other.encode(), {&keys.a, &keys.b});
  }
  CHECK(error_of([&] { follow(one, chain); }).exit() == Exit::refused);
}
