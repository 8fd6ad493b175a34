#include "proof/elf.hpp"

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <memory>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::proof {

namespace {

// Far above what linkers write, and small enough that a crafted file costs little.
constexpr std::size_t kMaximumSegments = 4096;
constexpr std::size_t kMaximumSections = 100'000;
constexpr std::uint64_t kMaximumTable = 256 << 20;  // bytes of one symbol or string table
constexpr std::size_t kMaximumDynamic = 4096;       // entries
constexpr std::size_t kMaximumString = 4096;

constexpr std::uint64_t kIsPie = 0x08000000;  // DF_1_PIE

Error malformed(const fs::path& file, std::string_view why) {
  return Error(Exit::not_static, cat(backticked(file.native()), " is no well-formed ELF file")).cause(std::string(why));
}

std::string machine_name(const GElf_Ehdr& header) {
  const bool is_little = header.e_ident[EI_DATA] == ELFDATA2LSB, is_64 = header.e_ident[EI_CLASS] == ELFCLASS64;
  switch (header.e_machine) {
    case EM_X86_64:
      return is_64 ? "amd64" : "x32";
    case EM_386:
      return "386";
    case EM_AARCH64:
      return "arm64";
    case EM_ARM:
      return "arm";
    case EM_RISCV:
      return is_64 ? "riscv64" : "riscv32";
    case EM_PPC64:
      return is_little ? "ppc64le" : "ppc64";
    case EM_S390:
      return "s390x";
    case 258:  // EM_LOONGARCH
      return is_64 ? "loong64" : "loong32";
    case EM_MIPS:
      return cat(is_64 ? "mips64" : "mips", is_little ? "le" : "");
    default:
      return cat("machine ", header.e_machine);
  }
}

// Reads one file through libelf. Program headers are what the kernel and the loader go by, so they
// decide; section headers, which may be missing or lie, only add symbols and debug sections.
class Reader {
 public:
  explicit Reader(const fs::path& file)
      : file_(file), descriptor_(::open(file.c_str(), O_RDONLY | O_CLOEXEC)), elf_(nullptr, &::elf_end) {
    if (!descriptor_) throw system_error(Exit::usage, cat("cannot open ", backticked(file.native())));
    struct stat status {};
    if (::fstat(descriptor_.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
      throw Error(Exit::usage, cat(backticked(file.native()), " is not a regular file"));
    }
    size_ = static_cast<std::uint64_t>(status.st_size);
    ::elf_version(EV_CURRENT);
    // Not mapped: a file that is cut while we look would kill us.
    elf_.reset(::elf_begin(descriptor_.get(), ELF_C_READ, nullptr));
    if (!elf_ || ::elf_kind(elf_.get()) != ELF_K_ELF) throw malformed(file_, "it does not begin like one");
    if (::gelf_getehdr(elf_.get(), &header_) == nullptr) throw malformed(file_, ::elf_errmsg(-1));
    if (header_.e_version != EV_CURRENT) throw malformed(file_, "its version is unknown");
  }

  ElfFile read() {
    out_.is_64_bit = header_.e_ident[EI_CLASS] == ELFCLASS64;
    out_.is_little_endian = header_.e_ident[EI_DATA] == ELFDATA2LSB;
    out_.machine = machine_name(header_);
    read_segments();
    read_dynamic();
    read_sections();
    classify();
    return std::move(out_);
  }

 private:
  struct Load {
    std::uint64_t address, offset, size;
    bool is_executable;
  };

  Elf_Data* chunk(std::uint64_t offset, std::uint64_t size, Elf_Type type) {
    if (offset > size_ || size > size_ - offset || size > kMaximumTable) return nullptr;
    return ::elf_getdata_rawchunk(elf_.get(), static_cast<off_t>(offset), size, type);
  }

  // The text at `offset` up to its NUL; nothing when it has none within the file or is absurdly long.
  std::optional<std::string> text_at(std::uint64_t offset) {
    if (offset >= size_) return std::nullopt;
    const std::uint64_t room = std::min<std::uint64_t>(size_ - offset, kMaximumString);
    const Elf_Data* data = chunk(offset, room, ELF_T_BYTE);
    if (data == nullptr) return std::nullopt;
    const char* begin = static_cast<const char*>(data->d_buf);
    const void* end = std::memchr(begin, 0, data->d_size);
    if (end == nullptr) return std::nullopt;
    return std::string(begin, static_cast<const char*>(end));
  }

  std::optional<std::uint64_t> offset_of(std::uint64_t address) const {
    for (const Load& load : loads_) {
      if (address >= load.address && address - load.address < load.size) return load.offset + (address - load.address);
    }
    return std::nullopt;
  }

  void read_segments() {
    std::size_t count = 0;
    if (::elf_getphdrnum(elf_.get(), &count) != 0) throw malformed(file_, ::elf_errmsg(-1));
    if (count > kMaximumSegments) throw malformed(file_, cat("it has ", count, " program headers"));
    for (std::size_t i = 0; i < count; ++i) {
      GElf_Phdr segment{};
      if (::gelf_getphdr(elf_.get(), static_cast<int>(i), &segment) == nullptr) {
        throw malformed(file_, "its program headers are cut off");
      }
      read_segment(segment);
    }
  }

  void read_segment(const GElf_Phdr& segment) {
    switch (segment.p_type) {
      case PT_LOAD:
        if (segment.p_offset > size_ || segment.p_filesz > size_ - segment.p_offset) {
          throw malformed(file_, "a segment lies beyond its end");
        }
        out_.loaded.push_back({segment.p_offset, segment.p_filesz});
        loads_.push_back({segment.p_vaddr, segment.p_offset, segment.p_filesz, (segment.p_flags & PF_X) != 0});
        break;
      case PT_INTERP: {
        const std::optional<std::string> interpreter = text_at(segment.p_offset);
        if (!interpreter) throw malformed(file_, "the name of its interpreter is cut off");
        out_.interpreter = *interpreter;
        break;
      }
      case PT_DYNAMIC:
        dynamic_ = segment;
        break;
      case PT_GNU_STACK:
        out_.has_executable_stack = (segment.p_flags & PF_X) != 0;
        break;
      case PT_GNU_RELRO:
        out_.has_relro = true;
        break;
      case PT_NOTE:
        read_notes(segment);
        break;
      default:
        break;
    }
  }

  void read_notes(const GElf_Phdr& segment) {
    constexpr std::uint64_t kMaximumNotes = 1 << 20;
    if (segment.p_filesz > kMaximumNotes) return;
    Elf_Data* data = chunk(segment.p_offset, segment.p_filesz, segment.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
    if (data == nullptr) return;
    GElf_Nhdr note{};
    std::size_t name = 0, content = 0;
    for (std::size_t at = 0; (at = ::gelf_getnote(data, at, &note, &name, &content)) > 0;) {
      const char* bytes = static_cast<const char*>(data->d_buf);
      const std::string_view owner(bytes + name, note.n_namesz);
      if (note.n_type != NT_GNU_BUILD_ID || owner != std::string_view("GNU\0", 4) || note.n_descsz > 64) continue;
      out_.build_id = hex_of(std::string_view(bytes + content, note.n_descsz));
    }
  }

  void read_dynamic() {
    if (!dynamic_) return;
    Elf_Data* data = chunk(dynamic_->p_offset, dynamic_->p_filesz, ELF_T_DYN);
    if (data == nullptr) throw malformed(file_, "its dynamic section lies beyond its end");
    std::optional<std::uint64_t> strings;
    std::vector<std::uint64_t> needed, run_paths, inherited_run_paths;
    for (std::size_t i = 0; i < kMaximumDynamic; ++i) {
      GElf_Dyn entry{};
      if (::gelf_getdyn(data, static_cast<int>(i), &entry) == nullptr || entry.d_tag == DT_NULL) break;
      if (entry.d_tag == DT_STRTAB) strings = offset_of(entry.d_un.d_ptr);
      if (entry.d_tag == DT_NEEDED) needed.push_back(entry.d_un.d_val);
      if (entry.d_tag == DT_RUNPATH) run_paths.push_back(entry.d_un.d_val);
      if (entry.d_tag == DT_RPATH) inherited_run_paths.push_back(entry.d_un.d_val);
      if (entry.d_tag == DT_BIND_NOW) out_.binds_at_start = true;
      if (entry.d_tag == DT_FLAGS && (entry.d_un.d_val & DF_BIND_NOW) != 0) out_.binds_at_start = true;
      if (entry.d_tag == DT_FLAGS_1 && (entry.d_un.d_val & DF_1_NOW) != 0) out_.binds_at_start = true;
      if (entry.d_tag == DT_SONAME) has_shared_name_ = true;
      if (entry.d_tag == DT_FLAGS_1 && (entry.d_un.d_val & kIsPie) != 0) is_marked_pie_ = true;
    }
    out_.needed = texts(strings, needed);
    out_.has_inherited_run_paths = run_paths.empty() && !inherited_run_paths.empty();
    out_.run_paths = texts(strings, run_paths.empty() ? inherited_run_paths : run_paths);
  }

  std::vector<std::string> texts(std::optional<std::uint64_t> table, const std::vector<std::uint64_t>& offsets) {
    std::vector<std::string> out;
    for (const std::uint64_t offset : offsets) {
      std::optional<std::string> text;
      if (table && offset < size_ && *table < size_) text = text_at(*table + offset);
      // A name that cannot be read is still a library that would be needed.
      out.push_back(text ? *text : cat("a library whose name lies beyond the file (offset ", offset, ")"));
    }
    return out;
  }

  void read_sections() {
    std::size_t count = 0;
    if (::elf_getshdrnum(elf_.get(), &count) != 0 || count > kMaximumSections) return;
    std::size_t names = 0;
    if (::elf_getshdrstrndx(elf_.get(), &names) != 0) names = 0;
    std::vector<std::string> dynamic_symbols;
    for (std::size_t i = 1; i < count; ++i) {
      Elf_Scn* section = ::elf_getscn(elf_.get(), i);
      GElf_Shdr header{};
      if (section == nullptr || ::gelf_getshdr(section, &header) == nullptr) continue;
      const char* name = ::elf_strptr(elf_.get(), names, header.sh_name);
      const std::string_view called = name == nullptr ? "" : name;
      if (called.starts_with(".debug_") || called.starts_with(".zdebug_")) out_.has_debug_sections = true;
      if (called == ".go.buildinfo" || called == ".note.go.buildid") out_.is_go = true;
      if (header.sh_type == SHT_SYMTAB) {
        out_.has_symbols = true;
        read_symbols(section, header, out_.defined_symbols, nullptr);
      }
      if (header.sh_type == SHT_DYNSYM) read_symbols(section, header, dynamic_symbols, &out_.undefined_symbols);
    }
    if (!out_.has_symbols) out_.defined_symbols = std::move(dynamic_symbols);
    for (std::vector<std::string>* list : {&out_.defined_symbols, &out_.undefined_symbols}) {
      std::sort(list->begin(), list->end());
      list->erase(std::unique(list->begin(), list->end()), list->end());
    }
  }

  // Weak undefined symbols may stay so: the program asks whether they are there.
  void read_symbols(Elf_Scn* section, const GElf_Shdr& header, std::vector<std::string>& defined,
                    std::vector<std::string>* undefined) {
    if (header.sh_size > kMaximumTable || header.sh_entsize == 0) return;
    Elf_Data* data = ::elf_getdata(section, nullptr);
    if (data == nullptr) return;
    const std::size_t count = std::min<std::size_t>(data->d_size / header.sh_entsize, INT32_MAX);
    for (std::size_t i = 1; i < count; ++i) {
      GElf_Sym symbol{};
      if (::gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr) break;
      const char* name = ::elf_strptr(elf_.get(), header.sh_link, symbol.st_name);
      if (name == nullptr || *name == '\0') continue;
      const int type = GELF_ST_TYPE(symbol.st_info);
      if (type == STT_FILE || type == STT_SECTION) continue;
      if (symbol.st_shndx != SHN_UNDEF) {
        defined.emplace_back(name);
      } else if (undefined != nullptr && GELF_ST_BIND(symbol.st_info) == STB_GLOBAL) {
        undefined->emplace_back(name);
      }
    }
  }

  // Since PIE, ET_DYN says nothing by itself. Some linkers give libraries an entry point too, so an
  // entry point alone counts only when the file does not call itself a library.
  void classify() {
    const bool has_entry = std::any_of(loads_.begin(), loads_.end(), [&](const Load& load) {
      return load.is_executable && header_.e_entry >= load.address && header_.e_entry - load.address < load.size;
    });
    if (header_.e_type == ET_EXEC) out_.is_executable = true;
    if (header_.e_type == ET_DYN) {
      out_.is_position_independent = true;
      out_.is_executable = is_marked_pie_ || (has_entry && (out_.interpreter || !has_shared_name_));
      out_.is_shared_library = !out_.is_executable;
    }
  }

  fs::path file_;
  FileDescriptor descriptor_;
  std::unique_ptr<Elf, int (*)(Elf*)> elf_;
  std::uint64_t size_ = 0;
  GElf_Ehdr header_{};
  std::vector<Load> loads_;
  std::optional<GElf_Phdr> dynamic_;
  bool is_marked_pie_ = false, has_shared_name_ = false;
  ElfFile out_;
};

}  // namespace

bool ElfFile::defines(std::string_view symbol) const {
  return std::binary_search(defined_symbols.begin(), defined_symbols.end(), symbol);
}

bool ElfFile::asks_for(std::string_view symbol) const {
  return std::binary_search(undefined_symbols.begin(), undefined_symbols.end(), symbol);
}

std::string ElfFile::stack_protector() const {
  constexpr std::string_view kGuard = "__stack_chk_fail";
  if (asks_for(kGuard) || defines(kGuard)) return "yes";
  return has_symbols || is_dynamic() ? "no" : "unknown";
}

std::vector<std::string> ElfFile::run_folders() const {
  std::vector<std::string> folders;
  for (const std::string& path : run_paths) {
    for (std::string& folder : split(path, ':')) {
      if (!folder.empty()) folders.push_back(std::move(folder));
    }
  }
  return folders;
}

bool is_elf(const fs::path& file) {
  const FileDescriptor opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  std::array<char, SELFMAG> magic{};
  return opened && ::read(opened.get(), magic.data(), magic.size()) == SELFMAG &&
         std::memcmp(magic.data(), ELFMAG, SELFMAG) == 0;
}

ElfFile read_elf(const fs::path& file) {
  return Reader(file).read();
}

}  // namespace whittle::proof
