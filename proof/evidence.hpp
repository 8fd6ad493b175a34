// What a program's texts and symbols say about the world that it expects around it.
// Why these signals and no others, with measurements: docs/design/proof.md.
#pragma once

#include <string>
#include <vector>

#include "proof/elf.hpp"

namespace whittle::proof {

struct Evidence {
  // The text that was found; empty: none.
  std::string certificates, time_zones, name_service;
  bool is_static_glibc = false;
  std::string name_service_switch;  // glibc's, which loads modules at run time
  std::string loads_libraries;      // a shared library named in the program, or musl's refusing dlopen
  std::string openssl_folder;       // where a linked OpenSSL looks for CA roots, when that is not /etc/ssl
};

Evidence find_evidence(const fs::path& file, const ElfFile& elf);

}  // namespace whittle::proof
