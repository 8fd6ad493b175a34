"""Other people's programs, from the module proxy and crates.io, build unconfigured and run."""

import json
import shutil
import subprocess
from pathlib import Path

from support.case import WhittleTestCase


class PublicPrograms(WhittleTestCase):
    shared_cache = True

    def tree_of(self, folder):
        """A copy that whittle has never seen and that has no version control around it."""
        tree = self.temporary / "tree"
        shutil.copytree(folder, tree)
        for path in [tree, *tree.rglob("*")]:
            path.chmod(path.stat().st_mode | 0o200)
        return tree

    def go_module(self, module, version):
        done = subprocess.run(
            ["go", "mod", "download", "-json", f"{module}@{version}"], cwd="/", check=True, capture_output=True, text=True
        )
        return self.tree_of(json.loads(done.stdout)["Dir"])

    def crate(self, name, version):
        """A crate's package as `cargo fetch` unpacks it."""
        project = self.write_tree(
            "fetch",
            {
                "Cargo.toml": f'[package]\nname = "fetch"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\n{name} = "={version}"\n',
                "src/main.rs": "fn main() {}\n",
            },
        )
        subprocess.run(["cargo", "fetch"], cwd=project, check=True, capture_output=True)
        metadata = subprocess.run(
            ["cargo", "metadata", "--format-version=1", "--offline"], cwd=project, check=True, capture_output=True, text=True
        )
        packages = json.loads(metadata.stdout)["packages"]
        manifest = next(package["manifest_path"] for package in packages if package["name"] == name)
        return self.tree_of(Path(manifest).parent)

    def runs(self, tree, *arguments):
        built = self.build(tree)
        self.assert_store_valid()
        self.whittle("check", built.reference)
        return self.whittle("run", built.reference, "--", *arguments, expect=None)

    def test_hey_whose_published_vendor_folder_is_empty(self):
        tree = self.go_module("github.com/rakyll/hey", "v0.1.4")
        result = self.runs(tree, "--help")
        self.assertIn("Usage: hey", result.stderr)

    def test_gojq_a_go_program_below_cmd(self):
        tree = self.go_module("github.com/itchyny/gojq", "v0.12.16")
        result = self.runs(tree, "-n", "[1, 2] | add")
        self.assertEqual(result.stdout, "3\n")

    def test_hexyl_a_rust_program_with_dependencies(self):
        tree = self.crate("hexyl", "0.16.0")
        result = self.runs(tree, "--version")
        self.assertIn("hexyl 0.16.0", result.stdout)
