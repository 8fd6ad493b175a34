#include "bundle/signing.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/head.hpp"
#include "bundle/reader.hpp"

namespace whittle::bundle {

namespace {

void write_head(const fs::path& path, const ReadHead& read) {
  const std::string bytes = read.head.encode(read.volume, read.of);
  if (bytes.size() != read.size) {
    throw Error(Exit::refused, cat("there is no room for another signature in ", backticked(path.native())))
        .hint("write the bundle again with all keys at once");
  }
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  const auto failed = [&] {
    return system_error(Exit::export_failed, cat("cannot write ", backticked(path.native())));
  };
  if (!file) throw failed();
  write_all(file, bytes_of(bytes), path);
  if (::fsync(file.get()) != 0) throw failed();
}

}  // namespace

void sign_bundle(std::span<const fs::path> files, const SigningKey& key) {
  const BundleReader bundle(files);
  const Signature signature = key.sign(bundle.signed_root().text);
  for (const fs::path& path : bundle.files()) {
    FileSource source(path);
    std::optional<ReadHead> read = read_head(source, backticked(path.native()));
    if (!read) throw Error(Exit::refused, cat(backticked(path.native()), " is no bundle"));
    std::vector<Signature>& signatures = read->head.root.signatures;
    signatures.erase(std::remove_if(signatures.begin(), signatures.end(),
                                    [&](const Signature& one) { return one.key == signature.key; }),
                     signatures.end());
    signatures.push_back(signature);
    std::sort(signatures.begin(), signatures.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
    write_head(path, *read);
  }
}

}  // namespace whittle::bundle
