#include "builder/kernel_headers.hpp"

#include "builder/host_libraries.hpp"

namespace whittle::builder {

fs::path kernel_headers_of(const fs::path& work) {
  return work / "kernel-headers";
}

void link_kernel_headers(const fs::path& work, std::string_view platform) {
  const fs::path folder = kernel_headers_of(work);
  make_folders(folder);
  std::error_code ignored;
  const fs::path include = "/usr/include";
  for (const char* name : {"linux", "asm", "asm-generic", "drm", "misc", "mtd", "rdma", "sound", "video", "xen"}) {
    const fs::path special = include / multiarch_tuple(platform) / name;
    const fs::path target = fs::is_directory(special, ignored) ? special : include / name;
    if (fs::is_directory(target, ignored)) fs::create_directory_symlink(target, folder / name, ignored);
  }
}

}  // namespace whittle::builder
