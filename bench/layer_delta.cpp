// layer_delta make STORE PAYLOADS SCRATCH COMPRESSION TARGET BASE…: a delta that makes one layer of others, by the code
// of `whittle set delta` and nothing else; prints what `apply` is to be given.
// layer_delta apply STORE PAYLOADS SCRATCH OUT TARGET PAYLOAD COMPRESSOR ROOM BASE…: rebuilds the layer as a device
// does.
//
// A layer is DIGEST:SIZE, with the digest in hexadecimal; COMPRESSION is the layer's `io.whittle.compression`.
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/delta_maker.hpp"

namespace {

using namespace whittle;

oci::Descriptor layer_of(const std::string& word) {
  const std::size_t colon = word.find(':');
  const std::optional<Digest> digest = Digest::parse("sha256:" + word.substr(0, colon));
  const auto size = colon == std::string::npos ? std::nullopt : parse_number(word.substr(colon + 1));
  if (!digest || !size) throw Error(Exit::usage, cat(backticked(word), " is not DIGEST:SIZE"));
  return {.media_type = std::string(oci::media_type::kLayerZstd), .digest = *digest, .size = *size};
}

std::string word_of(const Digest& digest, std::uint64_t size) {
  return cat(digest.hex(), ':', size);
}

void make(std::span<const std::string> words) {
  oci::BlobStore store(words[0]), payloads(words[1]);
  oci::Descriptor target = layer_of(words[4]);
  target.annotations["io.whittle.compression"] = words[3];
  std::vector<oci::Descriptor> bases;
  for (const std::string& word : words.subspan(5)) bases.push_back(layer_of(word));
  const std::optional<bundle::MadeDelta> made = bundle::make_delta(
      {.target = target, .from = store, .bases = bases, .old = store, .payloads = payloads, .scratch = words[2]}, {});
  if (!made) throw Error(Exit::usage, "there is no delta that is smaller than the layer");
  const bundle::Rebuilt& rebuilt = made->rebuilt;
  std::cout << words[4] << '\n'
            << word_of(made->payload.digest, made->payload.size) << '\n'
            << rebuilt.compressor << '\n'
            << rebuilt.scratch << '\n';
  for (const oci::Descriptor& base : bases) {
    for (const Digest& used : rebuilt.bases) {
      if (used == base.digest) std::cout << word_of(base.digest, base.size) << '\n';
    }
  }
}

void apply(std::span<const std::string> words) {
  const oci::BlobStore store(words[0]), payloads(words[1]);
  oci::BlobStore out(words[3]);
  const oci::Descriptor target = layer_of(words[4]), payload = layer_of(words[5]);
  bundle::Rebuilt rebuilt{.blob = {target.digest, target.size},
                          .payload = payload.digest,
                          .bases = {},
                          .compressor = words[6],
                          .scratch = parse_number(words[7]).value_or(0)};
  std::vector<bundle::BlobSize> bases;
  for (const std::string& word : words.subspan(8)) {
    const oci::Descriptor base = layer_of(word);
    bases.push_back({base.digest, base.size});
    rebuilt.bases.push_back(base.digest);
  }
  bundle::rebuild({.rebuilt = rebuilt,
                   .payload_size = payload.size,
                   .bases = bases,
                   .payloads = payloads,
                   .old = store,
                   .scratch = words[2]},
                  out, {});
}

}  // namespace

int main(int count, char** words) {
  const std::vector<std::string> arguments(words + 1, words + count);
  try {
    if (arguments.size() >= 6 && arguments[0] == "make") {
      make(std::span(arguments).subspan(1));
    } else if (arguments.size() >= 9 && arguments[0] == "apply") {
      apply(std::span(arguments).subspan(1));
    } else {
      std::cerr << "usage: layer_delta make STORE PAYLOADS SCRATCH COMPRESSION TARGET BASE…\n"
                   "       layer_delta apply STORE PAYLOADS SCRATCH OUT TARGET PAYLOAD COMPRESSOR ROOM BASE…\n";
      return 2;
    }
    return 0;
  } catch (const Error& error) {
    std::cerr << "error: " << error.message() << '\n';
    for (const std::string& cause : error.causes()) std::cerr << "  caused by: " << cause << '\n';
    return static_cast<int>(error.exit());
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << '\n';
    return 1;
  }
}
