#include "bundle/trust.hpp"

#include <algorithm>
#include <optional>
#include <set>

#include "base/base64.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "bundle/document.hpp"

namespace whittle::bundle {

namespace {

constexpr std::size_t kMostKeys = 64, kMostDocuments = 1000;
constexpr std::uint64_t kLargest = 4 << 20;

}  // namespace

Trust Trust::decode(std::string_view json, std::string_view what) {
  const Json document = document_of(json, kLargest, what);
  Trust trust{.set = text_in(document, "set", what),
              .version = number_in(document, "version", what),
              .threshold = number_in(document, "threshold", what),
              .keys = {}};
  std::set<std::string> ids;
  for (const std::string& text : texts_in(document, "keys", kMostKeys, what)) {
    const std::optional<std::string> der = base64_decoded(text);
    if (!der) refuse(what, "a key in it is malformed");
    trust.keys.push_back(failing_as(Exit::refused, [&] { return PublicKey::from_der(*der, cat("a key of ", what)); }));
    if (!ids.insert(trust.keys.back().id()).second) refuse(what, "it names a key twice");
  }
  if (trust.set.empty()) refuse(what, "it names no set");
  if (trust.version == 0) refuse(what, "it has no version");
  if (trust.threshold == 0 || trust.threshold > trust.keys.size()) {
    refuse(what, cat("its threshold is ", trust.threshold, " of ", trust.keys.size(), " keys"));
  }
  return trust;
}

std::string Trust::encode() const {
  Json list = Json::array();
  for (const PublicKey& key : keys) list.push_back(base64_of(bytes_of(key.der())));
  return canonical_json(
      {{"format", 1}, {"set", set}, {"version", version}, {"threshold", threshold}, {"keys", std::move(list)}});
}

std::size_t valid_signatures(const Trust& trust, const SignedText& signed_text, std::vector<std::string>* bad) {
  std::set<std::string> valid;
  for (const Signature& signature : signed_text.signatures) {
    const auto key = std::find_if(trust.keys.begin(), trust.keys.end(),
                                  [&](const PublicKey& one) { return one.id() == signature.key; });
    if (key == trust.keys.end()) continue;
    if (key->verify(signed_text.text, signature.bytes)) {
      valid.insert(signature.key);
    } else if (bad != nullptr) {
      bad->push_back(signature.key);
    }
  }
  return valid.size();
}

void require_signatures(const Trust& trust, const SignedText& signed_text, std::string_view what) {
  std::vector<std::string> bad;
  const std::size_t valid = valid_signatures(trust, signed_text, &bad);
  if (valid >= trust.threshold) return;
  Error error(Exit::refused, cat("cannot trust ", what));
  error.cause(cat(valid, " of the trusted keys signed it, and ", trust.threshold,
                  trust.threshold == 1 ? " is needed" : " are needed"));
  for (const std::string& key : bad) error.detail(cat("the signature of the key ", key.substr(0, 16), "… is wrong"));
  for (const Signature& one : signed_text.signatures) {
    const bool is_known =
        std::any_of(trust.keys.begin(), trust.keys.end(), [&](const PublicKey& key) { return key.id() == one.key; });
    if (!is_known) error.detail(cat("signed by a key that is not trusted: ", printable(one.key.substr(0, 16)), "…"));
  }
  for (const PublicKey& key : trust.keys) error.detail(cat("trusted: ", key.id().substr(0, 16), "…"));
  throw error;
}

TrustChain TrustChain::decode(std::string_view json, std::string_view what) {
  const Json document = document_of(json, kLargest, what);
  TrustChain chain;
  for (const Json& one : list_in(document, "trust", kMostDocuments, what)) {
    const auto text = one.find("document");
    if (text == one.end() || !text->is_string()) refuse(what, "a document is missing in it");
    chain.documents.push_back({text->get<std::string>(), signatures_in(one, what)});
  }
  return chain;
}

std::string TrustChain::encode() const {
  Json list = Json::array();
  for (const SignedText& one : documents) {
    list.push_back({{"document", one.text}, {"signatures", json_of(one.signatures)}});
  }
  return canonical_json({{"format", 1}, {"trust", std::move(list)}});
}

Trust TrustChain::newest() const {
  if (documents.empty()) refuse("the chain of trust documents", "it holds none");
  return follow(Trust::decode(documents.front().text, "the first trust document"), *this);
}

Trust follow(const Trust& pinned, const TrustChain& chain) {
  Trust trust = pinned;
  for (const SignedText& one : chain.documents) {
    const Trust next = Trust::decode(one.text, "a trust document of the bundle");
    const std::string what = cat("version ", next.version, " of the trust document");
    if (next.set != pinned.set) refuse(what, cat("it is for the set ", backticked(next.set)));
    if (next.version < pinned.version) continue;
    if (next.version == pinned.version) {
      if (one.text != pinned.encode()) refuse(what, "it is not the document that this device trusts");
      continue;
    }
    if (next.version != trust.version + 1) {
      refuse(what, cat("version ", trust.version + 1, " is missing between it and what this device trusts"));
    }
    require_signatures(trust, one, cat(what, ", as version ", trust.version, " has it"));
    require_signatures(next, one, what);
    trust = next;
  }
  return trust;
}

}  // namespace whittle::bundle
