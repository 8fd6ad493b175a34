"""Trees in the shapes that other people's have, built with nothing said."""

from support.case import WhittleTestCase

SQLITE = """package main

import (
	"database/sql"
	"fmt"

	_ "github.com/mattn/go-sqlite3"
)

func main() {
	database, err := sql.Open("sqlite3", ":memory:")
	if err != nil {
		panic(err)
	}
	var answer int
	if err := database.QueryRow("SELECT 6 * 7").Scan(&answer); err != nil {
		panic(err)
	}
	fmt.Println("answer", answer)
}
"""
SQLITE_SUM = """github.com/mattn/go-sqlite3 v1.14.24 h1:tpSp2G2KyMnnQu99ngJ47EIkWVmliIizyZBfPrBWDRM=
github.com/mattn/go-sqlite3 v1.14.24/go.mod h1:Uh1q+B4BYcTPb+yiD3kU8Ct7aC0hY9fxUwlHK0RXw+Y=
"""

CGO = """package main

// #include <math.h>
// #include <linux/limits.h>
// static int answer(void) { return (int) sqrt(1764.0) * (PATH_MAX == 4096); }
// #cgo LDFLAGS: -lm
import "C"
import "fmt"

func main() { fmt.Println("answer", C.answer()) }
"""

OPENSSL = r"""
#include <openssl/evp.h>
#include <stdio.h>
#include <zlib.h>
int main(void) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest("abc", 3, digest, &size, EVP_sha256(), NULL);
  printf("%u %02x%02x %s\n", size, digest[0], digest[1], zlibVersion()[0] == '1' ? "zlib" : "");
  return 0;
}
"""

HELLO = '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n'


class Unconfigured(WhittleTestCase):
    shared_cache = True

    def says(self, tree, *arguments):
        built = self.build(tree)
        self.whittle("check", built.reference)
        return self.whittle("run", built.reference, "--", *arguments).stdout

    def test_a_go_program_with_sqlite_opens_a_database(self):
        tree = self.write_tree(
            "notes",
            {
                "go.mod": "module example.com/notes\n\ngo 1.20\n\nrequire github.com/mattn/go-sqlite3 v1.14.24\n",
                "go.sum": SQLITE_SUM,
                "main.go": SQLITE,
            },
        )
        self.assertEqual(self.says(tree), "answer 42\n")

    def test_a_go_program_that_imports_c_falls_back_to_cgo(self):
        tree = self.write_tree("sums", {"go.mod": "module example.com/sums\n\ngo 1.20\n", "main.go": CGO})
        first = self.whittle("build", tree)
        self.assertIn("built with toolchain `musl`, with cgo, which the next build tries first", first.stderr)
        self.assertEqual(self.whittle("run", first.stdout.strip()).stdout, "answer 42\n")
        (tree / "main.go").write_text(CGO + "// changed\n")
        self.assertNotIn("does not fit", self.whittle("build", tree).stderr)

    def test_a_rust_workspace_whose_program_is_not_called_like_its_package(self):
        tree = self.write_tree(
            "farm",
            {
                "Cargo.toml": '[workspace]\nmembers = ["crates/*"]\nresolver = "2"\n',
                "crates/core/Cargo.toml": '[package]\nname = "farm-core"\nversion = "0.1.0"\nedition = "2021"\n',
                "crates/core/src/lib.rs": 'pub fn said() -> &\'static str { "moo" }\n',
                "crates/cli/Cargo.toml": '[package]\nname = "farm-cli"\nversion = "0.1.0"\nedition = "2021"\n'
                '[[bin]]\nname = "cow"\npath = "src/start.rs"\n[dependencies]\nfarm-core = { path = "../core" }\n',
                "crates/cli/src/start.rs": 'fn main() { println!("{}", farm_core::said()); }\n',
                "Cargo.lock": 'version = 3\n\n[[package]]\nname = "farm-cli"\nversion = "0.1.0"\n'
                'dependencies = [\n "farm-core",\n]\n\n[[package]]\nname = "farm-core"\nversion = "0.1.0"\n',
            },
        )
        self.assertEqual(self.says(tree), "moo\n")

    def test_a_cmake_project_with_openssl_and_zlib(self):
        tree = self.write_tree(
            "digest",
            {
                "CMakeLists.txt": "cmake_minimum_required(VERSION 3.16)\nproject(digest C)\nfind_package(OpenSSL REQUIRED)\n"
                "find_package(ZLIB REQUIRED)\nadd_executable(digest main.c)\n"
                "target_link_libraries(digest OpenSSL::Crypto ZLIB::ZLIB)\n",
                "main.c": OPENSSL,
            },
        )
        self.assertEqual(self.says(tree), "32 ba78 zlib\n")

    def test_a_makefile_that_sets_its_own_linker_flags(self):
        tree = self.write_tree(
            "own",
            {"Makefile": "CC = cc\nLDFLAGS = -L.\noverride LDFLAGS += -lm\nown: own.o\n\t$(CC) $(LDFLAGS) -o $@ $^\n", "own.c": HELLO},
        )
        self.assertEqual(self.says(tree), "hello\n")

    def test_a_makefile_that_calls_gcc_by_name(self):
        tree = self.write_tree("named", {"Makefile": "all:\n\tgcc -o named main.c\n", "main.c": HELLO})
        self.assertEqual(self.says(tree), "hello\n")

    def test_a_makefile_whose_manual_cannot_be_made(self):
        tree = self.write_tree(
            "late",
            {"Makefile": "all: late late.1\nlate: late.c\n\t$(CC) -o $@ $^\nlate.1:\n\tfalse\n", "late.c": HELLO, "a.h": ""},
        )
        self.assertEqual(self.says(tree), "hello\n")

    def test_a_custom_configure_script_that_ignores_the_environment(self):
        tree = self.write_tree(
            "odd",
            {
                "configure": ("#!/bin/sh\nprintf 'odd: odd.c\\n\\tgcc -o odd odd.c\\n' >Makefile\n", 0o755),
                "odd.c": HELLO,
            },
        )
        self.assertEqual(self.says(tree), "hello\n")

    def test_what_is_not_installed_is_named_with_its_package(self):
        tree = self.write_tree("pam", {"main.c": "#include <libfrobnicate.h>\nint main(void) { return 0; }\n"})
        result = self.whittle("build", tree, expect=51)
        self.assertIn(
            "error: build step `compile pam` needs the header `libfrobnicate.h`, which is not installed\n", result.stderr
        )
        self.assertIn("hint: install it, on Debian with `apt-get install libfrobnicate-dev`\n", result.stderr)

    def files_of(self, image):
        return {entry["path"] for entry in self.whittle("inspect", "--files", "--json", image).json["files"]}

    def test_data_that_a_program_names_is_installed_with_it_and_manuals_are_not(self):
        tree = self.write_tree(
            "quotes",
            {
                "Makefile": "PREFIX = /usr\nDATA = $(PREFIX)/share/quotes\nquotes: quotes.c\n"
                "\t$(CC) -DDATA='\"$(DATA)\"' -o $@ $^\ninstall: quotes\n"
                "\tmkdir -p $(DESTDIR)$(DATA) $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/unnamed\n"
                "\tcp wisdom $(DESTDIR)$(DATA)/wisdom\n\tcp wisdom $(DESTDIR)$(PREFIX)/share/unnamed/x\n"
                "\tcp wisdom $(DESTDIR)$(PREFIX)/share/man/man1/quotes.1\n",
                "quotes.c": '#include <stdio.h>\nint main(void) { char text[9]; FILE *f = fopen(DATA "/wisdom", "r");\n'
                "return f && fgets(text, 9, f) ? puts(text) < 0 : 1; }\n",
                "wisdom": "less",
            },
        )
        self.assertEqual(self.says(tree), "less\n")
        files = self.files_of("quotes")
        self.assertIn("/usr/share/quotes/wisdom", files)
        self.assertFalse([path for path in files if "man" in path or "unnamed" in path])

    def test_a_program_with_several_names_has_all_of_them(self):
        tree = self.write_tree(
            "box",
            {
                "Makefile": "box: box.c\n\t$(CC) -o $@ $^\ninstall: box\n\tmkdir -p $(DESTDIR)/usr/bin\n"
                "\tcp box $(DESTDIR)/usr/bin/box\n\tfor name in left right; do ln -s box $(DESTDIR)/usr/bin/$$name; done\n",
                "box.c": "#include <stdio.h>\nint main(int count, char **words) { (void)count; return puts(words[0]) < 0; }\n",
                "whittle.toml": '[process.left]\nargv = ["/bin/left"]\n[image]\ndefault = "left"\n',
            },
        )
        self.assertEqual(self.says(tree), "/bin/left\n")
        self.assertLessEqual({"/bin/box", "/bin/left", "/bin/right"}, self.files_of("box"))

    def test_an_install_goal_that_could_write_elsewhere_is_not_run(self):
        tree = self.write_tree(
            "wild",
            {
                "Makefile": f"wild: wild.c\n\t$(CC) -o $@ $^\ninstall: wild\n\tln -s wild $(DESTDIR)/bin/other\n"
                f"\ttouch {self.temporary}/escaped\n",
                "wild.c": HELLO,
            },
        )
        self.assertEqual(self.says(tree), "hello\n")
        self.assertFalse((self.temporary / "escaped").exists())
