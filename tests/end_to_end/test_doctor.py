"""`whittle doctor`: what is on the machine, and what a source tree asks for compared with that."""

import unittest

from support.case import WhittleTestCase


def go_module(line):
    return {"go.mod": f"module example.com/app\n\ngo 1.21\n{line}", "main.go": "package main\n\nfunc main() {}\n"}


class DoctorTest(WhittleTestCase):
    def verdicts(self, tree, *, status=0):
        report = self.whittle("doctor", "--json", tree, expect=status).json
        self.assertEqual(report["schema"], "whittle.doctor-tree/v1")
        return report

    def test_a_version_that_satisfies_fits_and_its_source_is_told(self):
        tree = self.write_tree("app", go_module(""))
        [go] = self.verdicts(tree)["tools"]
        self.assertEqual((go["name"], go["constraint"], go["source"], go["verdict"]), ("go", ">=1.21", "go.mod:3", "fits"))
        self.assertEqual(go["found"], go["used"])
        self.assertIn("go: fits\n  wants >=1.21 (go.mod:3); here is ", self.whittle("doctor", tree).stdout)

    def test_a_version_that_is_not_here_is_one_that_a_build_fetches(self):
        tree = self.write_tree("app", go_module("\ntoolchain go1.99.3\n"))
        [go] = self.verdicts(tree)["tools"]
        self.assertEqual((go["pin"], go["pinSource"], go["verdict"]), (">=1.99.3", "go.mod:5", "is fetched"))
        self.assertEqual(go["used"]["version"], "1.99.3")

    def test_what_no_build_could_use_is_exit_30(self):
        cargo = '[package]\nname = "app"\nversion = "1.0.0"\nedition = "2021"\nrust-version = "1.999"\n'
        tree = self.write_tree("app", {"Cargo.toml": cargo, "src/main.rs": "fn main() {}\n"})
        report = self.verdicts(tree, status=30)
        [cargo] = [tool for tool in report["tools"] if tool["name"] == "cargo"]
        self.assertEqual((cargo["verdict"], cargo["source"], cargo["used"]), ("does not fit", "Cargo.toml:5", None))

    def test_of_several_compilers_one_is_enough(self):
        tree = self.write_tree("app", {"app.c": "int main(void) { return 0; }\n"})
        toolchains = {one["name"]: one["found"] for one in self.verdicts(tree)["toolchains"]}
        self.assertIsNotNone(toolchains["host"])


if __name__ == "__main__":
    unittest.main()
