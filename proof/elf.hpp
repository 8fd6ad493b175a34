// What an ELF file says about itself. Every byte of it is hostile.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"

namespace whittle::proof {

struct ElfFile {
  bool is_executable = false;      // ET_EXEC, or ET_DYN with DF_1_PIE, or with an entry point and no library name
  bool is_shared_library = false;  // ET_DYN otherwise
  bool is_64_bit = true, is_little_endian = true;
  std::string machine;  // architecture in OCI words: amd64 arm64 arm riscv64 386 …, else "machine N"
  std::optional<std::string> interpreter;
  std::vector<std::string> needed;
  std::vector<std::string> run_paths;    // RUNPATH, else RPATH; each may be several folders with colons between them
  bool has_inherited_run_paths = false;  // RPATH: libraries of libraries are looked for there too
  bool is_position_independent = false, has_relro = false, has_executable_stack = false;
  bool binds_at_start = false;  // BIND_NOW: with RELRO nothing is left to overwrite
  bool has_debug_sections = false, has_symbols = false;
  std::string build_id;                        // hex
  std::vector<std::string> defined_symbols;    // of .symtab when there, else .dynsym; sorted, unique
  std::vector<std::string> undefined_symbols;  // that the loader would have to find
  bool is_go = false;                          // .go.buildinfo
  struct Range {
    std::uint64_t offset = 0, size = 0;
  };
  std::vector<Range> loaded;  // of the file: what is mapped when it runs, so neither symbols nor debug information

  bool is_dynamic() const { return interpreter || !needed.empty(); }
  bool defines(std::string_view symbol) const;
  bool asks_for(std::string_view symbol) const;  // as an undefined symbol
  std::vector<std::string> run_folders() const;  // of `run_paths`
  // "yes", "no", or "unknown" where no symbols are left that could tell.
  std::string stack_protector() const;
};

// Cheap: does the file begin with the ELF magic?
bool is_elf(const fs::path& file);
// Throws Error(not_static) with the reason for a file that is no well-formed ELF.
ElfFile read_elf(const fs::path& file);

}  // namespace whittle::proof
