"""A target's source closure is its cache key: what it is not made of may change without a build."""

import unittest

from support.case import WhittleTestCase

GO = {
    "go.mod": "module example.com/fleet\n\ngo 1.21\n",
    "cmd/gate/main.go": 'package main\n\nimport "example.com/fleet/internal/words"\n\nfunc main() { println(words.Hello()) }\n',
    "cmd/other/main.go": 'package main\n\nimport "example.com/fleet/internal/numbers"\n\nfunc main() { println(numbers.Two()) }\n',
    "internal/words/words.go": 'package words\n\nimport _ "embed"\n\n//go:embed hello.txt\nvar hello string\n\nfunc Hello() string { return hello }\n',
    "internal/words/hello.txt": "hello",
    "internal/words/words_test.go": "package words\n",
    "internal/numbers/numbers.go": "package numbers\n\nfunc Two() int { return 2 }\n",
}

RUST = {
    "Cargo.toml": '[workspace]\nmembers = ["gate", "words", "other"]\nresolver = "2"\n',
    "Cargo.lock": "version = 3\n"
    + "".join(
        f'\n[[package]]\nname = "{name}"\nversion = "1.0.0"\n{more}'
        for name, more in (("gate", 'dependencies = [\n "words",\n]\n'), ("other", ""), ("words", ""))
    ),
    "gate/Cargo.toml": '[package]\nname = "gate"\nversion = "1.0.0"\nedition = "2021"\n\n[dependencies]\nwords = { path = "../words" }\n',
    "gate/src/main.rs": 'fn main() { println!("{}", words::hello()); }\n',
    "words/Cargo.toml": '[package]\nname = "words"\nversion = "1.0.0"\nedition = "2021"\n',
    "words/src/lib.rs": 'pub fn hello() -> &\'static str { "hello" }\n',
    "other/Cargo.toml": '[package]\nname = "other"\nversion = "1.0.0"\nedition = "2021"\n',
    "other/src/main.rs": "fn main() {}\n",
    "other/note.txt": "one",
}


class SourceClosureTest(WhittleTestCase):
    shared_cache = True

    def build_gate(self, tree):
        """The image's digest, and whether a compiler was started."""
        built = self.whittle("build", "--target", "gate", "--verbose", tree)
        lines = [line.strip() for line in built.stderr.splitlines()]
        return built.stdout.strip(), any(line.startswith("compile gate") for line in lines)

    def check(self, tree, unrelated, related):
        first, compiled = self.build_gate(tree)
        self.assertTrue(compiled)
        for path, text in unrelated.items():
            self.write_file(tree, path, text)
            image, compiled = self.build_gate(tree)
            self.assertFalse(compiled, f"{path} is none of its sources")
            self.assertEqual(image, first)
        for path, text in related.items():
            self.write_file(tree, path, text)
            image, compiled = self.build_gate(tree)
            self.assertTrue(compiled, f"{path} is one of its sources")
            self.assertNotEqual(image, first)
            first = image

    def write_file(self, tree, path, text):
        file = tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def test_of_a_go_module_only_what_the_program_imports_counts(self):
        tree = self.write_tree("fleet", GO)
        self.check(
            tree,
            unrelated={
                "internal/numbers/numbers.go": "package numbers\n\nfunc Two() int { return 1 + 1 }\n",
                "cmd/new/main.go": "package main\n\nfunc main() {}\n",
                "internal/words/words_test.go": "package words\n\nvar tested = true\n",
            },
            related={
                "internal/words/hello.txt": "good morning",
                "internal/words/more.go": 'package words\n\nfunc init() { println("more") }\n',
            },
        )

    def test_go_files_that_are_embedded_count_although_nobody_imports_them(self):
        words = GO["internal/words/words.go"].replace("hello.txt", "templates/hello.go")
        tree = self.write_tree("fleet", {**GO, "internal/words/words.go": words, "internal/words/templates/hello.go": "package t\n"})
        self.check(tree, unrelated={}, related={"internal/words/templates/hello.go": "package t // changed\n"})

    def test_of_a_cargo_workspace_only_what_the_package_depends_on_counts(self):
        tree = self.write_tree("fleet", RUST)
        self.check(
            tree,
            unrelated={"other/src/main.rs": 'fn main() { println!("other"); }\n', "other/note.txt": "two"},
            related={"words/src/lib.rs": 'pub fn hello() -> &\'static str { "good morning" }\n'},
        )

    def test_a_rust_source_that_includes_a_file_of_another_package_is_built_again_when_that_changes(self):
        main = 'fn main() { println!("{} {}", words::hello(), include_str!("../../other/note.txt")); }\n'
        tree = self.write_tree("fleet", {**RUST, "gate/src/main.rs": main})
        self.check(tree, unrelated={}, related={"other/note.txt": "two"})


if __name__ == "__main__":
    unittest.main()
