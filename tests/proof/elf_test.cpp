// What we read against what readelf reads, and against files that were made to mislead.
#include "proof/elf.hpp"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <functional>
#include <random>
#include <regex>

#include "base/error.hpp"
#include "programs.hpp"

using namespace whittle;
using namespace whittle::proof;
using namespace whittle::proof::test;

namespace {

std::string readelf(const Programs& programs, const fs::path& file) {
  SystemProcessRunner runner;
  return run_captured(runner, {.argv = {"readelf", "-hldnW", "--dyn-syms", file.native()},
                               .env = {{"PATH", "/usr/bin:/bin"}, {"LC_ALL", "C"}},
                               .folder = programs.folder()})
      .out;
}

std::vector<std::string> all_matches(const std::string& text, const char* expression) {
  std::vector<std::string> out;
  const std::regex regex(expression);
  for (std::sregex_iterator match(text.begin(), text.end(), regex), end; match != end; ++match)
    out.push_back((*match)[1]);
  return out;
}

std::string first_match(const std::string& text, const char* expression) {
  const std::vector<std::string> all = all_matches(text, expression);
  return all.empty() ? "" : all.front();
}

void compare_with_readelf(const Programs& programs, const fs::path& file) {
  CAPTURE(file.native());
  const std::string said = readelf(programs, file);
  REQUIRE(said.find("ELF Header") != std::string::npos);
  const ElfFile elf = read_elf(file);
  CHECK(elf.is_64_bit == (said.find("Class:                             ELF64") != std::string::npos));
  CHECK(elf.is_little_endian == (said.find("little endian") != std::string::npos));
  CHECK(elf.interpreter.value_or("") == first_match(said, "Requesting program interpreter: (\\S+)\\]"));
  CHECK(elf.needed == all_matches(said, "\\(NEEDED\\)\\s+Shared library: \\[(.*)\\]"));
  CHECK(elf.run_paths == all_matches(said, "\\((?:RUNPATH|RPATH)\\)\\s+Library (?:runpath|rpath): \\[(.*)\\]"));
  CHECK(elf.has_relro == (said.find("GNU_RELRO") != std::string::npos));
  CHECK(elf.has_executable_stack == (first_match(said, "GNU_STACK\\s+(?:0x\\w+ ){5}(R.E)").size() == 3));
  CHECK(elf.build_id == first_match(said, "Build ID: (\\w+)"));
  const bool is_dyn = said.find("DYN (") != std::string::npos;
  CHECK(elf.is_position_independent == is_dyn);
  CHECK(elf.is_executable == (said.find("EXEC (Executable file)") != std::string::npos ||
                              said.find("DYN (Position-Independent Executable file)") != std::string::npos));
  CHECK(elf.is_shared_library == (said.find("DYN (Shared object file)") != std::string::npos));
  std::vector<std::string> undefined = all_matches(said, "GLOBAL\\s+DEFAULT\\s+UND ([^\\s@]+)");
  std::sort(undefined.begin(), undefined.end());
  undefined.erase(std::unique(undefined.begin(), undefined.end()), undefined.end());
  CHECK(elf.undefined_symbols == undefined);
}

// Without the sync of write_file(): there are thousands.
void put_file(const fs::path& file, std::string_view bytes) {
  std::ofstream(file, std::ios::binary) << bytes;
}

std::string readable(const fs::path& file) {
  try {
    read_elf(file);
    return "";
  } catch (const Error& error) {
    return cat(error.message(), ": ", error.causes().empty() ? "" : error.causes()[0]);
  }
}

template <class Header>
Header header_of(const std::string& bytes, std::size_t at = 0) {
  Header header;
  std::memcpy(&header, bytes.data() + at, sizeof header);
  return header;
}
template <class Header>
void put(std::string& bytes, const Header& header, std::size_t at = 0) {
  std::memcpy(bytes.data() + at, &header, sizeof header);
}

}  // namespace

TEST_CASE("real files are read as readelf reads them") {
  const Programs programs;
  const fs::path dynamic = programs.c("dynamic", kHello, {"-Wl,-rpath,/opt/lib", "-Wl,--no-as-needed", "-lz", "-lm"});
  for (const fs::path& file :
       {dynamic, programs.stripped(dynamic), programs.c("nopie", kHello, {"-no-pie", "-g", "-z", "execstack"}),
        programs.c("static", kHello, {"-static"}),
        programs.c("static-pie", kHello, {"-static-pie", "-Wl,-z,relro,-z,now"}),
        programs.c("musl", kHello, {"-static", "-Wl,--build-id=sha1"}, "musl-gcc"),
        programs.c("musl-dynamic", kHello, {}, "musl-gcc"),
        programs.c("lib.so", "int f(void); int g(void) { return f(); }\n",
                   {"-shared", "-fPIC", "-Wl,-soname,libf.so.1"}),
        programs.c("object.o", kHello, {"-c"}), programs.c("object32.o", "int f(void) { return 1; }\n", {"-m32", "-c"}),
        programs.c("tiny32", "void _start(void) {}\n", {"-m32", "-nostdlib", "-static", "-no-pie"}),
        programs.go("gohello", "package main\n\nfunc main() { println(\"hi\") }\n"),
        programs.rust("rusthello", "fn main() { println!(\"hi\"); }\n"), fs::path("/bin/true"),
        fs::path("/usr/bin/cmake")}) {
    compare_with_readelf(programs, file);
  }
}

TEST_CASE("symbols, debug sections and Go are told apart") {
  const Programs programs;
  const fs::path full = programs.c("full", kHello, {"-static", "-g"});
  const ElfFile with = read_elf(full), without = read_elf(programs.stripped(full));
  CHECK(with.has_symbols);
  CHECK(with.has_debug_sections);
  CHECK(std::binary_search(with.defined_symbols.begin(), with.defined_symbols.end(), "main"));
  CHECK_FALSE(without.has_symbols);
  CHECK_FALSE(without.has_debug_sections);
  CHECK_FALSE(without.is_go);
  CHECK(read_elf(programs.go("g", "package main\n\nfunc main() {}\n")).is_go);
  CHECK(read_elf(programs.c("object.o", kHello, {"-c"})).machine == "amd64");
  CHECK(read_elf(programs.c("object32.o", "int x;\n", {"-m32", "-c"})).machine == "386");
}

TEST_CASE("Go programs for other machines say which") {
  const Programs programs;
  write_file(programs.folder() / "go.mod", "module example.com/x\n\ngo 1.20\n");
  write_file(programs.folder() / "main.go", "package main\n\nfunc main() {}\n");
  for (const char* architecture : {"arm64", "arm", "386", "s390x", "riscv64"}) {
    // Runs `go` through env, since the architecture is chosen there.
    const fs::path file = programs.make(
        architecture, "", "", {"/usr/bin/env", cat("GOARCH=", architecture), "go", "build", "-o", architecture, "."});
    CHECK(read_elf(file).machine == architecture);
  }
}

TEST_CASE("a file that is cut anywhere is refused or read, and never more") {
  const Programs programs;
  const std::string whole = read_file(programs.c("dynamic", kHello, {}));
  const fs::path cut = programs.folder() / "cut";
  for (std::size_t size = 0; size < whole.size(); size += size < 2048 ? 7 : 997) {
    put_file(cut, std::string_view(whole).substr(0, size));
    readable(cut);
  }
  put_file(cut, std::string_view(whole).substr(0, 3000));
  CHECK(readable(cut) == cat("`", cut.native(), "` is no well-formed ELF file: a segment lies beyond its end"));
  put_file(cut, std::string_view(whole).substr(0, 40));
  CHECK(readable(cut).starts_with(cat("`", cut.native(), "` is no well-formed ELF file: ")));
}

TEST_CASE("headers that lie are refused or do no harm") {
  const Programs programs;
  const std::string whole = read_file(programs.c("dynamic", kHello, {}));
  const auto ehdr = header_of<Elf64_Ehdr>(whole);
  const fs::path file = programs.folder() / "lie";
  const auto with = [&](const std::function<void(std::string&)>& change) {
    std::string bytes = whole;
    change(bytes);
    put_file(file, bytes);
    return readable(file);
  };
  const auto change_header = [&](const std::function<void(Elf64_Ehdr&)>& change) {
    return with([&](std::string& bytes) {
      Elf64_Ehdr header = ehdr;
      change(header);
      put(bytes, header);
    });
  };
  CHECK(change_header([](Elf64_Ehdr& h) { h.e_phnum = 0xfff0; }) != "");
  CHECK(change_header([](Elf64_Ehdr& h) { h.e_phoff = ~0ULL - 7; }) != "");
  CHECK(change_header([](Elf64_Ehdr& h) { h.e_ident[EI_CLASS] = 9; }) != "");
  CHECK(change_header([](Elf64_Ehdr& h) { h.e_version = 9; }) != "");
  // Sections only add: what the kernel goes by is still read.
  for (const auto& lie : std::vector<std::function<void(Elf64_Ehdr&)>>{[](Elf64_Ehdr& h) {
                                                                         h.e_shnum = 0;
                                                                         h.e_shoff = 0;
                                                                       },
                                                                       [](Elf64_Ehdr& h) { h.e_shnum = 0xfff0; },
                                                                       [](Elf64_Ehdr& h) { h.e_shoff = 64; },
                                                                       [](Elf64_Ehdr& h) { h.e_shstrndx = 0xfff0; }}) {
    if (change_header(lie).empty()) {
      CHECK(read_elf(file).needed == std::vector<std::string>{"libc.so.6"});
    }
  }
  const auto change_segments = [&](const std::function<void(Elf64_Phdr&)>& change) {
    return with([&](std::string& bytes) {
      for (std::size_t i = 0; i < ehdr.e_phnum; ++i) {
        const std::size_t at = ehdr.e_phoff + i * sizeof(Elf64_Phdr);
        auto segment = header_of<Elf64_Phdr>(bytes, at);
        change(segment);
        put(bytes, segment, at);
      }
    });
  };
  CHECK(change_segments([](Elf64_Phdr& s) { s.p_filesz = ~0ULL; }) != "");
  CHECK(change_segments([](Elf64_Phdr& s) {
          if (s.p_type == PT_INTERP) s.p_offset = ~0ULL;
        }) != "");
  CHECK(change_segments([](Elf64_Phdr& s) {
          if (s.p_type == PT_DYNAMIC) s.p_offset = 1ULL << 60;
        }) != "");
  // Every segment at the same place: overlapping, and read once.
  change_segments([](Elf64_Phdr& s) {
    if (s.p_type == PT_LOAD) s.p_offset = 0;
  });
  readable(file);
  // A table of strings that lies nowhere does not hide a library.
  with([&](std::string& bytes) {
    for (std::size_t i = 0; i < ehdr.e_phnum; ++i) {
      const auto segment = header_of<Elf64_Phdr>(bytes, ehdr.e_phoff + i * sizeof(Elf64_Phdr));
      if (segment.p_type != PT_DYNAMIC) continue;
      for (std::size_t at = segment.p_offset; at < segment.p_offset + segment.p_filesz; at += sizeof(Elf64_Dyn)) {
        auto entry = header_of<Elf64_Dyn>(bytes, at);
        if (entry.d_tag == DT_STRTAB) entry.d_un.d_ptr = ~0ULL - 3;
        put(bytes, entry, at);
      }
    }
  });
  REQUIRE(read_elf(file).needed.size() == 1);
  CHECK(read_elf(file).needed[0].starts_with("a library whose name lies beyond the file"));
}

TEST_CASE("random damage never does more than an error") {
  const Programs programs;
  const std::string whole =
      read_file(programs.c("small", "void _start(void) { for (;;); }\n", {"-nostdlib", "-shared", "-fPIC"}));
  const fs::path file = programs.folder() / "damaged";
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = whole;
    for (int i = 0; i < 8; ++i) {
      const std::size_t room = round % 2 == 0 ? 1024 : bytes.size();
      bytes[random() % std::min(room, bytes.size())] = static_cast<char>(random());
    }
    put_file(file, bytes);
    readable(file);
  }
}

TEST_CASE("what is no ELF file, or no file, is told so") {
  const TemporaryFolder folder(fs::temp_directory_path());
  write_file(folder.path() / "text", "hello");
  write_file(folder.path() / "empty", "");
  CHECK_FALSE(is_elf(folder.path() / "text"));
  CHECK_FALSE(is_elf(folder.path() / "empty"));
  CHECK_FALSE(is_elf(folder.path() / "gone"));
  CHECK_FALSE(is_elf(folder.path()));
  CHECK(is_elf("/bin/true"));
  CHECK_THROWS_AS(read_elf(folder.path() / "text"), Error);
  CHECK_THROWS_AS(read_elf(folder.path()), Error);
}
