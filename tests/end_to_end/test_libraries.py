"""Libraries from outside of the tree: looked for before anything is compiled; and data that a build system installs."""

import unittest

from support.case import WhittleTestCase

HELLO = '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n'
ZLIB = '#include <stdio.h>\n#include <zlib.h>\nint main(void) { printf("zlib %c\\n", *zlibVersion()); return 0; }\n'
CURL = "#include <curl/curl.h>\nint main(void) { return curl_global_init(0); }\n"
DATA = r"""#include <stdio.h>
static int say(const char* path) {
  char line[80] = "";
  FILE* file = fopen(path, "r");
  if (!file || !fgets(line, sizeof line, file)) return 1;
  printf("%s", line);
  return 0;
}
int main(void) { return say(DATA "/words.txt") + say(DATA "/settings.conf") + say(DATA "/themes/dark/colours"); }
"""


def meson(*lines, program="main.c"):
    return "\n".join(["project('tool', 'c')", *lines, f"executable('tool', '{program}', dependencies: deps, install: true)", ""])


class Libraries(WhittleTestCase):
    shared_cache = True

    trees = 0

    def count(self):
        self.trees += 1
        return self.trees

    def refused(self, files, expect=30):
        result = self.whittle("build", self.write_tree(f"tool{self.count()}", files), expect=expect)
        self.assertIn("note: nothing was compiled", result.stderr)
        self.assertNotIn("configure\n", result.stderr)
        return result.stderr

    def says(self, files, text):
        reference = self.build(self.write_tree(f"tool{self.count()}", files)).reference
        self.assertEqual(self.whittle("run", reference).stdout, text)

    def test_a_module_that_is_not_here_is_named_before_anything_is_compiled(self):
        for name, text in {
            "meson.build": meson("deps = dependency('nobodys-module')"),
            "CMakeLists.txt": "cmake_minimum_required(VERSION 3.10)\nproject(tool C)\nfind_package(PkgConfig REQUIRED)\n"
            "pkg_check_modules(N REQUIRED nobodys-module)\nadd_executable(tool main.c)\n",
            "Makefile": "LDLIBS = $(shell pkg-config --libs nobodys-module)\ntool: main.o\n\t$(CC) -o $@ $^ $(LDLIBS)\n",
        }.items():
            with self.subTest(name):
                said = self.refused({name: text, "main.c": HELLO})
                self.assertIn("needs the package `nobodys-module` of pkg-config, which is not installed", said)
                self.assertRegex(said, name + r":\d → nobodys-module\n")
                self.assertIn("`apt-get install libnobodys-module-dev`", said)

    def test_an_archive_that_is_missing_is_named_with_the_chain_that_needs_it(self):
        # Debian's libcurl names Kerberos, of which Debian has no static library.
        said = self.refused({"meson.build": meson("deps = dependency('libcurl')"), "main.c": CURL})
        self.assertIn(
            "meson.build:2 → libcurl → libgssapi_krb5.a: is not to be had: Debian's libkrb5-dev has no static library", said
        )
        self.assertIn('`link = "closure"`', said)

    def test_a_failure_is_explained_when_only_the_link_can_tell_whether_an_archive_is_needed(self):
        makefile = "LDLIBS = $(shell pkg-config --libs libcurl)\ntool: main.o\n\t$(CC) -o $@ $^ $(LDLIBS)\n"
        tree = self.write_tree("tool", {"Makefile": makefile, "main.c": CURL})
        result = self.whittle("build", tree, expect=51)
        self.assertIn("Makefile:1 → libcurl → libgssapi_krb5.a is not to be had", result.stderr)
        self.assertIn("Makefile:1 → libcurl → libgssapi_krb5.a: is not to be had", result.stderr)
        # The same flags, and nothing that needs them.
        self.says({"Makefile": makefile, "main.c": HELLO}, "hello\n")

    def test_a_library_that_ships_is_not_asked_for_its_archive(self):
        files = {"meson.build": meson("deps = dependency('libcurl')"), "main.c": CURL, "whittle.toml": '[build]\nlink = "closure"\n'}
        self.says(files, "")

    def test_what_is_there_and_what_is_optional_is_built(self):
        self.says({"meson.build": meson("deps = dependency('zlib')"), "main.c": ZLIB}, "zlib 1\n")
        self.says({"meson.build": meson("deps = dependency('nobodys-module', required: false)"), "main.c": HELLO}, "hello\n")
        cmake = (
            "cmake_minimum_required(VERSION 3.10)\nproject(tool C)\nfind_package(PkgConfig REQUIRED)\n"
            "pkg_check_modules(Z REQUIRED IMPORTED_TARGET zlib)\npkg_check_modules(N nobodys-module)\n"
            "add_executable(tool main.c)\ntarget_link_libraries(tool PkgConfig::Z)\n"
        )
        self.says({"CMakeLists.txt": cmake, "main.c": ZLIB}, "zlib 1\n")

    def test_data_that_meson_installs_is_in_the_image_when_the_program_names_it(self):
        script = (
            "deps = []\ndata = get_option('prefix') / get_option('datadir') / 'tool'\n"
            "add_project_arguments('-DDATA=\"' + data + '\"', language: 'c')\n"
            "install_data('words.txt', install_dir: data)\ninstall_subdir('themes', install_dir: data)\n"
            "configure_file(input: 'settings.in', output: 'settings.conf', configuration: {'colour': 'blue'}, install: true,\n"
            "  install_dir: data)\ninstall_man('tool.1')\n"
            "custom_target('unbuilt', output: 'unbuilt', command: ['false'], install: true, install_dir: data)\n"
        )
        tree = self.write_tree("tool", {
            "meson.build": meson(script), "main.c": DATA, "words.txt": "words\n", "settings.in": "colour @colour@\n",
            "themes/dark/colours": "black\n", "tool.1": ".TH tool 1\n"})  # fmt: skip
        reference = self.build(tree).reference
        self.assertEqual(self.whittle("run", reference).stdout, "words\ncolour blue\nblack\n")
        why = self.whittle("why", "--json", reference, "/usr/local/share/tool/words.txt").json
        self.assertEqual(why["origin"], "step install data")
        self.whittle("why", reference, "/usr/local/share/man", expect=2)


if __name__ == "__main__":
    unittest.main()
