// Small images, real to the last digest, in a blob store of their own.
#pragma once

#include <string>
#include <vector>

#include "base/files.hpp"
#include "base/parallel.hpp"
#include "oci/blob_store.hpp"
#include "oci/image.hpp"

namespace whittle::testing {

// A folder that goes away with the test.
class Scratch {
 public:
  Scratch() : folder_(fs::temp_directory_path(), "whittle-registry-test-") {}
  fs::path operator/(std::string_view name) const { return folder_.path() / name; }
  const fs::path& path() const { return folder_.path(); }

 private:
  TemporaryFolder folder_;
};

struct TestImage {
  oci::Descriptor manifest, config;
  std::vector<oci::Descriptor> layers;
};

// An image whose layers are plain tars, one file with the given content each.
TestImage make_image(oci::BlobStore& store, const std::vector<std::string>& files,
                     const oci::Platform& platform = {.os = "linux", .architecture = "amd64", .variant = ""});
// An index over images that are in the store.
oci::Descriptor make_index(oci::BlobStore& store, const std::vector<TestImage>& images);
// Text that does not compress and differs by `seed`.
std::string noise(std::size_t size, unsigned seed);

}  // namespace whittle::testing
