"""One command builds an index for several platforms, without emulation; every program runs under qemu."""

import os
import unittest

from support.case import WhittleTestCase
from support.parties import call

PLATFORMS = ["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/riscv64"]
# zig compiles its C library once for each, which takes half a minute.
C_PLATFORMS = PLATFORMS if os.environ.get("WHITTLE_FULL") else ["linux/arm/v7", "linux/riscv64"]
EMULATORS = {"amd64": "qemu-x86_64-static", "arm64": "qemu-aarch64-static", "arm": "qemu-arm-static", "riscv64": "qemu-riscv64-static"}

GO = {
    "go.mod": "module example.com/where\n\ngo 1.21\n",
    "main.go": 'package main\n\nimport (\n\t"os"\n\t"runtime"\n)\n\nfunc main() { os.Stdout.WriteString(runtime.GOARCH + "\\n") }\n',
}


# Debian's compilers for other machines may be here, and then nothing would be fetched.
ZIG = '[build]\ntoolchain = "zig"\n'


class Platforms(WhittleTestCase):
    shared_cache = True  # of the compiler, which is large

    def build_all(self, tree, *arguments, platforms=PLATFORMS):
        result = self.whittle("build", tree, "--json", "--platform", ",".join(platforms), *arguments)
        return result.json

    def images_of(self, built, platforms=PLATFORMS):
        """{"linux/arm/v7": image}; every descriptor says what its image's configuration says."""
        images = {}
        for image in self.layout().images(built["digest"]):
            platform = image.descriptor["platform"]
            self.assertEqual({key: image.config.get(key) for key in platform}, platform)
            images["/".join(platform[key] for key in ("os", "architecture", "variant") if key in platform)] = image
        self.assertEqual(list(images), platforms)
        return images

    def run_emulated(self, image, *arguments):
        architecture = image.config["architecture"]
        root = self.temporary / f"root-{architecture}"
        image.unpack(root)
        program, *rest = image.argv(arguments)
        return call(EMULATORS[architecture], root / program[1:], *rest).stdout

    def test_go_program_is_one_index_whose_programs_run(self):
        tree = self.write_tree("tree", GO)
        built = self.build_all(tree, "-o", f"oci:{self.temporary / 'out'}")
        images = self.images_of(built)
        for platform, image in images.items():
            self.assertEqual(self.run_emulated(image), platform.split("/")[1] + "\n")
        self.assertEqual(len({image.layers[0].digest for image in images.values()}), 1, "what is the same is shared")
        self.assertEqual([one["platform"] for one in built["platforms"]], PLATFORMS)
        self.assert_store_valid()
        self.assert_store_valid(self.temporary / "out")

        again = self.build_all(tree)
        self.assertTrue(again["unchanged"])
        self.assertEqual(again["digest"], built["digest"])
        plans = self.temporary / "plans.json"
        plans.write_text(self.whittle("plan", "--json", "--platform", ",".join(PLATFORMS), tree).stdout)
        self.assertEqual(self.build(tree, "--plan", plans).digest, built["digest"], "the committed plans give another index")

        (tree / "main.go").write_text(GO["main.go"].replace('"\\n"', '"!\\n"'))
        self.assertNotEqual(self.build_all(tree)["digest"], built["digest"])

    def test_unknown_platform_is_refused_with_the_known_ones(self):
        tree = self.write_tree("tree", GO)
        refused = self.whittle("build", "--platform", "linux/s390x", tree, expect=2)
        self.assertIn("it builds for linux/amd64, linux/arm64, linux/arm/v7, linux/riscv64", refused.stderr)

    def test_c_program_is_built_by_a_compiler_that_is_fetched_and_runs_everywhere(self):
        source = '#include <stdio.h>\nint main(void) { printf("%d bit\\n", (int)(8 * sizeof(void *))); }\n'
        tree = self.write_tree("tree", {"bits.c": source, "whittle.toml": ZIG})
        images = self.images_of(self.build_all(tree, platforms=C_PLATFORMS), C_PLATFORMS)
        for platform, image in images.items():
            self.assertEqual(self.run_emulated(image), "32 bit\n" if platform == "linux/arm/v7" else "64 bit\n")
        self.assert_store_valid()

    def test_cmake_project_with_a_static_library_is_built_for_another_machine(self):
        tree = self.write_tree(
            "tree",
            {
                "CMakeLists.txt": "cmake_minimum_required(VERSION 3.10)\nproject(sum C)\nadd_library(add STATIC add.c)\n"
                "add_executable(sum main.c)\ntarget_link_libraries(sum add)\ninstall(TARGETS sum)\n",
                "add.c": "int add(int a, int b) { return a + b; }\n",
                "main.c": '#include <stdio.h>\nint add(int, int);\nint main(void) { printf("%d\\n", add(40, 2)); }\n',
                "whittle.toml": ZIG,
            },
        )
        digest = self.whittle("build", "--platform", "linux/riscv64", tree).stdout.strip().split("@")[1]
        self.assertEqual(self.run_emulated(self.layout().image(digest, architecture="riscv64")), "42\n")


if __name__ == "__main__":
    unittest.main()
